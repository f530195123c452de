"""The FHIR endpoint, whole: what is answered to which method and path under /fhir."""

from collections.abc import Callable
from pathlib import Path

from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule

from adapter.store.repository import Repository
from adapter.store.seen import seen_by
from server.audit.access import asks
from server.errors import of_http
from server.fhir import bundles, capability, exports, headers, history, interactions, searches
from server.fhir.messages import Answer, Request
from server.fhir.operations import registry

Handler = Callable[..., Answer]


def endpoint(
    repository: Repository, exported: Path, *, cors: bool = False, integrity: bool = False, gated: bool = False
) -> Callable[[Request], Answer]:
    """The function that answers a request from this repository, or raises a CasebridgeError.

    The files of exports are below `exported`; metadata tells of `cors` and `integrity`, and whether callers are asked
    who they are (`gated`).
    """
    since, served = repository.clock(), exports.Served(exported)
    statement = capability.statement(since, cors=cors, integrity=integrity, gated=gated)

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
        ("GET", f"/{exports.STATUS}/<export>", served.status),
        ("DELETE", f"/{exports.STATUS}/<export>", served.cancel),
        ("GET", f"/{exports.FILE}/<export>/<name>", served.file),
        ("GET", "/$<operation>", registry.on_system),
        ("POST", "/$<operation>", registry.on_system),
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
        if request.method == "OPTIONS":
            headers.check_accept(request)
            return metadata(request, repository)
        try:
            handler, names = paths.match(f"/{request.path.strip('/')}", request.method)
        except HTTPException as error:
            raise of_http(error) from None
        if handler != served.file:
            headers.check_accept(request)
        asks(request)
        interactions.check_granted(request)
        seen = repository if request.sight is None else seen_by(repository, request.sight)
        found: Answer = handler(request, seen, **names)
        return found

    return answer
