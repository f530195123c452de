"""`$payer-packet` as a payer asks it, and as somebody asks who should get nothing."""

import json

import pytest

from adapter.access.viewer import Viewer
from adapter.errors import CasebridgeError, Forbidden, Invalid, NotApplicable
from adapter.fhir.outcome import outcome
from adapter.fhir.resource import check_structure
from adapter.store.repository import Repository
from adapter.store.sight import sight_of
from server.auth.grant import Grant
from server.errors import MethodNotAllowed
from server.fhir.messages import Request
from server.fhir.routes import endpoint
from tests.packet.scene import BORN, INSURER, MEMBER, NOON, SEEN, change, coverage, filled, to

BASE = "http://test/fhir"
OTHER = Viewer("insurer-reader", frozenset(("Organization/other",)), "HPAYMT")
RIVER = {"resourceType": "Patient", "name": [{"family": "Kanarifugl"}], "birthDate": BORN}
COVER = {"resourceType": "Coverage", "identifier": [MEMBER], **coverage("x", "ins")}
IDENTITY = [{"name": "MemberPatient", "resource": RIVER}, {"name": "CoverageToMatch", "resource": COVER}]
BY_REFERENCE = [{"name": "patient", "valueReference": to("Patient/river")}]
YEAR = {"name": "period", "valuePeriod": {"start": "2025-01-01", "end": "2025"}}


@pytest.fixture
def repository(database):
    return filled(Repository(database, clock=lambda: NOON))


@pytest.fixture
def ask(repository, tmp_path):
    """Asks as a viewer: the answer, or the error."""
    answer = endpoint(repository, tmp_path)

    def ask(parameters, *, viewer=INSURER, scope="system/*.rs", method="POST", path="$payer-packet", body=None):
        sight = sight_of(repository.database, viewer, NOON)
        given = body or {"resourceType": "Parameters", "parameter": parameters}
        headers = {"content-type": "application/fhir+json"}
        try:
            return answer(Request(method, path, BASE, (), headers, given, sight=sight, grant=Grant.of(scope)))
        except CasebridgeError as error:
            return error

    return ask


def account(answer):
    assert not isinstance(answer, CasebridgeError), answer.text
    found = json.loads(answer.text)
    check_structure(found)
    return {name: [each for each in found["parameter"] if each["name"] == name] for name in {each["name"] for each in found["parameter"]}}


def held(bundle):
    return {f"{entry['resource']['resourceType']}/{entry['resource']['id']}" for entry in bundle["entry"]}


@pytest.mark.parametrize("named", [IDENTITY, BY_REFERENCE], ids=["identity", "reference"])
def test_a_payer_gets_its_member_s_packet_with_the_account_of_it(ask, named):
    """A-09"""
    told = account(ask([*named, YEAR, {"name": "purpose", "valueCode": "HPAYMT"}]))
    assert held(told["packet"][0]["resource"]) == SEEN
    assert told["member"][0]["valueReference"] == to("Patient/river")
    assert told["coverage"][0]["valueReference"] == to("Coverage/cover")
    assert len(told["decision"]) == 3
    assert {part["part"][0]["valueCode"] for part in told["withheld"]} == {"type", "not-shown", "element", "consent", "sensitive"}


def test_it_comes_as_a_transaction_or_line_by_line(ask):
    form = {"name": "form", "valueCode": "transaction"}
    found = account(ask([*BY_REFERENCE, YEAR, form]))["packet"][0]["resource"]
    assert (found["type"], len(found["entry"])) == ("transaction", len(SEEN))
    answer = ask([*BY_REFERENCE, YEAR, {"name": "form", "valueCode": "ndjson"}])
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/fhir+ndjson")
    first, *lines = map(json.loads, b"".join(answer.stream.pieces).splitlines())
    assert first["resourceType"] == "Parameters"
    assert {f"{line['resourceType']}/{line['id']}" for line in lines} == SEEN


def refused(answer):
    assert isinstance(answer, NotApplicable), answer
    return json.dumps(outcome(answer))


def test_to_who_may_have_nothing_all_members_are_nobody(ask):
    """Another payer's member, by reference and by identity, one who is not here, and one's own under another name."""
    nobody = [{"name": "patient", "valueReference": to("Patient/nobody")}]
    stranger = [IDENTITY[0] | {"resource": {**RIVER, "birthDate": "1980-01-02"}}, IDENTITY[1]]
    asked = [ask(IDENTITY, viewer=OTHER), ask(BY_REFERENCE, viewer=OTHER), ask(nobody, viewer=OTHER), ask(nobody), ask(stranger)]
    assert len(set(map(refused, asked))) == 1


def test_who_has_no_cover_any_more_or_not_yet_gets_nothing(ask, repository):
    for version, period in enumerate(({"end": "2025-04-21"}, {"start": "2025-04-23"}), start=1):
        repository.commit([change("Coverage/cover", coverage("river", "ins", identifier=[MEMBER], period=period), version)])
        assert len({refused(ask(BY_REFERENCE)), refused(ask(IDENTITY)), refused(ask(BY_REFERENCE, viewer=OTHER))}) == 1


def test_a_time_before_the_cover_is_refused_and_one_that_reaches_out_of_it_is_cut(ask):
    before = {"name": "period", "valuePeriod": {"start": "2019", "end": "2020"}}
    assert "cover" in refused(ask([*BY_REFERENCE, before]))
    told = account(ask([*BY_REFERENCE, before | {"valuePeriod": {"start": "2019", "end": "2024-06"}}]))
    assert [each["valuePeriod"]["start"] for each in told["period"]] == ["2024-01-01T00:00:00.000Z"]
    assert "CarePlan/before" not in held(told["packet"][0]["resource"])


@pytest.mark.parametrize("scope", ["system/CarePlan.rs", "system/*.r", "system/*.s", "system/*.rs?status=active", "patient/*.rs", "openid"])
def test_a_narrower_scope_is_not_enough(ask, scope):
    assert isinstance(ask(BY_REFERENCE, scope=scope), Forbidden)


def test_another_purpose_than_the_caller_s_is_refused(ask):
    assert isinstance(ask([*BY_REFERENCE, {"name": "purpose", "valueCode": "HMARKT"}]), Forbidden)


@pytest.mark.parametrize(
    "parameters",
    [
        [],
        [IDENTITY[0]],
        [IDENTITY[1]],
        [*IDENTITY, *BY_REFERENCE],
        [{"name": "patient", "valueReference": to("Group/1")}],
        [{"name": "patient", "valueReference": {"display": "Kanarifugl"}}],
        [IDENTITY[0] | {"resource": {**RIVER, "name": "Kanarifugl"}}, IDENTITY[1]],
        [*BY_REFERENCE, {"name": "form", "valueCode": "document"}],
        [*BY_REFERENCE, {"name": "period", "valuePeriod": {"start": "2025-02", "end": "2025-01"}}],
        [*BY_REFERENCE, {"name": "period", "valuePeriod": {"start": "soon"}}],
        [*BY_REFERENCE, {"name": "stranger", "valueString": "Kanarifugl"}],
    ],
)
def test_what_is_malformed_is_refused(ask, parameters):
    assert isinstance(ask(parameters), Invalid)


def test_a_member_is_not_named_in_an_address(ask):
    assert isinstance(ask([], method="GET"), MethodNotAllowed)


def test_in_a_batch_a_packet_is_a_resource_and_lines_are_refused(ask):
    def entry(form):
        parameters = {"resourceType": "Parameters", "parameter": [*BY_REFERENCE, {"name": "form", "valueCode": form}]}
        return {"resource": parameters, "request": {"method": "POST", "url": "$payer-packet"}}

    batch = {"resourceType": "Bundle", "type": "batch", "entry": [entry("searchset"), entry("ndjson")]}
    one, two = json.loads(ask([], path="", body=batch).text)["entry"]
    assert (one["response"]["status"][:3], one["resource"]["resourceType"]) == ("200", "Parameters")
    assert two["response"]["status"][:3] == "400"


def test_where_nobody_is_asked_who_they_are_it_holds_everything(repository, tmp_path):
    request = Request(
        "POST",
        "$payer-packet",
        BASE,
        (),
        {"content-type": "application/fhir+json"},
        {"resourceType": "Parameters", "parameter": BY_REFERENCE},
    )
    told = account(endpoint(repository, tmp_path)(request))
    assert "withheld" not in told
    assert {"CarePlan/before", "Condition/low"} <= held(told["packet"][0]["resource"])
