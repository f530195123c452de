"""What a reference is called on a page: a person's name, an organisation's, a condition's words."""

from adapter.cases.headline import headline
from adapter.cases.record import Fields
from adapter.mapping.registry import mapping_for
from adapter.store.repository import Repository
from adapter.store.resolving import resolve


def full_name(fields: Fields) -> str:
    """A person's name as it is said, the usual one first; their own word for themselves comes before the official one."""
    order = {"usual": 0, "nickname": 1, "official": 2}
    names = sorted(fields.get("names", ()), key=lambda name: order.get(name.get("use", ""), 3))
    if not names:
        return str(fields.get("name", "No name"))
    first = names[0]
    return str(first.get("text") or " ".join([*first.get("given", ()), first.get("family", "")]).strip() or "No name")


class Names:
    """Looks each reference up once."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._known: dict[str, str] = {}

    def of(self, reference: str | None) -> str:
        """The name of what a reference points to; the reference itself where that is not here."""
        if not reference:
            return "nobody"
        if reference not in self._known:
            self._known[reference] = self._look(reference)
        return self._known[reference]

    def _look(self, reference: str) -> str:
        stored = resolve(self._repository, reference)
        if stored is None or stored.deleted:
            return reference
        fields = stored.record
        if "names" in fields or "name" in fields:
            return full_name(fields)
        mapping = mapping_for(stored.raw)
        return headline(mapping.concept, fields) if mapping else reference
