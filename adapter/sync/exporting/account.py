"""What the account of accesses says of an export that is written: whose it is, what was asked, and which files it came to.

Whom the files tell of is said when they are sent (server/audit).
"""

from uuid import uuid4

from adapter.audit.event import TYPE, Asker, Told, audit_event
from adapter.clock import Clock, instant
from adapter.store.documents import Change
from adapter.sync.exporting.exports import Export

_WRITTEN = "export-written"


def written(export: Export, clock: Clock) -> list[Change]:
    """The AuditEvent of an export whose files are whole; none where nobody is asked who they are."""
    if export.owner is None:
        return []
    client, _, user = export.owner.partition(" ")
    viewer = export.eyes.viewer if export.eyes else None
    standing = (viewer.organisation, viewer.role, None, viewer.purpose) if viewer else ()
    files = " ".join(f"{made.name}:{made.count}" for made in export.files)
    told = Told(count=sum(made.count for made in export.files), facts={"export": export.id, "files": files})
    raw = audit_event(_WRITTEN, Asker(client, user or None, None, *standing), instant(clock()), query=export.asked.request, told=told)
    return [Change(TYPE, str(uuid4()), raw, 0)]
