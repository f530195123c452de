"""The FHIR endpoint, whole: what is answered to which method and path under /fhir."""

from collections.abc import Callable

from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule

from adapter.fhir.resource import dumps
from adapter.store.repository import Repository
from server.errors import of_http
from server.fhir import bundles, capability, headers, interactions
from server.fhir.messages import Answer, Request

Handler = Callable[..., Answer]


def endpoint(repository: Repository) -> Callable[[Request], Answer]:
    """The function that answers a request from this repository, or raises a CasebridgeError."""
    statement = capability.statement(repository.clock())

    def metadata(request: Request, _: Repository) -> Answer:
        return Answer(200, dumps({**statement, "implementation": {"description": "casebridge", "url": request.base}}))

    def submit(request: Request, repository: Repository) -> Answer:
        return bundles.submit(request, repository, answer)

    table: tuple[tuple[str, str, Handler], ...] = (
        ("GET", "/metadata", metadata),
        ("POST", "/", submit),
        ("GET", "/_history", interactions.history_system),
        ("GET", "/<type>", interactions.find),
        ("POST", "/<type>/_search", interactions.find),
        ("POST", "/<type>", interactions.create),
        ("GET", "/<type>/_history", interactions.history_type),
        ("GET", "/<type>/<id>", interactions.read),
        ("PUT", "/<type>/<id>", interactions.update),
        ("DELETE", "/<type>/<id>", interactions.delete),
        ("GET", "/<type>/<id>/_history", interactions.history_instance),
        ("GET", "/<type>/<id>/_history/<version>", interactions.vread),
    )
    paths = Map([Rule(path, methods=[method], endpoint=handler) for method, path, handler in table], merge_slashes=False).bind("casebridge")

    def answer(request: Request) -> Answer:
        headers.check_accept(request)
        try:
            handler, names = paths.match(f"/{request.path.strip('/')}", request.method)
        except HTTPException as error:
            raise of_http(error) from None
        found: Answer = handler(request, repository, **names)
        return found

    return answer
