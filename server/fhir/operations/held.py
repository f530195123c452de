"""The resources that are known by a canonical url: those stored here, and what casebridge itself publishes."""

from adapter.errors import NotFound
from adapter.fhir.resource import Raw, parse
from adapter.ig.package import published
from adapter.store import query, search
from adapter.store.repository import Repository


def by_url(repository: Repository, type: str, canonical: str, version: str | None = None) -> Raw | None:
    """The resource of this url, and of this version where one is named (`|version` at its end does too); else the one changed last."""
    url, _, inside = canonical.partition("|")
    found = every(repository, type, [("url", url), *([("version", version or inside)] if version or inside else [])], count=1)
    if found:
        return found[0]
    ours = published().get(url)
    return ours if ours and ours["resourceType"] == type and (version or inside) in (None, "", ours.get("version")) else None


def get(repository: Repository, type: str, canonical: str, version: str | None = None) -> Raw:
    """Like `by_url`. Raises NotFound, which does not name what the caller asked for."""
    found = by_url(repository, type, canonical, version)
    if found is None:
        raise NotFound(f"No {type} of this url and version is held here.")
    return found


def every(repository: Repository, type: str, params: list[tuple[str, str]], *, count: int = query.MAX_COUNT) -> list[Raw]:
    """The resources that exact values of search parameters find, changed last first."""
    repository.collection(type)
    escaped = [(name, _escaped(value)) for name, value in params]
    asked = query.parse(type, [*escaped, ("_sort", "-_lastUpdated"), ("_count", str(count))])
    return [parse(row.text) for row in search.run(repository.database, asked).rows]


def _escaped(value: str) -> str:
    for mark in "\\,$|":
        value = value.replace(mark, f"\\{mark}")
    return value
