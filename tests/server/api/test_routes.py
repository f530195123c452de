"""Every route of the table answers, is described, and goes by its name in logs and metrics."""

import json
from urllib.parse import urlencode

import pytest

from adapter.care.questionnaire import canonical
from adapter.casework.measures import definitions
from server.api import schemas
from server.api.application import document
from server.api.routes import COLLECTION, Route, routes
from server.interaction import interaction

from .conftest import DANA, case, problem
from .test_instruments import FINDINGS
from .test_insurance import INSURANCE
from .test_planning import PLANNING
from .test_referrals import HANDING_ON

every_route = pytest.mark.parametrize("route", routes(), ids=lambda route: f"{route.method} {route.path}")
METHODS = ("get", "post", "put", "delete")
# Where an example would break a rule, or names what is not here.
BODIES = {
    ("case", "create"): case(managing_organization="Organization/clinic", case_number="N-2"),
    ("case", "replace"): case(managing_organization="Organization/clinic", case_number="N-3"),
    ("case", "transit"): {"to": "screening"},
    ("case", "follow"): {"models": [{"model": "brokerage", "primary": True}]},
    ("screening", "preview"): {"instrument": f"{canonical('phq9')}|1"},
}
INSTANCES = {"instrument": "phq9", "measure": next(iter(definitions()))}
QUERIES = {
    "proposal": {"instrument": "charlson"},
    "worklist": {"case_manager": DANA},
    "directory": {"kind": "service"},
    "measure": {"start": "2025-01-01", "end": "2025-12-31"},
}
# What needs more than an example to come first is asked in tests of its own.
GLASS = frozenset((route.concept, route.name) for route in routes() if route.path.startswith("/glass"))
ELSEWHERE = PLANNING | FINDINGS | INSURANCE | HANDING_ON | GLASS


def test_no_two_routes_have_one_name_or_one_place():
    assert len({(route.name, route.concept) for route in routes()}) == len(routes())
    assert len({(route.method, route.path) for route in routes()}) == len(routes())


@every_route
def test_a_route_has_a_summary_and_a_name_in_logs(route: Route):
    assert route.summary.endswith(".")
    path = f"/api{route.path}".replace("<", "").replace(">", "")
    assert interaction(route.method, path) == (f"api-{route.name}", route.concept)
    assert interaction("HEAD", path) == (interaction("GET", path) if route.method == "GET" else interaction("HEAD", path))


@pytest.mark.parametrize(
    "path", ["/api", "/api/", "/apis/goals", "/api/kanarifugls", "/api/goals/1/2/3", "/api/goals/", "/api/goals//history"]
)
def test_what_is_no_route_has_no_name_and_is_not_found(api, path):
    assert interaction("GET", path) == ("other", "")
    problem(api.client.get(path), 404)


def test_the_description_has_every_route_and_nothing_else():
    found = {(method.upper(), path) for path, item in document()["paths"].items() for method in item if method in METHODS}
    assert found == {(route.method, f"/api{route.path}".replace("<", "{").replace(">", "}")) for route in routes()}


def test_the_description_is_what_is_served_and_all_its_references_lead_somewhere(api):
    served = api.get("openapi.json")
    assert served == json.loads(json.dumps(document()))
    text = json.dumps(served)
    wanted = {part.split('"')[0] for part in text.split('"$ref": "#/components/')[1:]}
    assert wanted <= {f"{kind}/{name}" for kind, several in served["components"].items() for name in several}


def test_the_description_has_the_headers_and_parameters_of_each_route():
    paths = document()["paths"]

    def of(path, method):
        return {each["name"]: each["required"] for each in paths[f"/api/{path}"][method]["parameters"] if each["in"] != "path"}

    assert of("goals/{id}", "put") == {"Casebridge-Actor": True, "If-Match": False, "If-None-Match": False}
    assert of("worklists/{kind}", "get") == {"case_manager": False, "Casebridge-Actor": False}
    assert of("cases/{id}/transitions", "post") == {"Casebridge-Actor": True, "Idempotency-Key": False}
    assert {"client", "case", "lifecycle", "limit", "cursor", "updated_since"} <= of("goals", "get").keys()


def test_the_description_says_of_errors_that_they_are_problems():
    answers = document()["components"]["responses"].values()
    assert {kind for answer in answers for kind in answer["content"]} == {"application/problem+json"}


@pytest.mark.parametrize("route", [route for route in routes() if route.body], ids=lambda route: f"{route.method} {route.path}")
def test_the_example_of_a_body_is_one_that_is_taken(route: Route):
    whole = schemas.example(route.body)
    assert schemas.body_of(route.body)().load(whole) == whole


@pytest.fixture
def at(api, alma):
    """The paths with ids of what is there: made by examples where a case or people do not come first."""
    made = {"client": alma, "case": api.create("cases", case())["meta"]["reference"], "case_manager": DANA}
    return api, made


@pytest.mark.parametrize("concept", sorted({route.concept for route in routes()}))
def test_every_route_answers_what_it_says(at, concept):
    """One after the other, as they stand in the table: what is created is read, replaced and deleted. A body is its route's example."""
    api, made = at
    for route in routes():
        if route.concept == concept and (route.concept, route.name) not in ELSEWHERE:
            _answers(api, made, route)


def _answers(api, made, route):
    body = _local(schemas.example(route.body), made) if route.body else None
    own = made.get(f"own {route.concept}") if route.name in COLLECTION else made.get(route.concept)
    path = route.path.replace("<id>", INSTANCES.get(route.name, (own or "").partition("/")[2])).replace("<kind>", "due")[1:]
    headers = {"If_Match": f'W/"{api.get(path)["meta"]["version"]}"'} if route.name in ("replace", "delete") else {}
    asked = urlencode(QUERIES.get(route.name, {}))
    if route.name == "trace":
        task = {"client": made["client"], "case": made["case"], "status": "requested", "intent": "order"}
        asked = urlencode({"element": api.create("tasks", task)["meta"]["reference"]})
    answer = api.send(route.method, f"{path}?{asked}", BODIES.get((route.concept, route.name), body), **headers)
    assert answer.status_code == route.status, answer.text
    if route.name == "create":
        made[f"own {route.concept}"] = answer.json["meta"]["reference"]
        for name in {"client", "case", "case_manager"} & answer.json.keys():
            assert answer.json in api.get(f"{path}?{name}={answer.json[name]}")["items"]


def _local(value, made):
    """The example with references to the people and the case that are there."""
    if isinstance(value, dict):
        return {name: _local(item, made) for name, item in value.items()}
    if isinstance(value, list):
        return [_local(item, made) for item in value]
    return {"Patient/1": made["client"], "EpisodeOfCare/1": made["case"], "Practitioner/1": made["case_manager"]}.get(str(value), value)
