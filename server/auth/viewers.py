"""Who each caller is to the rules of who sees what, as the store has it now: their team, the glasses they broke, what is offered them."""

from dataclasses import replace

from adapter.access.viewer import Viewer
from adapter.store import offers, teams
from adapter.store.glass import Glass
from adapter.store.repository import Repository
from server.auth.principal import Principal

_LEADS = frozenset({"supervisor"})


class Viewers:
    """The callers of one store. Each is looked up for each request: what was ended counts from the next one on."""

    def __init__(self, repository: Repository) -> None:
        self._repository, self._glass = repository, Glass(repository)

    def of(self, principal: Principal, *, at_work: bool = False) -> Viewer:
        """The viewer; `at_work`: where cases are worked on, so that what is offered to them can be taken."""
        viewer, person = principal.viewer, principal.fhir_user
        if person is None or not principal.role.console:
            return viewer
        leads, now = principal.role_name in _LEADS, self._repository.clock()
        places = teams.organisations(self._repository, person, now) if leads or at_work else frozenset()
        return replace(
            viewer,
            team=teams.people(self._repository, places, now) - {person} if leads else frozenset(),
            glass=frozenset(broken.patient for broken in self._glass.held(person)),
            offered=offers.offered(self._repository, viewer, places, now) if at_work else frozenset(),
        )
