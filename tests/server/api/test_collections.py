"""The collections of the case API: read what was written, and write only what was read."""

import pytest

from adapter.cases.registry import RECORDS
from adapter.casework import listing
from server.api import schemas
from server.api.paths import concept_of, path_of

from .conftest import DANA, SAM, case, new_client, person, problem

GOAL = {"client": "Patient/alma", "lifecycle": "active", "description": "Kanarifugl walks 100 m"}


def test_what_is_created_is_read_again(api, alma):
    made = api.create("goals", GOAL)
    answer = api.send("GET", f"goals/{made['id']}")
    assert answer.json == made == {"id": made["id"], "meta": made["meta"], **GOAL}
    assert made["meta"]["reference"] == f"Goal/{made['id']}"
    assert (answer.headers["ETag"], answer.headers["Cache-Control"]) == ('W/"1"', "no-store")


def test_a_creation_tells_where_it_is(api, alma):
    answer = api.send("POST", "goals", GOAL)
    assert answer.headers["Location"] == f"/api/goals/{answer.json['id']}"
    assert api.client.get(answer.headers["Location"]).json == answer.json


def test_who_has_the_version_is_not_told_it_again(api, alma):
    made = api.create("goals", GOAL)
    assert api.send("GET", f"goals/{made['id']}", If_None_Match='W/"1"').status_code == 304
    assert api.send("GET", f"goals/{made['id']}", If_None_Match='W/"2"').status_code == 200


def test_what_was_read_can_be_written_back(api, alma):
    made = api.create("goals", GOAL)
    changed = api.put(f"goals/{made['id']}", {**made, "priority": "high"}).json
    assert (changed["priority"], changed["meta"]["version"]) == ("high", 2)


def test_of_two_who_read_one_version_the_second_is_told_to_look_again(api, alma):
    """S-05"""
    made = api.create("goals", GOAL)
    assert api.put(f"goals/{made['id']}", {**made, "priority": "high"}).status_code == 200
    problem(api.as_(SAM).put(f"goals/{made['id']}", {**made, "priority": "low"}), 412)
    assert api.get(f"goals/{made['id']}")["priority"] == "high"


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
@pytest.mark.parametrize("condition", [{}, {"If_Match": "*"}, {"If_Match": "Kanarifugl"}])
def test_a_change_names_its_version(api, alma, method, condition):
    made = api.create("goals", GOAL)
    problem(api.send(method, f"goals/{made['id']}", GOAL if method == "PUT" else None, **condition), 428)


def test_a_field_that_is_left_out_is_taken_away(api, alma):
    made = api.create("goals", {**GOAL, "priority": "high"})
    assert "priority" not in api.put(f"goals/{made['id']}", GOAL, version=1).json


def test_what_is_deleted_is_gone_and_its_versions_stay(api, alma):
    made = api.create("goals", GOAL)
    problem(api.send("DELETE", f"goals/{made['id']}", If_Match='W/"7"'), 412)
    assert api.send("DELETE", f"goals/{made['id']}", If_Match='W/"1"').status_code == 204
    problem(api.send("GET", f"goals/{made['id']}"), 410)
    last, first = api.get(f"goals/{made['id']}/history")["items"]
    assert (last["meta"]["deleted"], last["meta"]["version"], first["description"]) == (True, 2, GOAL["description"])


def test_every_version_says_who_made_it(api, alma):
    """C-03, C-07"""
    made = api.create("goals", GOAL)
    for number, priority in enumerate(("high", "medium", "low"), start=1):
        assert api.as_(SAM).put(f"goals/{made['id']}", {**GOAL, "priority": priority}, version=number).status_code == 200
    versions = api.get(f"goals/{made['id']}/history")["items"]
    assert [version["meta"]["version"] for version in versions] == [4, 3, 2, 1]
    assert [version["meta"]["by"] for version in versions] == [SAM, SAM, SAM, DANA]
    assert [version.get("priority") for version in versions] == ["low", "medium", "high", None]


def test_a_case_manager_s_two_faces_are_one_record_with_one_history(api):
    """A-01"""
    dana = api.get("case-managers/dana")
    assert (dana["discipline"], dana["names"][0]["given"]) == ("nurse", ["dana"])
    changed = api.put("case-managers/dana", {**dana, "caseload_limit": 12}).json
    assert (changed["caseload_limit"], changed["meta"]["version"]) == (12, dana["meta"]["version"] + 1)
    assert [version["meta"]["version"] for version in api.get("case-managers/dana/history")["items"]] == [3, 2]
    [listed] = [row for row in api.get("case-managers")["items"] if row["id"] == "dana"]
    assert listed == changed


def test_an_unknown_discipline_is_refused(api):
    """A-01"""
    told = problem(api.send("POST", "case-managers", person("x", discipline="astrologer")), 400)
    assert [error["path"] for error in told["errors"]] == ["discipline"]


def test_a_field_that_does_not_exist_is_an_error_that_says_which_is_meant(api, alma):
    told = problem(api.send("POST", "goals", {**GOAL, "prioriti": "high"}), 400)
    assert told["errors"] == [{"path": "goal", "reason": "has a field that does not exist (is priority meant?)"}]


def test_every_mistake_is_told_at_once_and_no_value_with_it(api, alma):
    told = problem(api.send("POST", "goals", {"client": "Kanarifugl", "lifecycle": "Kanarifugl", "targets": [{"due": "Kanarifugl"}]}), 400)
    assert [error["path"] for error in told["errors"]] == ["client", "lifecycle", "targets[0].due", "description"]


@pytest.mark.parametrize(
    ("body", "kind", "status"), [("[]", "application/json", 400), ("{", "application/json", 400), ("{}", "text/plain", 415)]
)
def test_what_is_no_json_object_is_refused(api, body, kind, status):
    problem(api.send("POST", "goals", body, Content_Type=kind), status)


def test_decimals_keep_their_digits_both_ways(api, alma):
    text = (
        '{"client": "Patient/alma", "status": "final", "code": {"text": "weight"}, "value": {"quantity": {"value": 72.50, "unit": "kg"}}}'
    )
    made = api.create("measurements", text)
    assert '"value":72.50' in api.send("GET", f"measurements/{made['id']}").text


def test_who_writes_says_who_they_are(api, alma):
    problem(api.as_(None).send("POST", "goals", GOAL), 401)
    problem(api.as_("Practitioner/nobody").send("POST", "goals", GOAL), 400)


def test_the_first_case_manager_registers_and_nobody_else_in_another_s_name(client):
    from .conftest import CaseApi

    api = CaseApi(client)
    problem(api.send("PUT", "case-managers/sam", person("sam"), If_None_Match="*"), 400)
    api.put_new("case-managers/dana", person("dana"))
    problem(api.send("PUT", "case-managers/dana", person("dana"), If_None_Match="*"), 412)


def test_the_same_request_makes_one_record(api, alma):
    first = api.create("goals", GOAL, Idempotency_Key="k1")
    again = api.send("POST", "goals", GOAL, Idempotency_Key="k1")
    assert (again.status_code, again.json) == (200, first)
    told = problem(api.send("POST", "goals", {**GOAL, "priority": "low"}, Idempotency_Key="k1"), 422)
    assert told["rule"] == "request_reused"
    assert len(api.get("goals?client=Patient/alma")["items"]) == 1


def test_the_same_request_opens_one_case(api, alma):
    first = api.create("cases", case(), Idempotency_Key="k1")
    assert api.send("POST", "cases", case(), Idempotency_Key="k1").json == first


def test_what_follows_from_the_process_is_not_written(api, alma):
    """C-02"""
    told = problem(api.send("POST", "cases", case(step="closed")), 422)
    assert (told["rule"], [error["path"] for error in told["errors"]]) == ("made_elsewhere", ["step"])
    made = api.create("cases", case())
    problem(api.put(f"cases/{made['id']}", {**made, "step": "closed"}), 422)
    problem(api.put(f"cases/{made['id']}", {**made, "case_manager": SAM}), 422)
    kept = api.put(f"cases/{made['id']}", case(setting_type="hospital"), version=1).json
    assert (kept["step"], kept["setting_type"], kept["status_history"]) == ("referred", "hospital", made["status_history"])


def test_a_list_is_of_one_concept_filtered_by_its_fields(api, alma):
    other = new_client(api, "river")
    goals = [
        api.create("goals", {**GOAL, "client": client, "lifecycle": state}) for client in (alma, other) for state in ("active", "planned")
    ]
    assert api.get("goals")["items"] == goals
    assert api.get(f"goals?client={other}")["items"] == goals[2:]
    assert api.get("goals?lifecycle=active")["items"] == [goals[0], goals[2]]
    assert api.get(f"goals?client={alma}&lifecycle=planned")["items"] == [goals[1]]
    assert api.get(f"goals?updated_since={goals[2]['meta']['updated']}")["items"] == goals[2:]


def test_a_list_of_a_case_has_the_records_of_that_case(api, alma):
    first = api.create("cases", case())
    second = api.create("cases", case(managing_organization="Organization/clinic", case_number="N-2"))
    task = {"client": alma, "status": "requested", "intent": "order"}
    mine = [api.create("tasks", {**task, "case": made["meta"]["reference"]}) for made in (first, second)]
    assert api.get(f"tasks?case={second['meta']['reference']}")["items"] == mine[1:]
    assert api.get("tasks?case=EpisodeOfCare/none")["items"] == []
    assert api.get(f"cases?case_manager={DANA}&managing_organization=Organization/clinic")["items"] == [second]


def test_pages_are_stable_while_others_write(api, alma):
    made = [api.create("goals", GOAL)["id"] for _ in range(7)]
    seen, cursor = [], ""
    while True:
        page = api.get(f"goals?limit=3{cursor}")
        seen += [row["id"] for row in page["items"]]
        if "cursor" not in page:
            break
        cursor = f"&cursor={page['cursor']}"
        if len(made) < 9:
            made.append(api.create("goals", GOAL)["id"])
    assert seen == made


def test_a_page_that_a_filter_leaves_short_has_a_next(api, alma, monkeypatch):
    monkeypatch.setattr(listing, "_LOOKED_AT", 3)
    made = [api.create("goals", {**GOAL, "lifecycle": "active" if number in (0, 5) else "planned"})["id"] for number in range(7)]
    first = api.get("goals?lifecycle=active")
    assert ([row["id"] for row in first["items"]], "cursor" in first) == (made[:1], True)
    second = api.get(f"goals?lifecycle=active&cursor={first['cursor']}")
    assert ([row["id"] for row in second["items"]], "cursor" in second) == (made[5:6], True)
    assert api.get(f"goals?lifecycle=active&cursor={second['cursor']}") == {"items": []}


def test_a_list_over_two_types_has_all_of_both(api):
    kinds = [("insurer", {"name": "Kanarifugl Health"}), ("physician", {"names": [{"family": "Kanarifugl"}]})] * 3
    made = [api.create("stakeholders", {"kind": kind, **more})["id"] for kind, more in kinds]
    seen, cursor = [], ""
    while True:
        page = api.get(f"stakeholders?limit=2{cursor}")
        seen += [row["id"] for row in page["items"]]
        if "cursor" not in page:
            break
        cursor = f"&cursor={page['cursor']}"
    assert sorted(seen) == sorted(made)


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=x", "status=Kanarifugl", "kanarifugl=1", "client=1", "limit=1&limit=2"])
def test_a_parameter_that_is_none_is_refused(api, query):
    problem(api.send("GET", f"tasks?{query}"), 400)


@pytest.mark.parametrize("cursor", ["x", "Goal.x", "Task.WyJfbGFzdFVwZGF0ZWQiLCBbIjIwMjUtMDEtMDEiXSwgIngiXQ", "Task."])
def test_a_cursor_of_another_list_is_refused(api, cursor):
    problem(api.send("GET", f"tasks?cursor={cursor}"), 400)


@pytest.mark.parametrize("concept", RECORDS)
def test_every_concept_has_a_path_and_a_whole_example(concept):
    assert concept_of(path_of(concept)) == concept
    whole = schemas.example(RECORDS[concept])
    assert schemas.body_of(RECORDS[concept])().load(whole) == whole
    assert not set(schemas.ABOUT) & set(RECORDS[concept].keys())


def test_what_is_not_there_is_not_found(api):
    problem(api.send("GET", "goals/none"), 404)
    problem(api.send("GET", "kanarifugls"), 404)
    problem(api.send("PATCH", "goals/none"), 405)
    problem(api.send("GET", "goals/none/history"), 404)


def test_a_body_is_of_a_size(api):
    problem(api.send("POST", "goals", b" " * (2**20 + 1)), 413)


NUMBERS = ["9" * 40, "0." + "3" * 40, "1E+400", "1E-400", "9223372036854775808", "2147483647", "1E+2", "0.10", "-3.1400"]


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("type", ["integer", "decimal"])
def test_a_number_is_kept_with_its_digits_or_refused(api, alma, number, type):
    """In a field that only the record has, and in one that FHIR has."""
    given = f'"inputs": [{{"name": "age", "value": {{"{type}": {number}}}}}]'
    computed = '{"client": "Patient/alma", "status": "final", "instrument_results": [{"instrument": "lace", ' + given + "}]}"
    measured = f'{{"client": "Patient/alma", "status": "final", "code": {{"text": "x"}}, "value": {{"{type}": {number}}}}}'
    for path, text in (("risk-evaluations", computed), ("measurements", measured)):
        made = api.send("POST", path, text)
        assert made.status_code in (201, 400), made.text
        if made.status_code == 201:
            assert f'"{type}":{number}' in api.send("GET", f"{path}/{made.json['id']}").text


NO_DATES = ["2025-02-30", "0000-01-01", "2025-04-22T09:00:60Z", "2025-13", "2025-04-22T09:00", "2025-04-22 09:00:00Z"]


@pytest.mark.parametrize("text", NO_DATES)
def test_a_date_that_no_calendar_has_is_refused(api, alma, text):
    """V-18"""
    plan = {"client": alma, "status": "draft", "intent": "plan", "period": {"start": "2025-01-01", "end": text}}
    assert [error["path"] for error in problem(api.send("POST", "plans", plan), 400)["errors"]] == ["period.end"]


CODED = {"code": "IMP", "text": "Kanarifugl"}
NO_PLACE = [
    ("stakeholders", {"kind": "hospital", "name": "Kanarifugl Hospital", "administrative_gender": "female"}, "administrative_gender"),
    ("encounters", {"client": "Patient/alma", "status": "finished", "encounter_class": CODED}, "encounter_class"),
]


@pytest.mark.parametrize(("path", "fields", "lost"), NO_PLACE)
def test_what_fhir_has_no_place_for_is_refused_and_not_dropped(api, alma, path, fields, lost):
    told = problem(api.send("POST", path, fields), 400)
    assert [error["path"] for error in told["errors"]] == [lost]
    assert api.get(path)["items"] == []
