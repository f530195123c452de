"""A person's decision about a conflict: what is written because of it, and the Provenance that it leaves. Pure functions, but for the base.

http://hl7.org/fhir/R4/provenance.html
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from adapter.clock import instant
from adapter.config import EXT, SYNTHETIC_TAG
from adapter.errors import Invalid
from adapter.fhir.resource import Raw, content, has_tag, parse, same
from adapter.mapping.merge import Base, merge
from adapter.store.documents import CURRENT, Change, Document, Link, Stored
from adapter.store.repository import Repository
from adapter.sync.base import agreed

DECISION = f"{EXT}/conflict-decision"
"""The extension of a Provenance that says of one element (`element`, or * for all of it) whose version was `chosen`."""

SIDES = ("ours", "theirs")
ALL = "*"


@dataclass(frozen=True)
class Decision:
    """Who wins, "ours" or "theirs", by path, or under ALL for all that is not named; who says so, and when."""

    winners: Mapping[str, str]
    by: str
    at: datetime


def decided(repository: Repository, stored: Stored, found: Document, winners: Mapping[str, str]) -> Change:
    """The write by which ours follows a decision. Raises Invalid where an element is left undecided."""
    remote, rest = found["remote"], winners.get(ALL)
    link = stored.link(remote)
    others = stored.links_beside(remote)
    named = link.named if link else True
    theirs = parse(found["theirs"]) if found["theirs"] else None
    if theirs is None or stored.deleted:
        if rest is None:
            raise Invalid("One side deleted it: decide for all of it, ours or theirs.")
        return _of_deletion(stored, others, theirs, found, rest, named)
    chosen = ruled(found) | dict(winners) | {row["path"]: rest for row in found["rows"] if rest and row["path"] not in winners}
    merged = merge(agreed_before(repository, stored, found), stored.raw, theirs, keep="ours", decisions=chosen)
    if merged.conflicts:
        raise Invalid(f"Left undecided: {', '.join(change.path.partition('[')[0] for change in merged.conflicts)}.")
    agreement = Link(remote, found["there"], found["version"], 0, found["theirs"], named)
    if same(content(merged.raw), content(theirs)):
        in_step = replace(agreement, at=CURRENT, theirs=None)
        return Change(stored.type, stored.id, merged.raw, stored.version, links=(*others, in_step), sent=remote)
    return Change(stored.type, stored.id, merged.raw, stored.version, links=(*others, agreement), owed=(remote,))


def agreed_before(repository: Repository, stored: Stored, found: Document) -> Base:
    """What both sides agreed on before a conflict. Raises Invalid where that is no longer known."""
    if found.get("base"):
        # No link says it: an answer was lost.
        held = parse(found["base"])
        return Base(held, held)
    if link := stored.link(found["remote"]):
        return agreed(repository, stored, link)
    raise Invalid("The resource is no longer linked to this remote; run a pull first.")


def ruled(found: Document) -> dict[str, str]:
    """Path → who won, where an element's owner decided when the conflict was found."""
    return dict(parse(found["ruled"])) if "ruled" in found else {}


def _of_deletion(
    stored: Stored, others: tuple[Link, ...], theirs: dict[str, Any] | None, found: Document, winner: str, named: bool
) -> Change:
    """Ours or theirs, where one of the two is that it does not exist."""
    remote = found["remote"]
    if theirs is None and (winner == "theirs" or stored.deleted):
        return Change(stored.type, stored.id, None, stored.version, links=others, sent=remote)
    if theirs is None:
        # Made again there on the next push: as a new resource, since the old one is gone.
        return Change(stored.type, stored.id, stored.raw, stored.version, links=others, owed=(remote,))
    link = Link(remote, found["there"], found["version"], 0, found["theirs"], named)
    if winner == "ours":
        return Change(stored.type, stored.id, None, stored.version, links=(*others, link), owed=(remote,))
    return Change(stored.type, stored.id, theirs, stored.version, links=(*others, replace(link, at=CURRENT, theirs=None)), sent=remote)


def provenance(stored: Stored, target: int, found: Document, decision: Decision, url: str) -> Raw:
    """What a decision leaves: who decided when, about what, for the version `target`, out of which two versions; no value of either."""
    paths = [row["path"] for row in found["rows"]]
    chosen = {path: winner for path in paths if (winner := decision.winners.get(path, decision.winners.get(ALL)))}
    theirs = "/".join([url.rstrip("/"), found["there"], *(("_history", found["version"]) if found["version"] else ())])
    tag = {"meta": {"tag": [dict(SYNTHETIC_TAG)]}} if _synthetic(stored, found) else {}
    return {
        "resourceType": "Provenance",
        **tag,
        "extension": [_chosen(path, winner) for path, winner in (chosen or decision.winners).items()],
        "target": [{"reference": f"{stored.reference}/_history/{target}"}],
        "occurredDateTime": instant(decision.at),
        "recorded": instant(decision.at),
        "activity": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-DataOperation", "code": "UPDATE"}]},
        "agent": [
            {
                "type": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/provenance-participant-type", "code": "verifier"}]},
                "who": {"display": decision.by},
            }
        ],
        "entity": [
            {"role": "revision", "what": {"reference": f"{stored.reference}/_history/{stored.version}"}},
            # By name and not as a link: HAPI 8.8 refuses references to other addresses (HAPI-0507).
            {"role": "source", "what": {"type": stored.type, "identifier": {"system": "urn:ietf:rfc:3986", "value": theirs}}},
        ],
    }


def _chosen(path: str, winner: str) -> Raw:
    return {"url": DECISION, "extension": [{"url": "element", "valueString": path}, {"url": "chosen", "valueCode": winner}]}


def _synthetic(stored: Stored, found: Document) -> bool:
    """Whether what was decided about is synthetic, as the side says that has it."""
    raw = parse(found["theirs"]) if stored.deleted and found["theirs"] else {} if stored.deleted else stored.raw
    return has_tag(raw, SYNTHETIC_TAG)
