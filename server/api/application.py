"""The case API as Flask and OpenAPI know it: made from the table of routes."""

from collections.abc import Callable
from functools import cache
from typing import Any

import flask
from flask_smorest import Api, Blueprint
from webargs.flaskparser import FlaskParser

from adapter.errors import UnsupportedMedia
from adapter.fhir.resource import decode
from adapter.store.repository import Repository
from adapter.store.seen import seen_by
from server.api import PREFIX, SIGHT, replies, schemas
from server.api.calls import ACTOR, REQUEST, Call
from server.api.routes import Route, routes
from server.compression import unpacked
from server.errors import PROBLEM_JSON, named
from server.fhir.sizes import check_depth
from server.front import told

MAX_BODY = 2**20
"""Bytes of a body, packed and unpacked: a record is a thousandth of it."""
_REPOSITORY = "repository"


def application(repository: Repository, max_body: int = MAX_BODY) -> flask.Flask:
    """What answers requests under /api from this repository; /api/openapi.json describes it."""
    app = flask.Flask("casebridge.api", static_folder=None)
    app.config.update(MAX_CONTENT_LENGTH=min(MAX_BODY, max_body))
    # A path with an empty part is none; it is not answered with a page that leads elsewhere.
    app.url_map.merge_slashes = False
    app.extensions[_REPOSITORY] = repository
    app.register_blueprint(_blueprint())
    app.add_url_rule(f"{PREFIX}/openapi.json", "openapi", lambda: replies.reply(document()))
    app.register_error_handler(Exception, _failed)
    return app


def _failed(error: Exception) -> flask.Response:
    found = told(named(error), for_fhir=False)
    return flask.Response(found.body, found.status, found.headers)


class _Parser(FlaskParser):
    """Reads bodies with all digits of their decimals, and leaves judging to the schemas."""

    DEFAULT_VALIDATION_STATUS = 400

    def load_json(self, req: flask.Request, schema: Any) -> Any:  # noqa: ARG002 - webargs' arguments
        if req.mimetype != replies.JSON:
            raise UnsupportedMedia(f"A body must be {replies.JSON}.")
        limit = flask.current_app.config["MAX_CONTENT_LENGTH"]
        value = decode(unpacked(req.get_data(), req.headers.get("Content-Encoding", ""), limit))
        check_depth(value)
        return value

    def load_querystring(self, req: flask.Request, schema: Any) -> Any:  # noqa: ARG002 - webargs' arguments
        return req.args


class _Blueprint(Blueprint):  # type: ignore[misc]
    ARGUMENTS_PARSER = _Parser()


class _Api(Api):  # type: ignore[misc]
    ERROR_SCHEMA = schemas.Problem


@cache
def _blueprint() -> _Blueprint:
    """The routes; which repository they answer from is the application's."""
    made = _Blueprint("api", __name__, url_prefix=PREFIX)
    for route in routes():
        made.route(route.path, methods=[route.method], endpoint=f"{route.concept}_{route.name}", tags=[route.concept])(_view(made, route))
    return made


def _view(blueprint: _Blueprint, route: Route) -> Callable[..., flask.Response]:
    def view(query: dict[str, Any], body: dict[str, Any] | None = None, **path: str) -> flask.Response:
        call = Call(_repository(), flask.request.headers, query, body or {})
        return route.handler(call, **path)

    view.__doc__ = route.summary
    answered = schemas.answer(route.answer, kept=route.kept, many=route.many) if route.answer else None
    decorated = blueprint.response(route.status, answered)(view)
    if route.body:
        decorated = blueprint.arguments(schemas.body_of(route.body), example=schemas.example(route.body))(decorated)
    decided: Callable[..., flask.Response] = blueprint.arguments(schemas.query_of(route.query), location="query")(decorated)
    return decided


def _repository() -> Repository:
    """The store as the caller sees it."""
    whole: Repository = flask.current_app.extensions[_REPOSITORY]
    sight = flask.request.environ.get(SIGHT)
    return seen_by(whole, sight) if sight else whole


_HEADERS = {
    ACTOR: "Who acts: Practitioner/<id>.",
    REQUEST: "An id of the request: the same again changes nothing.",
    "If-Match": 'The version that the change was made against, such as W/"3".',
    "If-None-Match": "* makes a record under this id, where there is none.",
}


def _header(name: str, route: Route) -> dict[str, Any]:
    required = name == ACTOR and route.method != "GET"
    return {"in": "header", "name": name, "description": _HEADERS[name], "required": required, "schema": {"type": "string"}}


@cache
def document() -> dict[str, Any]:
    """The description of the API in OpenAPI 3."""
    app = flask.Flask(__name__, static_folder=None)
    app.config.update(API_TITLE="casebridge case API", API_VERSION="1", OPENAPI_VERSION="3.0.3")
    api = _Api(app, spec_kwargs={"marshmallow_plugin": schemas.plugin()})
    api.register_blueprint(_blueprint())
    found: dict[str, Any] = api.spec.to_dict()
    for route in routes():
        operation = found["paths"][f"{PREFIX}{route.path}".replace("<", "{").replace(">", "}")][route.method.lower()]
        operation["parameters"] += [_header(name, route) for name in route.headers]
    for response in found["components"]["responses"].values():
        if replies.JSON in response.get("content", {}):
            response["content"][PROBLEM_JSON] = response["content"].pop(replies.JSON)
    return found
