"""The tables of docs/api.md: what there is under /api, from the table of routes."""

from adapter.cases.registry import RECORDS, TYPES
from adapter.casework import listing
from server.api import PREFIX
from server.api.paths import path_of
from server.api.routes import COLLECTION, Route, routes

_HEAD = "| method | path | what it answers |\n|---|---|---|"


def tables() -> dict[str, str]:
    """The generated parts of docs/api.md, by the name of their place."""
    return {"collections": _collections(), "concepts": _concepts(), "routes": _routes()}


def _collections() -> str:
    """The six routes of a concept, told once."""
    rows = [route for route in routes() if route.concept == "client" and route.name in COLLECTION]
    path = f"/{path_of('client')}"
    return "\n".join([_HEAD, *(_row(route, route.path.replace(path, "/<collection>")) for route in rows)])


def _concepts() -> str:
    head = "| collection | FHIR | filters of its list |\n|---|---|---|"
    return "\n".join([head, *(f"| `{PREFIX}/{path_of(name)}` | {_types(name)} | {_filters(name)} |" for name in RECORDS)])


def _types(concept: str) -> str:
    return ", ".join(TYPES[concept])


def _filters(concept: str) -> str:
    return " ".join(f"`{name}`" for name in listing.filters(concept))


def _routes() -> str:
    return "\n".join([_HEAD, *(_row(route, route.path) for route in routes() if route.name not in COLLECTION)])


def _row(route: Route, path: str) -> str:
    return f"| {route.method} | `{PREFIX}{path}` | {route.summary} |"
