"""The sole right to create the resource of a condition, so that a condition makes one resource however many ask at once.

A claim is a document named by the condition. It is written in the transaction that creates the resource, so of two creators one fails and
looks again. It outlives the resource: who finds a claim but nothing that the condition selects may take it over from that holder.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from pymongo.client_session import ClientSession
from pymongo.database import Database

from adapter.errors import VersionConflict
from adapter.store.documents import Document


@dataclass(frozen=True)
class Claim:
    """A condition in its normal form, and the id of the resource that was created by it last; None where none was."""

    condition: str
    holder: str | None


def claim(database: Database[Document], type: str, criteria: Sequence[tuple[str, str]]) -> Claim:
    """The claim as it is now. Read it before the search that it guards: what that search does not find, its holder is not."""
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
