"""To whom Subscriptions belong, as they stand when they are told: clients and people who were let in when they wrote one."""

from dataclasses import replace

from adapter.errors import Forbidden
from adapter.fhir.scopes import narrowed
from adapter.store.documents import Document
from adapter.store.repository import Repository
from adapter.store.sight import sight_of
from adapter.sync.subscriptions.owners import INTERACTION, Standing
from server.audit.access import Access
from server.auth.principal import Principal
from server.auth.registers import Registers
from server.auth.users import person_scope
from server.auth.viewers import Viewers


class Subscribers:
    """The owners of one store's Subscriptions. `site` is what the organisation that keeps the data goes by, as `Type/id`."""

    def __init__(self, repository: Repository, site: frozenset[str] = frozenset()) -> None:
        self._repository, self._site = repository, site
        self._registers, self._viewers = Registers.of(repository), Viewers(repository)

    def standing(self, owner: Document, type: str) -> Standing:
        """How an owner stands now, who is to be told of this type. Raises Forbidden, with the reason, for who is told nothing more."""
        principal = self._now(Principal.read(owner))
        if principal.grant.conditions(type, "r") is None or principal.grant.conditions(type, "s") is None:
            raise Forbidden(f"The scopes of whom it belongs to do not allow any more to read and search {type}.")
        # The glass is broken to look at a record, not to be told of it.
        viewer = replace(self._viewers.of(principal), glass=frozenset())
        sight = sight_of(self._repository.database, viewer, self._repository.clock(), self._site)
        if not sight.policy.sees(type):
            raise Forbidden(f"The role of whom it belongs to sees no {type} any more.")
        access = Access(INTERACTION, None, principal, sight=sight)
        return Standing(access.asker, sight, principal.grant.shows, access.rule, access.grant)

    def _now(self, was: Principal) -> Principal:
        """Who wrote a Subscription, with the scopes that they would get now. Raises Forbidden for who is not who they were."""
        client = self._registers.clients.find(was.client)
        if client is None:
            raise Forbidden("The client that it belongs to is let in no more.")
        if was.user is None:
            if (client.role_name, client.organisation, client.purpose) != (was.role_name, was.organisation, was.purpose):
                raise Forbidden("The client that it belongs to has another role, organisation or purpose now.")
            return replace(was, scope=client.get_allowed_scope(was.scope) or "")
        user = self._registers.users.find(was.user)
        if user is None:
            raise Forbidden("The person whom it belongs to is let in no more.")
        if (user.role_name, user.organisation, user.fhir_user) != (was.role_name, was.organisation, was.fhir_user):
            raise Forbidden("The person whom it belongs to has another role, organisation or place in the record now.")
        lasting = self._registers.tokens.lasting(was.client, was.user, was.patient)
        if not lasting:
            raise Forbidden("The person whom it belongs to does not let the app go on without them any more.")
        return replace(was, scope=person_scope(client, user, narrowed(was.scope, lasting)))
