"""The Group of an insurer's members. It names nobody: its coverages say who is in it when it is asked, so nothing keeps it current."""

from uuid import NAMESPACE_URL, uuid5

from adapter.access.groups import COVERED_BY, for_one
from adapter.access.policy import policy_for
from adapter.access.viewer import PAYOR, Viewer
from adapter.config import BASE
from adapter.fhir.resource import Raw
from adapter.store.documents import Change
from adapter.store.repository import Repository

BORN = "casebridge.insurers"
"""Where the Groups that are made for insurers come from: they are owed to no remote."""


def attributed(repository: Repository, role: str, organisation: str) -> str | None:
    """The id of the Group of this insurer's members, made where there is none; None for a role whose patients are not its members.

    Where somebody deleted it, it comes back.

    Raises Forbidden for a role without a policy.
    """
    viewer = Viewer(role, frozenset((organisation,)), "", organisation)
    if PAYOR not in policy_for(viewer).ties:
        return None
    id = str(uuid5(NAMESPACE_URL, f"{BASE}/Group/{organisation}"))
    found = repository.find("Group", id)
    if found is None or found.deleted:
        repository.commit([Change("Group", id, _members(organisation), found.version if found else 0, born=BORN)])
    return id


def _members(organisation: str) -> Raw:
    return {
        "resourceType": "Group",
        "active": True,
        "type": "person",
        "actual": False,
        "characteristic": [for_one(COVERED_BY, organisation)],
    }
