"""What else holds at the doors: elements that are withheld, writes and conditions that tell nothing, the broken glass, other roles."""

import itertools
import json
from datetime import UTC, datetime

import pytest
from msgspec import structs

from adapter.access.policy import Policy, View, policies
from adapter.access.viewer import Viewer
from adapter.casework.records import save
from adapter.errors import Busy, CasebridgeError, Forbidden, Gone, NotFound, TooLarge
from adapter.store import large, sighted
from adapter.store.documents import Change
from adapter.store.repository import Repository
from adapter.store.seen import seen_by
from adapter.store.sight import Sight, sight_of
from server.fhir.messages import Request
from server.fhir.routes import endpoint
from tests.casework.conftest import person

NOON = datetime(2025, 4, 22, 12, tzinfo=UTC)
BASE = "http://test/fhir"
INSURER = Viewer("insurer-reader", frozenset(("Organization/ins",)), "HPAYMT")
NURSE = Viewer("clinician", frozenset(("Practitioner/noor",)), "TREAT")
POLICY = Policy(
    title="Reads and writes",
    ties=("payor",),
    consent="opt-out",
    types={"Patient": View(withheld=("telecom", "photo")), "CarePlan": View(), "Condition": View()},
    open=("Organization",),
    writes=("CarePlan", "Patient", "Organization"),
)


def resources():
    for name in ("river", "alma"):
        telecom = [{"system": "phone", "value": f"555-{name}"}]
        yield (
            "Patient",
            name,
            {"name": [{"family": "Kanarifugl"}], "telecom": telecom, "_telecom": [{"id": "t"}], "birthDate": "1980-01-01"},
        )
        plan = {"status": "active", "intent": "plan", "subject": {"reference": f"Patient/{name}"}}
        yield "CarePlan", f"plan-{name}", {**plan, "identifier": [{"system": "urn:plans", "value": name}]}
    payor = [{"reference": "Organization/ins"}]
    yield "Coverage", "c", {"status": "active", "beneficiary": {"reference": "Patient/river"}, "payor": payor}
    member = [{"member": {"reference": "Practitioner/noor"}}]
    yield "CareTeam", "t", {"status": "active", "subject": {"reference": "Patient/alma"}, "participant": member}


@pytest.fixture
def repository(database):
    repository = Repository(database, clock=lambda: NOON)
    repository.commit([Change(type, id, {"resourceType": type, **body}, 0) for type, id, body in resources()])
    return repository


@pytest.fixture
def ask(repository, tmp_path):
    """Asks as a viewer: the answer, or the error."""
    answer = endpoint(repository, tmp_path)

    def ask(method, path, body=None, *, viewer=INSURER, policy=POLICY, **headers):
        path, _, query = path.partition("?")
        sight = Sight(repository.database, viewer, policy, NOON, frozenset())
        params = [tuple(pair.split("=")) for pair in query.split("&")] if query else []
        headers = {"content-type": "application/fhir+json", **{name.replace("_", "-"): value for name, value in headers.items()}}
        try:
            return answer(Request(method, path, BASE, params, headers, body or b"", sight=sight))
        except CasebridgeError as error:
            return error

    return ask


def ids(answer):
    return {entry["resource"]["id"] for entry in json.loads(answer.text).get("entry", ())}


def test_what_is_withheld_is_neither_told_nor_found(ask):
    told = json.loads(ask("GET", "Patient/river").text)
    assert told.keys() == {"resourceType", "id", "meta", "name", "birthDate"}
    [found] = json.loads(ask("GET", "Patient").text)["entry"]
    assert found["resource"] == told
    assert ids(ask("GET", "Patient?birthdate=1980-01-01")) == {"river"}
    for query in ("telecom=555-river", "phone=555-river", "telecom:missing=false", "telecom=a,555-river"):
        assert ids(ask("GET", f"Patient?{query}")) == set(), query
    assert ids(ask("GET", "Patient?telecom:missing=true")) == {"river"}
    assert ids(ask("GET", "Patient?phone:not=555-river")) == {"river"}
    assert ids(ask("GET", "CarePlan?subject:Patient.phone=555-river")) == set()
    assert "555" not in ask("GET", "Patient/_history").text
    assert "555" not in ask("GET", "Patient/river/_history/1").text


def test_nobody_is_found_in_a_compartment_by_what_is_withheld(ask, repository):
    seen = {"subject": {"reference": "Patient/river"}, "performer": [{"reference": "Patient/alma"}], "status": "final"}
    repository.commit([Change("Observation", "o", {"resourceType": "Observation", **seen, "code": {"text": "a"}}, 0)])
    whole, withheld = (
        structs.replace(POLICY, types={**POLICY.types, "Observation": view}) for view in (View(), View(withheld=("performer",)))
    )
    assert ids(ask("GET", "Patient/alma/Observation", policy=whole)) == {"o"}
    assert ids(ask("GET", "Patient/alma/Observation", policy=withheld)) == set()
    assert ids(ask("GET", "Patient/river/Observation?subject=Patient/river", policy=withheld)) == {"o"}
    assert json.loads(ask("GET", "Patient/alma/Observation?_summary=count", policy=withheld).text)["total"] == 0


def test_nothing_is_found_by_way_of_what_is_withheld(ask, repository):
    """Where the element that leads there was all that is asked of a resource, nothing of it is read, not the whole of it."""
    party = {"party": {"reference": "Organization/paid"}}
    claim = {"resourceType": "Claim", "status": "active", "patient": {"reference": "Patient/river"}, "payee": party}
    repository.commit([Change("Claim", "c", claim, 0), Change("Organization", "paid", {"resourceType": "Organization", "name": "a"}, 0)])
    whole, withheld = (structs.replace(POLICY, types={**POLICY.types, "Claim": view}) for view in (View(), View(withheld=("payee",))))
    asked = "Organization?_has:Claim:payee:patient=Patient/river"
    assert ids(ask("GET", asked, policy=whole)) == {"paid"}
    assert ids(ask("GET", asked, policy=withheld)) == set()


def test_a_new_insurer_reads_no_amount(ask, repository):
    """Neither where R4 has one, nor in a text or a contained resource, which may say anything."""
    told = {"text": {"status": "generated", "div": "4711"}, "contained": [{"resourceType": "Basic", "id": "b", "code": {"text": "4711"}}]}
    amount, river = {"value": 4711, "currency": "EUR"}, {"reference": "Patient/river"}
    priced = [{"sequence": 1, "unitPrice": amount, "net": amount}]
    made = {
        "Claim": {"patient": river, "item": priced, "total": amount},
        "ExplanationOfBenefit": {"patient": river, "item": priced, "payment": {"amount": amount}, "benefitBalance": [{"x": amount}]},
        "Coverage": {"beneficiary": river, "costToBeneficiary": [{"valueMoney": amount}]},
        "CoverageEligibilityRequest": {"patient": river, "item": priced},
        "CoverageEligibilityResponse": {"patient": river, "insurance": [{"item": [{"benefit": [{"allowedMoney": amount}]}]}]},
    }
    repository.commit([Change(type, "a", {"resourceType": type, "status": "active", **told, **body}, 0) for type, body in made.items()])
    new = structs.replace(policies(None)["new-payer"], ties=("payor",), consent="opt-out")
    for type in made:
        answer = ask("GET", f"{type}/a", policy=new)
        assert json.loads(answer.text)["status"] == "active"
        assert "4711" not in answer.text, type
        assert "4711" in ask("GET", f"{type}/a", policy=structs.replace(new, types={type: View()})).text


def test_a_write_changes_only_what_is_seen(ask, repository):
    plan = {"resourceType": "CarePlan", "status": "active", "intent": "plan", "subject": {"reference": "Patient/river"}}
    assert ask("POST", "CarePlan", plan).status == 201
    assert ask("PUT", "CarePlan/plan-river", {**plan, "id": "plan-river"}).status == 200
    for patient in ("alma", "nobody"):
        foreign = {**plan, "subject": {"reference": f"Patient/{patient}"}}
        assert isinstance(ask("POST", "CarePlan", foreign), Forbidden)
        assert isinstance(ask("PUT", "CarePlan/plan-river", {**foreign, "id": "plan-river"}), Forbidden)
    assert isinstance(ask("POST", "Condition", {"resourceType": "Condition", "subject": plan["subject"]}), Forbidden)
    assert isinstance(ask("DELETE", "Patient/river"), Forbidden)
    assert ask("POST", "Organization", {"resourceType": "Organization", "name": "another"}).status == 201
    assert repository.find("CarePlan", "plan-alma").version == repository.find("Patient", "river").version == 1


def test_a_new_patient_comes_with_what_is_theirs_and_a_known_one_is_not_taken(ask, repository):
    everything = Policy(title="Writes all", ties=("payor",), consent="not-asked", types={"*": View()}, writes=("*",))

    def both(patient, coverage):
        covered = {"resourceType": "Coverage", "status": "active", "payor": [{"reference": "Organization/ins"}], **coverage}
        made = [("POST", "Coverage", covered, "urn:uuid:2")] + ([("POST", "Patient", patient, "urn:uuid:1")] if patient else [])
        entries = [{"fullUrl": url, "resource": raw, "request": {"method": way, "url": type}} for way, type, raw, url in made]
        return ask("POST", "", {"resourceType": "Bundle", "type": "transaction", "entry": entries}, policy=everything)

    assert both({"resourceType": "Patient"}, {"beneficiary": {"reference": "urn:uuid:1"}}).status == 200
    assert isinstance(both(None, {"beneficiary": {"reference": "Patient/alma"}}), Forbidden)
    assert len(list(repository.scan("Coverage"))) == 2


def test_nothing_is_written_into_a_case_that_is_not_seen(ask, repository):
    for name in ("river", "alma"):
        case = {"resourceType": "EpisodeOfCare", "status": "active", "patient": {"reference": f"Patient/{name}"}}
        repository.commit([Change("EpisodeOfCare", f"case-{name}", case, 0)])
    policy = structs.replace(POLICY, types={**POLICY.types, "EpisodeOfCare": View()})
    plan = {"resourceType": "CarePlan", "status": "active", "intent": "plan", "subject": {"reference": "Patient/river"}}

    def into(case):
        return ask("POST", "CarePlan", {**plan, "supportingInfo": [{"reference": f"EpisodeOfCare/{case}"}]}, policy=policy)

    assert into("case-river").status == 201
    assert isinstance(into("case-alma"), Forbidden)
    assert repr(into("case-alma")) == repr(into("case-none"))


def test_a_write_tells_nothing_of_what_is_not_seen(ask, repository):
    plan = {"resourceType": "CarePlan", "status": "active", "intent": "plan", "subject": {"reference": "Patient/river"}}
    for id in ("plan-alma", "plan-none"):
        assert repr(ask("PUT", f"CarePlan/{id}", {**plan, "id": id})) == repr(ask("PUT", "CarePlan/other", {**plan, "id": "other"}))
        assert isinstance(ask("PATCH", f"CarePlan/{id}", [], content_type="application/json-patch+json"), CasebridgeError)
        assert ask("DELETE", f"CarePlan/{id}").status == 204
    assert repository.find("CarePlan", "plan-alma").version == 1
    for name in ("alma", "none"):
        assert ask("POST", "CarePlan", plan, if_none_exist=f"identifier=urn:plans|{name}").status == 201
        assert ask("DELETE", f"CarePlan?identifier=urn:plans|{name}").status == 204
    assert ask("POST", "CarePlan", plan, if_none_exist="identifier=urn:plans|river").status == 200


def test_what_is_nobody_s_is_written_only_where_all_see_it_or_with_all_that_it_tells_of(ask):
    everything = Policy(
        title="Writes all", ties=("payor",), consent="not-asked", types={"*": View()}, by_target=("Provenance",), writes=("*",)
    )

    def both(*entries):
        parts = [{"fullUrl": url, "resource": raw, "request": {"method": "POST", "url": raw["resourceType"]}} for url, raw in entries]
        return ask("POST", "", {"resourceType": "Bundle", "type": "transaction", "entry": parts}, policy=everything)

    def told(*references):
        return {
            "resourceType": "Provenance",
            "target": [{"reference": reference} for reference in references],
            "recorded": "2025-04-22T12:00:00Z",
            "agent": [{"who": {"reference": "Practitioner/noor"}}],
        }

    plan = {"resourceType": "CarePlan", "status": "active", "intent": "plan", "subject": {"reference": "Patient/river"}}
    assert both(("urn:uuid:1", plan), ("urn:uuid:2", told("urn:uuid:1"))).status == 200
    assert both(("urn:uuid:1", plan), ("urn:uuid:2", told("urn:uuid:1", "CarePlan/plan-river"))).status == 200
    assert ask("POST", "Provenance", told("CarePlan/plan-river"), policy=everything).status == 201
    for foreign in (told("CarePlan/plan-alma"), told("CarePlan/plan-river", "CarePlan/plan-alma"), told("CarePlan/plan-none")):
        assert isinstance(ask("POST", "Provenance", foreign, policy=everything), Forbidden)
    assert isinstance(both(("urn:uuid:1", plan), ("urn:uuid:2", told("urn:uuid:1", "CarePlan/plan-alma"))), Forbidden)
    for type in ("List", "Basic", "Group", "Organization"):
        nobody = {"resourceType": type, "status": "current", "mode": "working", "name": "a", "code": {"text": "a"}}
        assert isinstance(ask("POST", type, nobody, policy=everything), CasebridgeError), type
    assert ask("POST", "Organization", {"resourceType": "Organization", "name": "a"}).status == 201


@pytest.mark.parametrize("role", ["case-manager", "supervisor", "clinician"])
def test_nobody_whose_policy_does_not_name_them_writes_who_is_a_supervisor(ask, role):
    viewer = Viewer(role, NURSE.references, "TREAT")
    for type in ("Practitioner", "PractitionerRole"):
        assert isinstance(ask("POST", type, {"resourceType": type}, viewer=viewer, policy=policies(None)[role]), Forbidden)
    admin = Viewer("administrator", frozenset(), "HSYSADMIN")
    assert (
        ask("POST", "PractitionerRole", {"resourceType": "PractitionerRole"}, viewer=admin, policy=policies(None)["administrator"]).status
        == 201
    )


def test_who_sees_a_case_takes_it_up_and_leaves_the_evidence_that_they_could_not_write(ask, repository):
    person(repository, "noor")
    models = [{"model": "brokerage", "primary": True}]
    fields = {"client": "Patient/alma", "case_number": "1", "case_type": "general", "models": models, "status": "planned"}
    save(repository, "case", "k", fields | {"case_manager": "Practitioner/noor"})
    by = {"name": "by", "valueReference": {"reference": "Practitioner/noor"}}
    manager, policy = Viewer("case-manager", NURSE.references, "CAREMGT"), policies(None)["case-manager"]
    body = {"resourceType": "Parameters", "parameter": [by]}
    assert ask("POST", "EpisodeOfCare/k/$open", body, viewer=manager, policy=policy).status == 200
    assert repository.read("EpisodeOfCare", "k").version == 2
    [event] = repository.scan("AuditEvent")
    alone = {name: value for name, value in event.raw.items() if name != "id"}
    assert isinstance(ask("POST", "AuditEvent", alone, viewer=manager, policy=policy), Forbidden)
    alma = json.loads(ask("GET", "Patient/alma", viewer=manager, policy=policy).text)
    forged = {**alone, "entity": [{"what": {"reference": "Patient/alma"}}]}
    entries = [("PUT", "Patient/alma", alma), ("POST", "AuditEvent", forged)]
    several = [{"resource": resource, "request": {"method": method, "url": url}} for method, url, resource in entries]
    for kind in ("transaction", "batch"):
        bundle = {"resourceType": "Bundle", "type": kind, "entry": several}
        told = ask("POST", "", bundle, viewer=manager, policy=policy)
        assert isinstance(told, Forbidden) if kind == "transaction" else "403" in json.loads(told.text)["entry"][1]["response"]["status"]
    assert [each.id for each in repository.scan("AuditEvent")] == [event.id]


def test_with_broken_glass_a_patient_is_seen_without_ties_and_consents(ask):
    broken = Viewer("clinician", frozenset(("Practitioner/new",)), "BTG", glass=frozenset(("Patient/alma",)))
    clinician = policies(None)["clinician"]
    assert ids(ask("GET", "CarePlan", viewer=broken, policy=clinician)) == {"plan-alma"}
    assert ids(ask("GET", "CarePlan?patient=river", viewer=broken, policy=clinician)) == set()


def test_each_role_sees_what_its_policy_says(ask):
    seen = {
        "clinician": {"plan-alma"},
        "case-manager": {"plan-alma"},
        "insurer-reader": set(),
        "auditor": set(),
        "administrator": set(),
    }
    for role, expected in seen.items():
        viewer = Viewer(role, NURSE.references | INSURER.references, "TREAT")
        assert ids(ask("GET", "CarePlan", viewer=viewer, policy=policies(None)[role])) == expected, role
    manager = Viewer("supervisor", frozenset(("Practitioner/boss",)), "TREAT", team=NURSE.references)
    assert ids(ask("GET", "CarePlan", viewer=manager, policy=policies(None)["supervisor"])) == {"plan-alma"}


def test_one_viewer_never_gets_the_answer_to_another_s_question(repository):
    asked = [seen_by(repository, sight_of(repository.database, viewer, NOON)).database for viewer in (INSURER, NURSE, INSURER)]
    assert len({large.large(database, "question", lambda database=database: database.name) for database in asked}) == 3


def test_what_is_not_a_resource_is_not_read(repository):
    seen = seen_by(repository, sight_of(repository.database, INSURER, NOON))
    for name in ("cards", "linked", "owed", "conflicts", "notifications", "remotes"):
        with pytest.raises(Forbidden):
            seen.database[name]
    with pytest.raises(Forbidden):
        seen.linked("hospital|Patient/1")
    with pytest.raises(NotFound):
        seen.read("Patient", "alma")


def test_a_type_that_no_policy_shows_is_empty(ask):
    assert ids(ask("GET", "CareTeam")) == set()
    assert json.loads(ask("GET", "CareTeam?_summary=count").text)["total"] == 0
    assert isinstance(ask("GET", "CareTeam/t"), NotFound)


SCOPE = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}]}


def agreed(provision, status="active"):
    return {"resourceType": "Consent", "status": status, "scope": SCOPE, "patient": {"reference": "Patient/river"}, "provision": provision}


def condition(code):
    return {"resourceType": "Condition", "subject": {"reference": "Patient/river"}, "code": {"coding": [{"system": "urn:c", "code": code}]}}


NOT_Y = agreed({"type": "deny", "code": [{"coding": [{"system": "urn:c", "code": "y"}]}]})


def test_a_consent_that_is_revoked_counts_from_the_next_page_on(ask, repository):
    repository.commit([Change("Consent", "k", agreed({"type": "permit"}), 0)])
    repository.commit([Change("Condition", f"c{number}", condition("x"), 0) for number in range(3)])
    opt_in = structs.replace(POLICY, consent="opt-in")
    page = ask("GET", "Condition?_count=1", policy=opt_in)
    assert ids(page) == {"c0"}
    following = next(link["url"] for link in json.loads(page.text)["link"] if link["relation"] == "next").removeprefix(f"{BASE}/")
    assert ids(ask("GET", following, policy=opt_in)) == {"c1"}
    repository.commit([Change("Consent", "k", agreed({"type": "permit"}, "inactive"), 1)])
    assert ids(ask("GET", following, policy=opt_in)) == set()
    assert isinstance(ask("GET", "Condition/c0", policy=opt_in), NotFound)


def test_of_what_was_deleted_it_is_told_only_where_its_content_did_not_matter(ask, repository):
    repository.commit([Change("Condition", "c", condition("y"), 0)])
    repository.commit([Change("Condition", "c", None, 1)])
    assert isinstance(ask("GET", "Condition/c"), Gone)
    assert len(json.loads(ask("GET", "Condition/_history").text)["entry"]) == 2
    repository.commit([Change("Consent", "k", NOT_Y, 0)])
    assert isinstance(ask("GET", "Condition/c"), NotFound)
    assert "entry" not in json.loads(ask("GET", "Condition/_history").text)


def test_what_changes_while_it_is_judged_is_judged_again(repository, monkeypatch):
    repository.commit([Change("Consent", "k", NOT_Y, 0), *(Change("Condition", id, condition("x"), 0) for id in "cd")])
    sight = Sight(repository.database, INSURER, POLICY, NOON, frozenset())
    judge, times = sight.narrowed, iter([True])

    def judged_then_changed(*asked, **more):
        found = judge(*asked, **more)
        if next(times, False):
            repository.commit([Change("Condition", "c", condition("y"), 1)])
        return found

    monkeypatch.setattr(sight, "narrowed", judged_then_changed)
    conditions = seen_by(repository, sight).collection("Condition")
    assert [document["_id"] for document in conditions.find({"fhir.deleted": False})] == ["d"]


def test_of_what_is_judged_no_more_is_read_than_is_asked_for(repository, monkeypatch):
    repository.commit([Change("Consent", "k", NOT_Y, 0)])
    repository.commit([Change("Condition", f"c{number:03}", condition("y" if number % 2 else "x"), 0) for number in range(230)])
    sight = Sight(repository.database, INSURER, POLICY, NOON, frozenset())
    conditions, judge, judged = seen_by(repository, sight).collection("Condition"), sight.seen, []

    def counted(type, documents):
        judged.extend(documents)
        return judge(type, documents)

    monkeypatch.setattr(sight, "seen", counted)
    found = conditions.find({"fhir.deleted": False}, {"_id": 1}, sort=[("_id", 1)], limit=60)
    assert [document["_id"] for document in found] == [f"c{number:03}" for number in range(0, 120, 2)]
    assert len(judged) == 200
    assert conditions.count_documents({"fhir.deleted": False}) == 115
    [group] = conditions.aggregate([{"$match": {"fhir.deleted": False}}, {"$group": {"_id": None, "all": {"$sum": 1}}}])
    assert group["all"] == 115
    monkeypatch.setattr(sighted, "_MOST", 114)
    with pytest.raises(TooLarge):
        conditions.aggregate([{"$match": {"fhir.deleted": False}}])


def test_what_keeps_changing_while_it_is_computed_is_refused_in_the_end(repository, monkeypatch):
    repository.commit([Change("Consent", "k", NOT_Y, 0), *(Change("Condition", id, condition("x"), 0) for id in "cd")])
    sight = Sight(repository.database, INSURER, POLICY, NOON, frozenset())
    judge, versions = sight.narrowed, itertools.count(1)

    def changed_then_judged(*asked, **more):
        version = next(versions)
        repository.commit([Change("Condition", "c", condition("xy"[version % 2]), version)])
        return judge(*asked, **more)

    monkeypatch.setattr(sight, "narrowed", changed_then_judged)
    with pytest.raises(Busy):
        seen_by(repository, sight).collection("Condition").aggregate([{"$match": {"fhir.deleted": False}}])
    assert next(versions) < 10
