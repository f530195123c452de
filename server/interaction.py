"""Which of FHIR's interactions a request is, told by its method and path alone: what logs and metrics may say of it.

The names are those of http://hl7.org/fhir/R4/valueset-type-restful-interaction.html and http://hl7.org/fhir/R4/valueset-system-restful-interaction.html;
a Bundle that is posted is a `transaction`, whether it is one or a batch, and an operation goes by its own name, such as `$everything`.
"""

from functools import cache

from adapter.store.search_parameters import table
from server.fhir.operations.definition import definitions

OTHER = "other"
_PREFIX = "/fhir"
_API = "/api"
_FIXED = frozenset({"_history", "_search", "metadata", "$export-status", "$export-file"})
# T is a type, i an id or a version, $ an operation.
_INTERACTIONS = {
    "GET metadata": "capabilities",
    "POST ": "transaction",
    "GET ": "search-system",
    "POST _search": "search-system",
    "GET _history": "history-system",
    "GET T": "search-type",
    "POST T/_search": "search-type",
    "GET T/i/T": "search-type",
    "POST T/i/T/_search": "search-type",
    "GET T/i": "read",
    "GET T/i/_history/i": "vread",
    "GET T/_history": "history-type",
    "GET T/i/_history": "history-instance",
    "POST T": "create",
    "PUT T": "update",
    "PUT T/i": "update",
    "PATCH T": "patch",
    "PATCH T/i": "patch",
    "DELETE T": "delete",
    "DELETE T/i": "delete",
    "GET $export-status/i": "export-status",
    "DELETE $export-status/i": "export-cancel",
    "GET $export-file/i/i": "export-file",
}


def interaction(method: str, path: str) -> tuple[str, str]:
    """The interaction and the type it is about, such as ("read", "Patient"); "other" and "" where there is none.

    Of the case API it is the name of the route and its concept, such as ("api-read", "goal"). All come from closed lists: nothing that a
    caller makes up shows in them.
    """
    if path.startswith(_API):
        # The API is made when it is first asked for.
        from server.api.routes import named

        name, concept = named("GET" if method == "HEAD" else method, path[len(_API) :]) or (OTHER, "")
        return (f"api-{name}" if concept else OTHER), concept
    if path != _PREFIX and not path.startswith(f"{_PREFIX}/"):
        return OTHER, ""
    parts = [part for part in path[len(_PREFIX) :].split("/") if part]
    # A type stands first, and third where a compartment is searched.
    types = [part for part in parts[:3:2] if part in table()]
    about = types[-1] if types else ""
    if method == "OPTIONS":
        return "capabilities", about
    if parts and parts[-1].startswith("$"):
        return (parts[-1] if parts[-1][1:] in _operations() else OTHER), about
    shape = "/".join(part if part in _FIXED else "T" if not index % 2 and part in table() else "i" for index, part in enumerate(parts))
    return _INTERACTIONS.get(f"{'GET' if method == 'HEAD' else method} {shape}", OTHER), about


@cache
def _operations() -> frozenset[str]:
    return frozenset(definition.code for definition in definitions().values())
