"""`$export`: what is asked for is what the files hold, nothing twice, and nothing of others. Over HTTP, on the real store."""

from datetime import timedelta
from urllib.parse import urlencode

import pytest

from adapter.access.groups import COVERED_BY
from adapter.clock import instant
from adapter.store.cost import QUERIES_AT_MOST
from adapter.sync.exporting.pace import Pace
from adapter.sync.exporting.selection import Selection
from server import create_app

from ..fhir import Fhir, assert_outcome, patient
from .conftest import Scene
from .people import PEOPLE, group, member, names, of


@pytest.fixture
def stored(scene, make):
    make(*(raw for id in PEOPLE for raw in of(id)), {"resourceType": "Practitioner", "id": "stranger", "name": [{"family": "Kanarifugl"}]})
    return scene


EVERYBODY = {name for id in PEOPLE for name in names(id)}


def test_an_export_of_the_system_holds_everything_once_and_to_the_letter(stored):
    stored.fhir.send("DELETE", "Practitioner/stranger")
    stored.fhir.put(patient("river", id="river", birthDate="1994-05"))
    found = stored.exported()
    held = {f"{raw['resourceType']}/{raw['id']}": raw for several in found.values() for raw in several}
    assert held.keys() == EVERYBODY
    assert all(raw == stored.fhir.send("GET", name).json for name, raw in held.items())


def test_an_export_of_all_patients_holds_their_records_and_what_these_refer_to(stored):
    assert stored.ids("Patient/$export") == EVERYBODY


def test_an_export_of_a_group_holds_nothing_of_those_who_are_not_in_it_now(stored, make):
    over, coming = {"end": "2025-01-01"}, {"start": "2100-01-01"}
    make(group(member("river"), member("alma", inactive=True), member("wren", period=over)))
    assert stored.ids("Group/g/$export") == names("river")
    make(group(member("alma", period={"start": "2025-01-01"}), member("wren", period=coming)))
    assert stored.ids("Group/g/$export") == names("alma")


def test_a_group_without_members_exports_nothing_at_all(stored, make):
    make(group())
    assert stored.exported("Group/g/$export") == {}


def test_patients_that_are_named_narrow_an_export_and_never_widen_it(stored, make):
    make(group(member("river"), member("alma")))
    wanted = [{"name": "patient", "valueReference": {"reference": f"Patient/{id}"}} for id in ("alma", "wren")]
    body = {"resourceType": "Parameters", "parameter": wanted}
    assert stored.ids("Patient/$export", body) == names("alma") | names("wren")
    assert stored.ids("Group/g/$export", body) == names("alma")


def test_of_more_people_than_can_be_looked_up_the_same_is_found(stored, make, monkeypatch):
    monkeypatch.setattr("adapter.sync.exporting.selection._FEW", 1)
    make(group(member("river"), member("alma")))
    assert stored.ids("Group/g/$export") == names("river") | names("alma")


def test_a_group_is_in_no_export_of_people_because_it_names_others(stored, make):
    make(group(member("river"), member("alma")))
    assert not [name for name in stored.ids("Patient/$export") if name.startswith("Group/")]
    assert "Group/g" in stored.ids("$export")


def test_types_narrow_an_export(stored):
    assert stored.ids("$export?_type=Patient,Practitioner") == {f"Patient/{id}" for id in PEOPLE} | {
        "Practitioner/stranger",
        *(f"Practitioner/nurse-{id}" for id in PEOPLE),
    }
    assert stored.ids("Patient/$export?_type=CarePlan&_type=Goal") == {f"CarePlan/plan-{id}" for id in PEOPLE}


def test_a_provenance_comes_along_with_what_it_is_about(stored):
    told = "_type=CarePlan&includeAssociatedData=RelevantProvenanceResources"
    wanted = {name for name in EVERYBODY if name.startswith(("CarePlan/", "Provenance/"))}
    assert stored.ids(f"$export?{told}") == stored.ids(f"Patient/$export?{told}") == wanted
    assert stored.ids("$export?_type=Observation&includeAssociatedData=RelevantProvenanceResources") == {
        f"Observation/weight-{id}" for id in PEOPLE
    }


FILTERS = {
    "CarePlan?status=active": {"plan-river"},
    "CarePlan?status=active,draft": {f"plan-{id}" for id in PEOPLE},
    "CarePlan?status=active,CarePlan?subject=Patient/alma": {"plan-river", "plan-alma"},
    "CarePlan?_id=plan-wren,plan-river": {"plan-river", "plan-wren"},
    "CarePlan?subject:Patient.identifier=alma": {"plan-alma"},
    "CarePlan?_has:Provenance:target:_id=who-wren": {"plan-wren"},
    "CarePlan?_lastUpdated=gt2100-01-01": set(),
}


@pytest.mark.parametrize("text", FILTERS)
def test_a_type_filter_takes_what_its_search_finds_and_other_types_whole(stored, text):
    found = stored.ids(f"$export?{urlencode([('_type', 'CarePlan,Patient'), ('_typeFilter', text)])}")
    assert found == {f"CarePlan/{id}" for id in FILTERS[text]} | {f"Patient/{id}" for id in PEOPLE}


@pytest.fixture
def large(scene, make):
    """A server for which three observations are many, and people are few."""
    make(*(raw for id in PEOPLE for raw in of(id)))
    return Scene(Fhir(create_app(scene.repository, exports=scene.root, scan=2).test_client()), scene.repository, scene.root)


def filtered(*texts, type="Patient"):
    return f"$export?{urlencode([('_type', type), *(('_typeFilter', text) for text in texts)])}"


def test_what_a_type_filter_joins_costs_no_more_than_in_a_search(large, make):
    many = "_has:Observation:subject:value-quantity=gt5"
    assert_outcome(large.fhir.send("GET", f"Patient?{many}"), 400, "too-costly")
    for path in (filtered(f"Patient?{many}"), filtered("CarePlan?subject:Patient.name:contains=anarifugl", type="CarePlan")):
        issue = assert_outcome(large.kick_off(path), 400, "too-costly")
        assert "index" in issue["diagnostics"]
    make(group(member("river")))
    assert_outcome(large.kick_off(filtered(f"Patient?{many}").replace("$", "Group/g/$davinci-data-")), 400, "too-costly")
    # The type itself is read whatever is asked of it.
    assert large.ids(filtered("Patient?name:contains=anarifugl")) == {f"Patient/{id}" for id in PEOPLE}
    assert large.ids(filtered("Patient?_has:Observation:subject:code=x")) == set()


def test_all_the_type_filters_of_an_export_ask_no_more_than_one_search_may(large):
    one = "Patient?_has:Observation:subject:code=x"
    assert large.ids(filtered(*[one] * QUERIES_AT_MOST)) == set()
    assert_outcome(large.kick_off(filtered(*[one] * (QUERIES_AT_MOST + 1))), 400, "too-costly")


def test_type_filters_that_are_repeated_take_what_one_of_them_finds(stored):
    several = [("_typeFilter", "CarePlan?status=active"), ("_typeFilter", "CarePlan?status=draft&subject=Patient/alma")]
    assert stored.ids(f"Patient/$export?{urlencode([('_type', 'CarePlan'), *several])}") == {"CarePlan/plan-river", "CarePlan/plan-alma"}


def test_elements_leave_a_part_of_each_resource_that_says_so(stored):
    [plans] = stored.exported("$export?_type=CarePlan&_elements=status,Patient.name").values()
    assert {frozenset(raw) for raw in plans} == {frozenset(("resourceType", "id", "meta", "status", "intent", "subject"))}
    assert {raw["meta"]["tag"][0]["code"] for raw in plans} == {"SUBSETTED"}


@pytest.fixture
def later(stored):
    """Writes as of an hour from now: a moment between what was stored before and what is written with it."""
    clock = stored.repository.clock
    stored.repository.clock = lambda: clock() + timedelta(hours=1)
    return instant(clock() + timedelta(minutes=30))


def test_since_takes_what_changed_since_then_and_tells_what_was_deleted(stored, later):
    stored.fhir.put(patient("alma", id="alma", birthDate="1994-05"))
    stored.fhir.send("DELETE", "CarePlan/plan-river")
    found = stored.exported(f"$export?_since={later}")
    assert {kind: len(several) for kind, several in found.items()} == {("output", "Patient"): 1, ("deleted", "Bundle"): 1}
    [bundle] = found["deleted", "Bundle"]
    assert (bundle["type"], bundle["entry"]) == ("transaction", [{"request": {"method": "DELETE", "url": "CarePlan/plan-river"}}])
    assert stored.ids(f"$export?_until={later}") == EVERYBODY - {"Patient/alma", "CarePlan/plan-river"} | {"Practitioner/stranger"}


def test_of_people_only_what_was_theirs_is_told_as_deleted(stored, make, later):
    make(group(member("river")))
    for id in PEOPLE:
        stored.fhir.send("DELETE", f"CarePlan/plan-{id}")
    [[bundle]] = stored.exported(f"Group/g/$export?_since={later}").values()
    assert bundle["entry"][0]["request"]["url"] == "CarePlan/plan-river"


@pytest.mark.parametrize(("windows", "number"), [(True, 4), (False, 3), (False, 5)])
def test_what_changes_between_two_pages_is_there_once(stored, later, make, piecemeal, monkeypatch, windows, number):
    """All was there an hour before the export's time, a page has one resource, and in its midst each of them is changed."""
    monkeypatch.setattr("adapter.sync.exporting.pace._FEWEST", 1)
    monkeypatch.setattr("adapter.sync.exporting.pace.PIECE", 1)
    monkeypatch.setattr(Selection, "pace", lambda *_: Pace(windows, count=1))
    changed = [raw | {"implicitRules": "https://x.example"} for id in PEOPLE for raw in of(id)]
    places = piecemeal(number, lambda: make(*changed))
    wanted = {name for name in EVERYBODY if name.startswith(("CarePlan/", "Patient/"))}
    assert stored.ids("$export?_type=CarePlan,Patient") == wanted
    assert len(places) > len(wanted)


def test_what_changes_after_the_time_of_an_export_is_in_the_next_one_since_then(stored):
    time = stored.manifest()["transactionTime"]
    stored.fhir.put(patient("river", id="river", gender="other"))
    assert "Patient/river" in stored.ids(f"$export?_since={time}")


REFUSED = {
    "unknown parameter": "$export?_kind=Patient",
    "unsupported parameter": "$export?organizeOutputBy=Patient",
    "format": "$export?_outputFormat=application/fhir%2Bparquet",
    "time": "$export?_since=yesterday",
    "filter that is no search": "$export?_typeFilter=active",
    "filter with a parameter that there is not": "$export?_typeFilter=CarePlan?bird=1",
    "filter that pages": "$export?_typeFilter=CarePlan?_count=1",
    "filter of a type that is not asked for": "$export?_type=Patient&_typeFilter=CarePlan?status=active",
    "associated data": "$export?includeAssociatedData=LatestProvenanceResources",
    "patients in an address": "Patient/$export?patient=Patient/river",
    "patients of the system": "$export?patient=Patient/river",
}


@pytest.mark.parametrize("path", REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_exported_is_refused_at_once(stored, path):
    assert_outcome(stored.kick_off(path), 400, "invalid")


@pytest.mark.parametrize("path", ["$export?_type=Kanarifugl", "Group/none/$export", "$export?_typeFilter=Kanarifugl?status=active"])
def test_what_is_not_here_cannot_be_exported(stored, path):
    assert_outcome(stored.kick_off(path), 404, "not-found")


def covered_by(payor, **more):
    """A Group of whoever is covered by an insurer."""
    code = {"coding": [dict(zip(("system", "code"), COVERED_BY, strict=True))]}
    characteristic = {"code": code, "valueReference": {"reference": payor}, "exclude": False, **more}
    return {"resourceType": "Group", "id": "g", "type": "person", "actual": False, "characteristic": [characteristic]}


def coverage(id, payor="Organization/ins", **more):
    payors = {"beneficiary": {"reference": f"Patient/{id}"}, "payor": [{"reference": payor}]}
    return {"resourceType": "Coverage", "id": f"coverage-{id}", "status": "active", **payors, **more}


def test_a_group_of_an_insurer_s_members_is_as_current_as_the_coverages(stored, make):
    over = {"period": {"start": "2020-01-01", "end": "2024-12-31"}}
    make(covered_by("Organization/ins"), coverage("river"), coverage("alma", **over), coverage("wren", payor="Organization/other"))
    assert stored.ids("Group/g/$export") == names("river") | {"Coverage/coverage-river"}
    make(coverage("river", status="cancelled"), coverage("wren", period={"start": "2020-01-01"}))
    assert stored.ids("Group/g/$export") == names("wren") | {"Coverage/coverage-wren"}
    make(coverage("wren", status="cancelled"))
    assert stored.ids("Group/g/$export") == set()


def test_members_of_an_insurer_are_found_on_all_pages_of_coverages(stored, make, monkeypatch):
    monkeypatch.setattr("adapter.sync.exporting.cohort._PAGE", 1)
    make(covered_by("Organization/ins"), *map(coverage, PEOPLE))
    assert {f"Patient/{id}" for id in PEOPLE} <= stored.ids("Group/g/$export")


UNCLEAR = {
    "nothing": {"resourceType": "Group", "id": "g", "type": "person", "actual": False},
    "whom it does not mean": covered_by("Organization/ins", exclude=True),
    "a time": covered_by("Organization/ins", period={"start": "2020"}),
    "another code": covered_by("Organization/ins", code={"text": "payor"}),
    "something else": {**covered_by("Organization/ins"), "type": "device"},
}


@pytest.mark.parametrize("group", UNCLEAR.values(), ids=UNCLEAR.keys())
def test_a_group_that_says_whom_it_means_in_other_ways_cannot_be_exported(stored, make, group):
    make(group)
    assert_outcome(stored.kick_off("Group/g/$export"), 404, "not-found")


def test_an_export_must_be_asked_for_as_what_takes_its_time(stored):
    assert_outcome(stored.fhir.send("GET", "$export"), 400, "invalid")


def test_what_a_lenient_caller_asks_for_in_vain_is_told_in_an_error_file(stored):
    path = "$export?_type=Patient&_kind=x&includeAssociatedData=LatestProvenanceResources"
    found = stored.exported(path, Prefer="respond-async, handling=lenient")
    assert len(found["output", "Patient"]) == 3
    told = [outcome["issue"][0]["diagnostics"] for outcome in found["error", "OperationOutcome"]]
    assert [("_kind" in text, "LatestProvenanceResources" in text) for text in told] == [(True, False), (False, True)]


@pytest.mark.parametrize("format", ["application/fhir%2Bndjson", "application/fhir+ndjson", "application/ndjson", "ndjson"])
def test_each_name_of_the_format_is_understood(stored, format):
    assert stored.kick_off(f"$export?_outputFormat={format}").status_code == 202


def test_parameters_may_come_in_a_body(stored):
    given = [{"name": "_type", "valueCode": "Patient"}, {"name": "_since", "valueInstant": "2020-01-01T00:00:00Z"}]
    assert stored.ids("$export", {"resourceType": "Parameters", "parameter": given}) == {f"Patient/{id}" for id in PEOPLE}
