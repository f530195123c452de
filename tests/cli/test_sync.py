"""`remote`, `plan`, `push`, `pull`, `sync`, `conflicts`, `dead` and `sandbox` against a hospital that is a real FHIR server."""

import json

import pytest

from adapter.clock import utc_now
from adapter.config import OWN_ID
from adapter.errors import RemoteConflict
from adapter.fhir.client import FhirClient
from adapter.store.state import State
from adapter.sync import lease
from adapter.sync.remotes.remote import Remote
from tests.cli.conftest import ndjson, patient

THERE = {"resourceType": "Patient", "name": [{"family": "Kanarifugl"}], "birthDate": "1950-01-01"}


@pytest.fixture
def joined(casebridge, hospital):
    """The hospital, added as `hospital`."""
    assert casebridge("remote", "add", "hospital", hospital.base_url, "--type", "Patient", "--type", "RelatedPerson", "--sandbox").code == 0
    return hospital


def edit(hospital, id: str, **elements) -> None:
    now = hospital.read("Patient", id)
    hospital.update({**now.raw, **elements}, if_match=now.version)


def everything(hospital, type: str = "Patient") -> list[dict]:
    return [raw for page in hospital.search(type, {}) for raw in page.entries]


def test_a_remote_is_added_listed_checked_and_removed(casebridge, joined):
    (listed,) = casebridge("remote", "list", "--json").json
    assert (listed["name"], listed["url"], listed["sandbox"]) == ("hospital", joined.base_url, True)
    assert "hospital" in casebridge("remote", "list").out
    facts = casebridge("remote", "check", "hospital", "--json").json
    assert (facts["fhir_version"], facts["transaction"], facts["pulled"]) == ("4.0.1", True, ["Patient", "RelatedPerson"])
    assert "hospital answers" in casebridge("remote", "check", "hospital").out
    assert casebridge("remote", "remove", "hospital").code == 0
    assert casebridge("remote", "list", "--json").json == []


def test_where_a_secret_is_is_kept_and_the_secret_is_not(casebridge, database, tmp_path):
    secret = tmp_path / "token"
    secret.write_text("hush-hush")
    add = ("remote", "add", "city", "https://ehr.example/fhir", "--auth", "bearer")
    assert casebridge(*add, "--secret-file", secret).code == 0
    (listed,) = casebridge("remote", "list", "--json").json
    assert listed["auth"] == {"kind": "bearer", "secret_file": str(secret)}
    assert "hush-hush" not in str(list(database["remotes"].find()))


@pytest.mark.parametrize(
    "arguments",
    [
        ("City", "https://ehr.example/fhir"),
        ("city", "ehr.example"),
        ("city", "https://user:hush@ehr.example/fhir"),
        ("city", "https://ehr.example/fhir", "--auth", "basic", "--secret-env", "X"),
        ("city", "https://ehr.example/fhir", "--auth", "bearer"),
        ("city", "https://ehr.example/fhir", "--page-size", "0"),
        ("city",),
    ],
)
def test_a_remote_that_cannot_be_is_bad_input(casebridge, arguments):
    ran = casebridge("remote", "add", *arguments)
    assert ran.code == 2
    assert "hush" not in ran.err
    assert casebridge("remote", "list", "--json").json == []


@pytest.mark.parametrize(
    "command", [("plan",), ("push",), ("pull",), ("sync",), ("remote", "check"), ("remote", "remove"), ("sandbox", "clean")]
)
def test_a_remote_that_is_not_known_is_bad_input(casebridge, command):
    ran = casebridge(*command, "nobody")
    assert ran.code == 2
    assert "There is no remote named nobody" in ran.err


def test_a_remote_that_cannot_be_reached_is_its_own_exit_code(casebridge, monkeypatch):
    monkeypatch.setattr(Remote, "client", lambda self: FhirClient(self.url, sleep=lambda seconds: None))
    casebridge("remote", "add", "down", "http://127.0.0.1:1/fhir")
    for command in (("plan",), ("push",), ("pull",), ("sync",), ("remote", "check"), ("sandbox", "clean")):
        assert casebridge(*command, "down").code == 3


def test_a_plan_shows_and_writes_nothing(casebridge, joined, tmp_path):
    joined.create(THERE)
    casebridge("import", ndjson(tmp_path / "a.ndjson", patient("a")))
    plan = casebridge("plan", "hospital", "--json").json
    assert plan["summary"] == {"pull": {"Patient": {"create": 1}}, "push": {"Patient": {"create": 1}}}
    assert sorted((entry["direction"], entry["action"]) for entry in plan["entries"]) == [("pull", "create"), ("push", "create")]
    assert set(casebridge("plan", "hospital", "--push", "--json").json["summary"]) == {"push"}
    assert set(casebridge("pull", "hospital", "--dry-run", "--json").json["summary"]) == {"pull"}
    shown = casebridge("sync", "hospital", "--dry-run").out
    assert "From hospital to here" in shown
    assert "From here to hospital" in shown
    assert len(everything(joined)) == 1
    assert len(casebridge("export").out.splitlines()) == 1


def test_a_sync_prints_a_certificate_that_adds_up(casebridge, joined, tmp_path):
    for _ in range(3):
        joined.create(THERE)
    casebridge("import", ndjson(tmp_path / "a.ndjson", patient("a")))
    ran = casebridge("sync", "hospital")
    assert ran.code == 0
    assert ran.out.splitlines()[-1] == "In step with hospital: 3 written here, 1 there; all adds up."
    again = casebridge("sync", "hospital", "--json")
    assert again.code == 0
    assert (again.json["clean"], again.json["holds"], again.json["failure"]) == (True, True, "")
    assert all(row["adds up"] for row in again.json["pull"].values())
    assert casebridge("plan", "hospital").out.splitlines()[-1] == "Nothing to do: hospital and this database are in step."
    assert casebridge("verify").code == 0


def test_push_only_sends_and_pull_only_brings(casebridge, joined, tmp_path):
    joined.create(THERE)
    casebridge("import", ndjson(tmp_path / "a.ndjson", patient("a")))
    assert casebridge("pull", "hospital").out.splitlines()[-1].startswith("In step with hospital: 1 written here, 0 there")
    assert len(everything(joined)) == 1
    assert casebridge("push", "hospital").out.splitlines()[-1].startswith("In step with hospital: 0 written here, 1 there")
    assert len(everything(joined)) == 2


def test_what_a_sandbox_does_not_get_is_counted_with_the_reason(casebridge, joined, tmp_path):
    casebridge("import", ndjson(tmp_path / "a.ndjson", patient("a", meta={}), patient("b", meta={})))
    assert "2 × skip: not tagged as synthetic, and the remote is a sandbox" in casebridge("plan", "hospital", "--push").out
    assert "2 × skip: not tagged as synthetic, and the remote is a sandbox" in casebridge("sync", "hospital").out
    assert everything(joined) == []


def test_a_sync_while_another_runs_says_so_and_writes_nothing(casebridge, joined, database):
    with lease.hold(State(database), "hospital"):
        ran = casebridge("sync", "hospital")
    assert ran.code == 5
    assert "Another sync of hospital is running" in ran.err


@pytest.fixture
def conflict(casebridge, joined, tmp_path) -> str:
    """A conflict about a birth date and a gender, by its name."""
    casebridge("import", ndjson(tmp_path / "a.ndjson", patient("a", birthDate="1950-01-01", gender="female")))
    casebridge("sync", "hospital")
    (there,) = everything(joined)
    edit(joined, there["id"], birthDate="1950-03-03", gender="other")
    casebridge("import", ndjson(tmp_path / "b.ndjson", patient("a", birthDate="1950-02-02", gender="male")))
    ran = casebridge("sync", "hospital")
    assert ran.code == 1
    assert ran.out.splitlines()[-1] == "Not in step with hospital: 1 in conflict (`casebridge conflicts list`)."
    (listed,) = casebridge("conflicts", "list", "--json").json
    return listed["id"]


def test_a_conflict_is_listed_and_shown_and_nobody_is_overwritten(casebridge, joined, conflict):
    assert conflict == "hospital:Patient/a"
    assert conflict in casebridge("conflicts", "list").out
    assert casebridge("conflicts", "list", "--remote", "city", "--json").json == []
    shown = casebridge("conflicts", "show", conflict).out
    assert all(date in shown for date in ("1950-01-01", "1950-02-02", "1950-03-03"))
    rows = {row["path"]: row for row in casebridge("conflicts", "show", conflict, "--json").json["rows"]}
    assert (rows["gender"]["ours"], rows["gender"]["theirs"], rows["gender"]["base"]) == ("male", "other", "female")
    assert "conflict" in casebridge("plan", "hospital").out
    assert everything(joined)[0]["birthDate"] == "1950-03-03"


@pytest.mark.parametrize(
    ("decision", "birth_date", "gender"),
    [
        (["--ours"], "1950-02-02", "male"),
        (["--theirs"], "1950-03-03", "other"),
        (["--theirs", "--set", "gender=ours"], "1950-03-03", "male"),
        (["--set", "gender=theirs", "--set", "birthDate=ours"], "1950-02-02", "other"),
    ],
)
def test_a_decision_reaches_both_sides(casebridge, joined, conflict, decision, birth_date, gender):
    assert casebridge("conflicts", "resolve", conflict, *decision).code == 0
    assert casebridge("sync", "hospital").code == 0
    (there,) = everything(joined)
    here = json.loads(casebridge("export", "--type", "Patient").out)
    assert {(side["birthDate"], side["gender"]) for side in (there, here)} == {(birth_date, gender)}
    assert casebridge("conflicts", "list", "--json").json == []
    assert [each["id"] for each in casebridge("conflicts", "list", "--decided", "--json").json] == [conflict]


@pytest.mark.parametrize(
    "decision", [[], ["--set", "gender"], ["--set", "gender=mine"], ["--set", "name=ours", "--ours"], ["--set", "gender=ours"]]
)
def test_half_a_decision_is_bad_input_and_decides_nothing(casebridge, conflict, decision):
    assert casebridge("conflicts", "resolve", conflict, *decision).code == 2
    assert [each["id"] for each in casebridge("conflicts", "list", "--json").json] == [conflict]


def test_a_conflict_that_is_not_there_is_bad_input(casebridge):
    assert casebridge("conflicts", "show", "hospital:Patient/x").code == 2
    assert casebridge("conflicts", "resolve", "hospital:Patient/x", "--ours").code == 2


def test_what_was_refused_is_listed_with_the_reason(casebridge, database):
    assert casebridge("dead", "list", "--json").json == []
    body = {"remote": "hospital", "direction": "push", "reference": "Patient/a", "reason": "It says 422.", "at": utc_now()}
    State(database).put("dead_letters", "hospital:push:Patient/a", body)
    (row,) = casebridge("dead", "list", "--json").json
    assert row == {"remote": "hospital", "direction": "push", "resource": "Patient/a", "reason": "It says 422."}
    assert "It says 422." in casebridge("dead", "list", "--remote", "hospital").out
    assert casebridge("dead", "list", "--remote", "city", "--json").json == []


@pytest.fixture
def sandbox(casebridge, joined, tmp_path):
    """A hospital with a circle of two of ours, one of ours that is not tagged any more, and one of its own that carries the tag."""
    circle = "https://casebridge.example/fhir/StructureDefinition/decision-maker"
    person = {"resourceType": "RelatedPerson", "id": "r", "meta": patient()["meta"], "patient": {"reference": "Patient/a"}}
    extension = [{"url": circle, "valueReference": {"reference": "RelatedPerson/r"}}]
    casebridge("import", ndjson(tmp_path / "a.ndjson", patient("a", extension=extension), person, patient("real", gender="male")))
    assert casebridge("sync", "hospital").code == 0
    joined.create({**THERE, "meta": patient()["meta"]})
    (untagged,) = [raw for raw in everything(joined) if raw.get("gender") == "male"]
    joined.update({**{name: value for name, value in untagged.items() if name != "meta"}}, if_match="1")
    return joined


def test_a_sandbox_is_cleaned_of_what_is_ours_and_synthetic_and_of_nothing_else(casebridge, sandbox):
    ran = casebridge("sandbox", "clean", "hospital", "--yes", "--json")
    assert ran.code == 0
    assert (ran.json["deleted"], ran.json["left"]) == (2, {})
    assert everything(sandbox, "RelatedPerson") == []
    left = everything(sandbox)
    assert [any(each["system"] == OWN_ID for each in raw.get("identifier", ())) for raw in left].count(True) == 1
    assert len(left) == 2
    assert casebridge("verify").code == 0


def test_what_another_casebridge_put_there_goes_only_when_asked_for(casebridge, sandbox):
    foreign = {**patient(), "identifier": [{"system": OWN_ID, "value": "made-elsewhere"}]}
    sandbox.create({name: value for name, value in foreign.items() if name != "id"})
    assert casebridge("sandbox", "clean", "hospital", "--yes", "--json").json["deleted"] == 2
    assert casebridge("sandbox", "clean", "hospital", "--all", "--yes", "--json").json["deleted"] == 1


def test_after_a_clean_up_the_next_push_makes_it_all_anew(casebridge, sandbox):
    casebridge("sandbox", "clean", "hospital", "--yes")
    assert casebridge("plan", "hospital", "--push", "--json").json["summary"]["push"] == {
        "Patient": {"create": 1},
        "RelatedPerson": {"create": 1},
    }
    assert casebridge("sync", "hospital").code == 0
    assert len(everything(sandbox, "RelatedPerson")) == 1


def test_a_clean_up_asks_first(casebridge, sandbox):
    before = len(everything(sandbox))
    ran = casebridge("sandbox", "clean", "hospital", answer="n\n")
    assert ran.code == 0
    assert "Nothing was deleted." in ran.err
    assert casebridge("sandbox", "clean", "hospital").code == 130
    assert casebridge("sandbox", "clean", "hospital", "--json").code == 2
    assert len(everything(sandbox)) == before
    assert casebridge("sandbox", "clean", "hospital", answer="y\n").code == 0
    assert len(everything(sandbox)) == before - 1


def test_what_the_remote_does_not_let_go_is_named_and_stays_linked(casebridge, sandbox, monkeypatch):
    def refuse(*arguments, **options):
        raise RemoteConflict("others refer to it")

    monkeypatch.setattr("adapter.fhir.client.FhirClient.transaction", refuse)
    monkeypatch.setattr("adapter.fhir.client.FhirClient.delete", refuse)
    ran = casebridge("sandbox", "clean", "hospital", "--yes")
    assert ran.code == 1
    assert ran.out.splitlines()[-1] == "0 deleted, 2 left."
    assert casebridge("plan", "hospital", "--push", "--json").json["summary"] == {}


def test_a_clean_up_of_nothing_says_so(casebridge, joined):
    ran = casebridge("sandbox", "clean", "hospital", "--yes")
    assert ran.code == 0
    assert "Nothing of ours" in ran.out
