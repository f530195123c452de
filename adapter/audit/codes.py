"""What the codes of our own in an AuditEvent mean, to be looked up: docs/audit.md"""

from types import MappingProxyType

from adapter.audit.event import COUNT, FIRST, RULE, TOLD

INTERACTIONS = MappingProxyType(
    {
        "login": "Somebody logs in",
        "logout": "Somebody logs out",
        "token": "A token is given",
        "introspect": "It is asked what a token is good for",
        "revoke": "A token is ended before its time",
        "export-written": "The files of an export are written",
        "export-file": "A file of an export is sent",
        "notification": "A subscriber is told of a change",
        "backup": "All of the store is copied",
        "restore": "All of the store is set back",
        "break-glass": "Somebody sees a patient in an emergency, for a reason",
        "mend-glass": "What was broken in an emergency is ended",
    }
)
"""Codes of the code system `interaction`. It has others, which are names: of operations (`$everything`), of routes of the case API
(`api-read`) and of pages (`console.case-show`)."""
DETAILS = MappingProxyType(
    {
        TOLD: "The resources that were told, as Type/id with space between",
        COUNT: "How many resources were told or written",
        RULE: "By which role, ties and consents it was allowed",
        FIRST: "Of an access about more people than one AuditEvent names, the first AuditEvent: it has the query and what was told",
        "scope": "What the token grants",
        "written": "The resources that were written, where they are too many to be entities, as Type/id with space between",
        "reason": "Why somebody must see a patient in an emergency, in their own words",
        "event": "What a notification tells: create, update or delete",
        "to": "Where a notification was sent, without its path",
        "export": "The id of an export",
        "files": "The files of an export, each with the number of its lines",
        "token": "Of what kind the token is that was asked about: access, refresh or unknown",
        "token_client": "To which program that token was given",
        "token_user": "For which person it was given",
        "active": "Whether it was told that the token is good",
        "operator": "Who gave the command, as the operating system has it",
        "encrypted": "By which key a backup is encrypted, or no",
        "backup": "The id of a backup",
        "moment": "As of when a backup is",
    }
)
"""Types of `AuditEvent.entity.detail`, which R4 has as texts."""
