"""With whose eyes an export reads the store: remembered with it, so that what they may see is decided anew for each piece."""

from dataclasses import asdict, dataclass
from typing import Any

from adapter.access.viewer import Viewer
from adapter.store.documents import Document
from adapter.store.repository import Repository
from adapter.store.seen import seen_by
from adapter.store.sight import sight_of


@dataclass(frozen=True)
class Eyes:
    """Somebody of limited sight. `site`: what the organisation that keeps the data goes by, as `Type/id`."""

    viewer: Viewer
    site: frozenset[str]

    def on(self, repository: Repository) -> Repository:
        """The store as they may see it now."""
        return seen_by(repository, sight_of(repository.database, self.viewer, repository.clock(), self.site))

    def document(self) -> Document:
        """As the store remembers them."""
        viewer = {name: sorted(value) if isinstance(value, frozenset) else value for name, value in asdict(self.viewer).items()}
        return {"viewer": viewer, "site": sorted(self.site)}

    @staticmethod
    def of(document: Document) -> "Eyes":
        told = document["viewer"].items()
        viewer: dict[str, Any] = {name: frozenset(value) if isinstance(value, list) else value for name, value in told}
        return Eyes(Viewer(**viewer), frozenset(document["site"]))
