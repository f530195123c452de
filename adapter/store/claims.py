"""Documents in which transactions meet that else would not see each other, so that one of the two fails and looks again.

A claim is the sole right to create the resource of a condition: a document named by the condition, written in the transaction that creates
the resource. It outlives the resource: who finds a claim but nothing that the condition selects may take it over from that holder.

A lane is where those who refer to a resource meet who deletes it: the first take one of its lanes, the other takes all.

A turn is the right to write what was decided from several resources at once, such as a case's or a caseload's: of two who decided from the
same state, one writes.
"""

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from pymongo import UpdateOne
from pymongo.client_session import ClientSession
from pymongo.database import Database

from adapter.errors import VersionConflict
from adapter.store.documents import Document
from adapter.store.syntax import check_length

# So many that writers who refer to one resource seldom take the same lane, so few that a deletion can take all of them.
_LANES = 16


@dataclass(frozen=True)
class Claim:
    """A condition in its normal form, and the id of the resource that was created by it last; None where none was."""

    condition: str
    holder: str | None


def claim(database: Database[Document], type: str, criteria: Sequence[tuple[str, str]]) -> Claim:
    """The claim as it is now. Read it before the search that it guards: what that search does not find, its holder is not.

    Raises Invalid for a condition that is too long.
    """
    check_length(criteria)
    condition = f"{type}?{urlencode(sorted(criteria))}"
    found = database["claims"].find_one({"_id": condition})
    return Claim(condition, found["holder"] if found else None)


def take(database: Database[Document], claim: Claim, holder: str, session: ClientSession) -> None:
    """Give the claim to `holder`, in the transaction that creates it. Raises DuplicateKeyError or VersionConflict where another has it."""
    claims = database["claims"]
    if claim.holder is None:
        claims.insert_one({"_id": claim.condition, "holder": holder}, session=session)
        return
    answer = claims.update_one({"_id": claim.condition, "holder": claim.holder}, {"$set": {"holder": holder}}, session=session)
    if answer.matched_count != 1:
        raise VersionConflict("Another writer took the right to create this resource.")


def meet(database: Database[Document], referred: Iterable[str], deleted: Iterable[str], session: ClientSession) -> None:
    """Make this transaction fail where another one deletes what it refers to, or refers to what it deletes, in the same moment.

    Both are `Type/id`. What is read after this is true until the transaction ends, as far as others meet too.
    """
    lanes = [f"{reference} {secrets.randbelow(_LANES)}" for reference in referred]
    lanes += [f"{reference} {lane}" for reference in deleted for lane in range(_LANES)]
    if lanes:
        database["claims"].bulk_write([UpdateOne({"_id": lane}, {"$inc": {"turn": 1}}, upsert=True) for lane in lanes], session=session)


@dataclass(frozen=True)
class Turn:
    """A name under which writers meet, and how many have written under it."""

    name: str
    number: int


def turn(database: Database[Document], name: str) -> Turn:
    """The turn as it is now. Read it before what is decided from."""
    found = database["claims"].find_one({"_id": f"turn {name}"})
    return Turn(name, found["turn"] if found else 0)


def pass_on(database: Database[Document], turn: Turn, session: ClientSession) -> None:
    """Use the turn, in the transaction that writes what was decided. Raises VersionConflict or DuplicateKeyError where another did."""
    claims, id = database["claims"], f"turn {turn.name}"
    if turn.number == 0:
        claims.insert_one({"_id": id, "turn": 1}, session=session)
    elif claims.update_one({"_id": id, "turn": turn.number}, {"$inc": {"turn": 1}}, session=session).matched_count != 1:
        raise VersionConflict("Another writer changed this case, or this caseload, just now.")
