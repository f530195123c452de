"""What a remote is asked by doing it, one row a question. What a probe makes is tagged as synthetic and taken away again.

http://hl7.org/fhir/R4/http.html
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from adapter.clock import Clock
from adapter.errors import CasebridgeError
from adapter.fhir.capability import Capability
from adapter.store.state import State
from adapter.sync.remotes import profile as profiles
from adapter.sync.remotes.lab import Lab, opened
from adapter.sync.remotes.probes_search import (
    count,
    export,
    history,
    next_links,
    page_limit,
    search_cached,
    search_delay,
    search_last_updated,
    sort,
    unknown_parameter,
)
from adapter.sync.remotes.probes_write import (
    batch,
    client_ids,
    conditional_create,
    conditional_create_race,
    decimals,
    delete,
    etag,
    extensions,
    if_match,
    if_match_delete,
    last_updated,
    patch,
    subscriptions,
    tags,
    transaction,
    transaction_size,
    versions,
    zones,
)
from adapter.sync.remotes.profile import Finding, Profile
from adapter.sync.remotes.remote import Remote

Report = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Probe:
    """One question. `needs` is the type that it makes, which the remote must let us create and delete; empty where it only reads."""

    question: str
    ask: Callable[[Lab], Finding]
    means: Mapping[Any, str] = field(default_factory=dict)
    """What an answer means for a sync; under None what any other does."""
    needs: str = "Patient"

    def meaning(self, finding: Finding) -> str:
        """What this answer means for a sync; the note where it could not be told."""
        return finding.note if finding.value is None else self.means.get(finding.value, self.means.get(None, ""))

    def possible(self, capability: Capability) -> bool:
        """Whether the remote says that what this probe makes could be taken away again."""
        return not self.needs or all(capability.supports(self.needs, interaction) for interaction in ("create", "read", "delete"))


PROBES = {
    "search_delay": Probe(
        "After how many seconds does a search find what was made?",
        search_delay,
        {0.0: "found at once", None: "a request whose answer was lost is sent again only after that"},
    ),
    "search_cached": Probe(
        "Is a search answered from memory, unless it says no-cache?",
        search_cached,
        {True: "harmless: every search of ours says no-cache", False: "nothing to mind"},
    ),
    "versions": Probe(
        "Does a change make a new version?",
        versions,
        {True: "what changed is known by its version", False: "contents are compared"},
    ),
    "etag": Probe(
        "Does a read tell the version as ETag?",
        etag,
        {True: "nothing to mind", False: "the version is taken from the resource"},
    ),
    "last_updated": Probe(
        "Does a resource tell when it was last changed?",
        last_updated,
        {True: "nothing to mind", False: "contents are compared"},
    ),
    "if_match": Probe(
        "How is an update of an old version answered?",
        if_match,
        {
            "412": "as FHIR has it: nobody's edit is written over",
            "409": "not as FHIR has it, and as good: nobody's edit is written over",
            "ignored": "an edit of that very moment can be lost: the version is read just before a write",
        },
    ),
    "if_match_delete": Probe(
        "How is a deletion of an old version answered?",
        if_match_delete,
        {
            "412": "nobody's edit is deleted unseen",
            "409": "nobody's edit is deleted unseen",
            "ignored": "the version is read just before a deletion",
        },
    ),
    "conditional_create": Probe(
        "Is a conditional create honoured?",
        conditional_create,
        {True: "an interrupted push makes no duplicate", False: "what is to be made is looked for before it is sent"},
    ),
    "conditional_create_race": Probe(
        "Do conditional creates at the same moment make one?",
        conditional_create_race,
        {True: "two bridges at once make no duplicate", False: "two bridges at once can make duplicates: let only one push here"},
    ),
    "transaction": Probe(
        "Is a transaction all or nothing?",
        transaction,
        {
            "atomic": "what belongs together arrives together",
            "not atomic": "transactions are not used",
            "no": "resources are sent in batches or one by one",
        },
    ),
    "transaction_size": Probe(
        "How many creates does a transaction take, up to bundle_size?",
        transaction_size,
        {None: "the size of the Bundles that are sent"},
    ),
    "batch": Probe(
        "Does a batch answer each entry by itself?",
        batch,
        {True: "nothing to mind", False: "resources are sent one by one where there is no transaction"},
    ),
    "delete": Probe(
        "What does a read of something deleted say?",
        delete,
        {
            "410": "as FHIR has it",
            "404": "a deletion looks as if it had never been",
            "still there": "what is deleted here stays there",
            "refused": "what is deleted here stays there",
        },
    ),
    "history_type": Probe(
        "Does the history of a type tell deletions?",
        history("Patient/_history"),
        {True: "what is deleted there is noticed", False: "deletions are looked for elsewhere"},
    ),
    "history_system": Probe(
        "Does the history of the system tell deletions?",
        history("_history"),
        {True: "a second way to notice them", False: "nothing to mind where the history of types does"},
    ),
    "search_last_updated": Probe(
        "Does a search by _lastUpdated find what changed?",
        search_last_updated,
        {True: "a pull reads only what changed", False: "every pull reads everything"},
    ),
    "count": Probe(
        "Is _count obeyed?",
        count,
        {True: "nothing to mind", False: "pages have the remote's own size"},
    ),
    "next_links": Probe(
        "Do next links lead through all pages?",
        next_links,
        {True: "nothing to mind", False: "a pull finds less than was counted: it does not add up, and says so"},
    ),
    "sort": Probe(
        "Is _sort=_lastUpdated obeyed?",
        sort,
        {True: "nothing to mind", False: "a page that moves under a pull is read again by the next"},
    ),
    "page_limit": Probe("How large is the largest page?", page_limit, {None: "larger pages are not asked for"}, needs=""),
    "unknown_parameter": Probe(
        "What becomes of a search parameter that it does not know?",
        unknown_parameter,
        {
            "refused": "a mistaken search finds nothing",
            "refused where strict is asked for": "a mistaken search finds nothing where we ask strictly",
            "ignored": "a mistyped search in the settings finds too much; ours are looked up in its claims",
        },
        needs="",
    ),
    "decimals": Probe(
        "Does 1.50 stay 1.50?",
        decimals,
        {True: "precision is kept", False: "lost there and kept here: what they made of it is remembered as theirs"},
        needs="Observation",
    ),
    "zones": Probe(
        "Does a time keep its zone as written?",
        zones,
        {True: "times are kept", False: "times come back in another zone; the same moment is no change"},
        needs="Observation",
    ),
    "extensions": Probe(
        "Is an extension kept that it does not know?",
        extensions,
        {True: "nothing is lost there", False: "what we keep in extensions is lost there, and kept here"},
    ),
    "tags": Probe(
        "Are tags replaced or merged by an update?",
        tags,
        {"replaced": "as the resource says", "merged": "a tag taken off here stays there, as FHIR allows"},
    ),
    "client_ids": Probe(
        "Can we choose the id of what is made?",
        client_ids,
        {True: "possible; creates still carry a condition", False: "ids are the remote's; links know them"},
    ),
    "patch": Probe(
        "Which kinds of PATCH work?",
        patch,
        {
            "no": "whole resources are sent",
            "fhirpath": "whole resources are sent: ours is JSON Patch",
            None: "a change can be sent by itself",
        },
    ),
    "export": Probe(
        "Where can $export be started?",
        export,
        {"no": "first loads are searches", None: "a first load can be one export"},
        needs="",
    ),
    "subscriptions": Probe(
        "Does it take a Subscription?",
        subscriptions,
        {True: "it can tell us of changes", False: "changes are asked for, as by every pull"},
        needs="Subscription",
    ),
}


def probe(state: State, remote: Remote, clock: Clock, report: Report, left: Callable[[list[str]], None]) -> Profile:
    """Ask a remote all the questions and keep the answers as its profile.

    At the end, however it ends, what was made is taken away; `left` is told of what would not go, also from runs that were killed.
    """
    marks = profiles.marks(state, remote.name)
    unseen = [*marks]

    def cleaned(references: list[str]) -> None:
        profiles.mark(state, remote.name, [*marks, lab.mark] if references else unseen)
        left(references)

    with opened(remote, clock, cleaned) as lab:
        profiles.mark(state, remote.name, [*marks, lab.mark])
        for earlier in marks:
            lab.adopt(earlier)
            unseen.remove(earlier)
        findings = {}
        for done, (name, each) in enumerate(PROBES.items()):
            report("probe", done, len(PROBES))
            findings[name] = answer(lab, each)
        profile = Profile(lab.capability.software, clock(), findings)
    profiles.keep(state, remote.name, profile)
    return profile


def answer(lab: Lab, each: Probe) -> Finding:
    """The answer to one question, with the reason where it could not be told."""
    if not each.possible(lab.capability):
        return Finding(None, f"Not asked: it does not say that a {each.needs} can be created and deleted.")
    try:
        return each.ask(lab)
    except CasebridgeError as error:
        return Finding(None, error.text)
