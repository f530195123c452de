"""Breaking the glass at work: for a client who is not among one's cases, by who may; what is told of it, and its end before its time."""

from datetime import timedelta

from adapter.access import glass
from adapter.access.glass import Broken
from adapter.casework.desk import Desk
from adapter.errors import Forbidden, NotFound, NotNow
from adapter.store.glass import Glass
from adapter.store.repository import Repository
from adapter.store.sight import Sight


def break_glass(desk: Desk, reason: str, *, id: str | None = None, identifier: tuple[str, str] | None = None) -> Broken:
    """The client of this id or identifier, seen by the actor from now on, as long as the policy of their role says.

    Raises Invalid for a reason that says too little, NotFound, Conflict, Forbidden for who may not, NotNow `seen_already` and
    `nothing_hidden`.
    """
    sight, kept, why = _sight(desk.repository), Glass(desk.repository.whole), glass.reason(reason)
    if not sight.policy.glass:
        raise Forbidden("The policy of this role does not let the glass be broken.")
    patient = kept.find(desk.actor.reference, why, id=id, identifier=identifier)
    if patient in sight.of([patient]):
        raise NotNow("You see this client already.", code="seen_already")
    return kept.break_(desk.actor.reference, patient, why, timedelta(minutes=sight.policy.glass))


def held(repository: Repository, who: str) -> list[Broken]:
    """What somebody has broken and what counts now, the first that ends first; nothing where nothing is hidden."""
    return Glass(repository.whole).held(who) if repository.sight else []


def broken(repository: Repository, who: str) -> list[Broken]:
    """What was ever broken, the newest first: by themselves and those whom they lead, or by anybody where they audit; nothing where nothing
    is hidden."""
    sight = repository.sight
    if sight is None:
        return []
    return Glass(repository.whole).all(None if sight.policy.everybody else sight.viewer.team | {who})


def end(desk: Desk, id: str) -> Broken:
    """One that the actor or somebody whom they lead broke, ended now. Raises NotFound, NotNow `nothing_hidden`."""
    kept = Glass(desk.repository.whole)
    if kept.get(id).who not in _sight(desk.repository).viewer.team | {desk.actor.reference}:
        raise NotFound("No glass of this id was broken.")
    return kept.end(id, desk.actor.reference)


def _sight(repository: Repository) -> Sight:
    if repository.sight is None:
        raise NotNow("Nothing is hidden here, so there is no glass to break.", code="nothing_hidden")
    return repository.sight
