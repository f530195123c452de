"""Who may ask, of one store: what the command line changes."""

from dataclasses import dataclass

from adapter.store.repository import Repository
from server.auth.clients import Clients
from server.auth.tokens import Tokens
from server.auth.users import Users


@dataclass(frozen=True)
class Registers:
    """The clients and people that are registered, and the tokens that they have."""

    tokens: Tokens
    clients: Clients
    users: Users

    def known(self) -> bool:
        """Whether there is anybody who is let in."""
        return any(not each.disabled for register in (self.users, self.clients) for each in register.all())

    @staticmethod
    def of(repository: Repository) -> "Registers":
        """Those of a store."""
        tokens = Tokens(repository.database, repository.clock)
        return Registers(tokens, Clients(tokens, repository.clock), Users(tokens, repository.clock))
