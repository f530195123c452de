"""What must hold when the storm is over: nothing lost, nothing doubled, all sides the same."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from adapter.config import OWN_ID
from adapter.fhir.references import rewrite, split
from adapter.fhir.resource import dumps, parse
from adapter.sync.bridge import Bridge
from tests.chaos.edits import Edit, Ledger, at
from tests.chaos.sides import Raw, Side, name_of, names

Contents = dict[str, Raw]
"""By name: what a resource says, in terms that are the same on every side."""


def contents(side: Side) -> Contents:
    """What a side holds, references by name and without what each server gives of its own."""
    found = side.all()
    known = {f"{raw['resourceType']}/{raw['id']}": str(name_of(raw)) for raw in found}

    def named(reference: str) -> str:
        parts = split(reference)
        return known.get(f"{parts[0]}/{parts[1]}", "unknown") if parts else reference

    return {str(name_of(raw)): _plain(rewrite(raw, named)) for raw in found}


def _plain(raw: Raw) -> Raw:
    kept = [each for each in raw.get("identifier", ()) if each.get("system") != OWN_ID]
    return {key: kept if key == "identifier" else value for key, value in raw.items() if key not in ("id", "meta", "text")}


@dataclass(frozen=True)
class Dispute:
    """What the conflicts of a resource tell, open and decided: the texts of all sides."""

    open: bool
    texts: str


def disputes(bridges: Iterable[Bridge], known: Mapping[str, str], earlier: Mapping[str, Dispute]) -> dict[str, Dispute]:
    """By name, given names by our Type/id: the resources that a bridge had, or has, a conflict about.

    `earlier` are those of before: of a resource's conflicts the inbox keeps the last, and Provenance the decisions of all.
    """
    found = {name: Dispute(False, dispute.texts) for name, dispute in earlier.items()}
    for bridge in bridges:
        for _, body in bridge.state.all("conflicts"):
            # What every casebridge deleted is in no list of what they have; the conflict holds what the hospital says.
            name = known.get(body["reference"]) or (body["theirs"] and name_of(parse(body["theirs"])))
            if name:
                before = found.get(name, Dispute(False, ""))
                told = dumps({key: str(value) for key, value in body.items()})
                found[name] = Dispute(before.open or body["status"] == "open", before.texts + told)
    return found


def doubled(sides: Iterable[Side]) -> list[str]:
    """Resources that are on a side more than once."""
    return [f"{name} on {side.name}: {many} times" for side in sides for name, many in Counter(names(side.all())).items() if many > 1]


def different(held: Mapping[str, Contents], disputed: set[str]) -> list[str]:
    """Resources that are not the same everywhere, without those in conflict."""
    every = {name for found in held.values() for name in found}
    return [
        f"{name}: {_difference(held, name)}"
        for name in sorted(every - disputed)
        if len({_text(found.get(name)) for found in held.values()}) > 1
    ]


def _text(value: Any) -> str:
    """The same for the same content: members of an object have no order, and HAPI gives them one of its own."""
    return json.dumps(value, sort_keys=True, default=str)


def _difference(held: Mapping[str, Contents], name: str) -> str:
    absent = [side for side, found in held.items() if name not in found]
    if absent:
        return f"not on {', '.join(absent)}"
    bodies = [found[name] for found in held.values()]
    elements = sorted({key for body in bodies for key in body if len({_text(each.get(key)) for each in bodies}) > 1})
    return f"differs in {', '.join(elements)}"


def lost(ledger: Ledger, held: Mapping[str, Contents], disputed: Mapping[str, Dispute]) -> list[Edit]:
    """Edits that are gone without anybody having seen them: not in the end state, replaced by none that saw them, told by no conflict."""
    seen = {edit.replaced for edit in ledger.edits}
    return [edit for edit in ledger.edits if edit.mark not in seen and not _kept(edit, ledger, held, disputed.get(edit.name))]


def _kept(edit: Edit, ledger: Ledger, held: Mapping[str, Contents], dispute: Dispute | None) -> bool:
    if edit.mark in ledger.deleted.get(edit.name, ()) or (dispute and edit.mark in dispute.texts):
        return True
    texts = [at(found[edit.name], edit.place) for found in held.values() if edit.name in found]
    return edit.mark in texts if dispute and dispute.open else bool(texts) and set(texts) == {edit.mark}


def missing(ledger: Ledger, held: Mapping[str, Contents]) -> list[str]:
    """What was made, and is on no side though nobody deleted it."""
    every = {name for found in held.values() for name in found}
    return sorted(set(ledger.made) - every - ledger.deleted.keys())


def accounts(bridges: Mapping[str, Bridge]) -> list[str]:
    """Bridges whose last certificate does not add up."""
    found: list[str] = []
    for name, bridge in bridges.items():
        certificates: list[Any] = sorted((body for _, body in bridge.state.all("certificates")), key=lambda body: body["started"])
        if not certificates or not certificates[-1]["holds"]:
            found.append(f"the last certificate of {name} does not add up")
    return found
