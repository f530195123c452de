"""The FHIR endpoint, whole: what is answered to which method and path under /fhir."""

from collections.abc import Callable

from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule

from adapter.store.repository import Repository
from server.errors import of_http
from server.fhir import bundles, capability, headers, history, interactions, searches
from server.fhir.messages import Answer, Request
from server.fhir.operations import registry

Handler = Callable[..., Answer]


def endpoint(repository: Repository, *, cors: bool = False, integrity: bool = False) -> Callable[[Request], Answer]:
    """The function that answers a request from this repository, or raises a CasebridgeError; metadata tells of `cors` and `integrity`."""
    since = repository.clock()
    statement = capability.statement(since, cors=cors, integrity=integrity)

    def metadata(request: Request, _: Repository) -> Answer:
        return capability.read(request, statement, since)

    def submit(request: Request, repository: Repository) -> Answer:
        return bundles.submit(request, repository, answer)

    table: tuple[tuple[str, str, Handler], ...] = (
        ("GET", "/metadata", metadata),
        ("POST", "/", submit),
        ("GET", "/_history", history.of_system),
        ("GET", "/", searches.of_system),
        ("POST", "/_search", searches.of_system),
        ("GET", "/<type>", searches.of_type),
        ("POST", "/<type>/_search", searches.of_type),
        ("GET", "/<owner>/<id>/<type>", searches.of_compartment),
        ("POST", "/<owner>/<id>/<type>/_search", searches.of_compartment),
        ("POST", "/<type>", interactions.write),
        ("PUT", "/<type>", interactions.write),
        ("PATCH", "/<type>", interactions.write),
        ("DELETE", "/<type>", interactions.write),
        ("GET", "/<type>/_history", history.of_type),
        ("GET", "/<type>/<id>", registry.read_definition),
        ("PUT", "/<type>/<id>", interactions.write),
        ("PATCH", "/<type>/<id>", interactions.write),
        ("DELETE", "/<type>/<id>", interactions.write),
        ("GET", "/<type>/<id>/_history", history.of_instance),
        ("GET", "/<type>/<id>/_history/<version>", interactions.vread),
        ("GET", "/<type>/$<operation>", registry.on_type),
        ("POST", "/<type>/$<operation>", registry.on_type),
        ("GET", "/<type>/<id>/$<operation>", registry.on_instance),
        ("POST", "/<type>/<id>/$<operation>", registry.on_instance),
    )
    paths = Map([Rule(path, methods=[method], endpoint=handler) for method, path, handler in table], merge_slashes=False).bind("casebridge")

    def answer(request: Request) -> Answer:
        headers.check_accept(request)
        if request.method == "OPTIONS":
            return metadata(request, repository)
        try:
            handler, names = paths.match(f"/{request.path.strip('/')}", request.method)
        except HTTPException as error:
            raise of_http(error) from None
        found: Answer = handler(request, repository, **names)
        return found

    return answer
