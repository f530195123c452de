"""Plans in the store: options, the client's word, adjustments; services and their sessions."""

import pytest

from adapter.casework import cases, plans, services
from adapter.casework.records import put, read
from adapter.errors import NotFound, NotNow, RuleViolated, StaleRecord
from adapter.store.documents import Change
from tests.casework.conftest import DANA, case

OF_ALMA = {"client": "Patient/alma"}


@pytest.fixture
def opened(desk):
    return cases.open_case(desk, case())


def service(desk, opened, id, **fields):
    base = OF_ALMA | {"case": opened.reference, "status": "not_started", "intent": "proposal", "kind": "rehabilitation", "description": id}
    return put(desk, "planned_service", id, base | {"goals": ["Goal/g1"]} | fields)


def plan(desk, opened, **fields):
    base = OF_ALMA | {"case": opened.reference, "status": "draft", "intent": "plan", "title": "Stroke", "goals": ["Goal/g1"]}
    return put(desk, "plan", "plan", base | fields)


def in_force(desk, plan):
    """A plan in force, as a remote would bring it: the guards of its activation are tried elsewhere."""
    stored = desk.repository.find("CarePlan", plan.id)
    desk.repository.commit([Change("CarePlan", plan.id, {**stored.raw, "status": "active"}, stored.version)])
    return read(desk.repository, "plan", plan.id)


@pytest.fixture
def with_options(desk, opened):
    for id, cost in (("a", 21000), ("b", 24000), ("c", 16000)):
        service(desk, opened, id, estimated_cost={"value": cost, "currency": "USD"}, goals=["Goal/g1"] if id != "c" else ["Goal/g2"])
    shown = [{"id": id, "title": id, "plain_text": f"Facility {id}.", "services": [f"ServiceRequest/{id}"]} for id in "abc"]
    return plan(desk, opened, options=shown, services=[f"ServiceRequest/{id}" for id in "abc"])


def test_options_are_shown_in_plain_words_and_compared_by_cost(desk, with_options):
    """C-06, P-10"""
    shown = plans.show(desk, "plan")
    assert all("presented_at" in option for option in shown.fields["options"])
    assert plans.show(desk, "plan").version == shown.version
    found = plans.options(desk, "plan")
    assert [(option.id, option.unmet) for option in found] == [("c", ("Goal/g1",)), ("a", ()), ("b", ())]
    dark = [{name: value for name, value in option.items() if name != "plain_text"} for option in with_options.fields["options"]]
    put(desk, "plan", "plan", {**with_options.fields, "options": dark})
    with pytest.raises(RuleViolated) as refused:
        plans.show(desk, "plan")
    assert refused.value.code == "plain_text_missing"


def test_one_of_the_candidates_becomes_an_order_and_the_others_are_kept(desk, with_options):
    """P-10, P-29"""
    with pytest.raises(RuleViolated) as refused:
        plans.choose(desk, "plan", "a")
    assert refused.value.code == "option_not_shown"
    plans.show(desk, "plan")
    chosen = plans.choose(desk, "plan", "a")
    assert plans.choose(desk, "plan", "a").version == chosen.version
    assert [option["chosen"] for option in chosen.fields["options"]] == [True, False, False]

    def intents():
        kept = [stored.record for stored in desk.repository.scan("ServiceRequest")]
        return sorted((record["description"], record["intent"], record["status"]) for record in kept)

    assert [row for row in intents() if row[1] == "order"] == [("a", "order", "not_started")]
    assert [row[1] for row in intents()].count("proposal") == 3
    again = plans.choose(desk, "plan", "b")
    assert [row for row in intents() if row[1] == "order"] == [("a", "order", "cancelled"), ("b", "order", "not_started")]
    assert services.ordered("ServiceRequest/a") not in again.fields["services"]
    assert [option.get("chosen_at") is not None for option in again.fields["options"]] == [False, True, False]
    with pytest.raises(NotFound):
        plans.choose(desk, "plan", "d")


def test_a_minor_adjustment_is_proposed_accepted_and_makes_the_next_version(desk, opened):
    """P-19, P-20, C-07"""
    draft = plan(desk, opened)
    with pytest.raises(NotNow):
        plans.propose(desk, "plan", reason="barrier", severity="minor")
    assert plans.answer(desk, "plan", "accepted", "Patient/alma").fields["acceptance"]["status"] == "accepted"
    in_force(desk, draft)
    proposed = plans.propose(desk, "plan", reason="barrier", severity="minor")
    [adjustment] = proposed.fields["adjustments"]
    assert adjustment["proposed_by"] == DANA
    at = adjustment["proposed_at"]
    with pytest.raises(RuleViolated) as refused:
        plans.carry_out(desk, "plan", at, {"title": "Stroke, with transport"})
    assert refused.value.code == "plan_not_accepted"
    before = plans.accept(desk, "plan", at)
    after = plans.carry_out(desk, "plan", at, {"title": "Stroke, with transport"})
    assert after.fields["adjustments"][0]["resulting_plan_version"] == after.version == before.version + 1
    assert after.fields["adjustments"][0]["changes"] == [{"op": "update", "path": "title"}]
    assert desk.repository.vread("CarePlan", "plan", before.version).record["title"] == "Stroke"
    [proof] = [
        stored.raw for stored in desk.repository.scan("Provenance") if stored.raw["activity"]["coding"][0]["code"] == "adjustment-applied"
    ]
    assert proof["reason"] == [{"text": "barrier"}]
    with pytest.raises(NotNow) as refused:
        plans.carry_out(desk, "plan", at, {"title": "again"})
    assert refused.value.code == "adjustment_applied"
    with pytest.raises(NotNow):
        plans.answer(desk, "plan", "declined", "Patient/alma")


def test_a_major_adjustment_makes_one_draft_while_the_old_plan_stays_in_force(desk, opened):
    """P-19, TR-14"""
    in_force(desk, plan(desk, opened))
    at = plans.propose(desk, "plan", reason="not_working", severity="major").fields["adjustments"][0]["proposed_at"]
    plans.accept(desk, "plan", at)
    with pytest.raises(RuleViolated) as refused:
        plans.carry_out(desk, "plan", at, {"title": "x"})
    assert refused.value.code == "adjustment_major"
    draft = plans.redraft(desk, "plan", at, {"title": "Stroke, second"})
    assert (draft.fields["status"], draft.fields["replaces"], draft.fields["title"]) == ("draft", ["CarePlan/plan"], "Stroke, second")
    assert not {"adjustments", "acceptance"} & draft.fields.keys()
    assert plans.redraft(desk, "plan", at, {}).version == draft.version
    assert read(desk.repository, "plan", "plan").fields["status"] == "active"


def test_whether_a_service_is_needed_is_decided_by_somebody_at_some_time(desk, opened):
    """P-09"""
    service(desk, opened, "pt")
    decided = services.decide(desk, "pt", "not_necessary", "comfort only", self_funded=True)
    word = decided.fields["medical_necessity"]
    assert (word["determination"], word["decided_by"], decided.fields["self_funded"]) == ("not_necessary", DANA, True)
    assert read(desk.repository, "planned_service", "pt").fields["self_funded"] is True


def test_a_service_gets_all_its_sessions_at_once_and_once(desk, opened):
    """P-33"""
    timing = {"frequency": 2, "period": 1, "period_unit": "wk", "count": 16}
    service(desk, opened, "pt", intent="order", timing=timing, performers=["Practitioner/kim"])
    other = {"client_attendance": "accepted", "status": "booked", "start": "2026-03-09T10:00:00Z", "end": "2026-03-09T10:30:00Z"}
    put(desk, "appointment", "other", OF_ALMA | other)
    made = services.schedule(desk, "pt", ("2026-03-09T10:00:00Z", "2026-03-12T10:00:00Z"), 45)
    assert len(made) == 16
    starts = sorted(each.fields["start"] for each in made)
    assert starts[:2] == ["2026-03-09T10:30:00.000Z", "2026-03-12T10:00:00.000Z"]
    assert read(desk.repository, "planned_service", "pt").fields["status"] == "scheduled"
    again = services.schedule(desk, "pt", ("2026-03-10T10:00:00Z", "2026-03-12T10:00:00Z"), 45)
    assert [each.version for each in again] == [1] * 16
    assert services.move(desk, "pt", "in_progress").fields["status"] == "in_progress"
    with pytest.raises(RuleViolated):
        services.move(desk, "pt", "not_started")


def test_sessions_without_authorisation_are_booked_with_a_reason_only(desk, opened):
    """C-22"""
    timing = {"frequency": 1, "period": 1, "period_unit": "d", "count": 2}
    service(desk, opened, "pt", intent="order", timing=timing, authorisation_required="yes")
    with pytest.raises(NotNow) as refused:
        services.schedule(desk, "pt", ("2026-03-09T10:00:00Z",), 45)
    assert (refused.value.code, refused.value.status) == ("authorisation_missing", 409)
    assert list(desk.repository.scan("Appointment")) == []
    assert len(services.schedule(desk, "pt", ("2026-03-09T10:00:00Z",), 45, reason="the insurer confirmed by phone")) == 2
    proofs = [stored.raw for stored in desk.repository.scan("Provenance") if stored.raw.get("reason")]
    assert [proof["reason"][0]["text"] for proof in proofs] == ["the insurer confirmed by phone"]


def test_what_is_left_out_of_a_draft_is_cancelled_unless_it_was_begun(desk, opened):
    """C-08"""
    service(desk, opened, "new", intent="plan")
    service(desk, opened, "begun", intent="plan", status="in_progress")
    plan(desk, opened, services=["ServiceRequest/new", "ServiceRequest/begun"])
    for name in ("new", "begun", "new"):
        plans.leave_out(desk, "plan", f"ServiceRequest/{name}")
    assert "services" not in read(desk.repository, "plan", "plan").fields
    assert [read(desk.repository, "planned_service", name).fields["status"] for name in ("new", "begun")] == ["cancelled", "in_progress"]


def test_what_the_plan_in_force_has_too_is_left_out_of_its_redraft_and_goes_on(desk, opened):
    """C-08, P-19"""
    service(desk, opened, "pt", intent="plan")
    service(desk, opened, "new", intent="plan")
    in_force(desk, plan(desk, opened, services=["ServiceRequest/pt"]))
    at = plans.propose(desk, "plan", reason="not_working", severity="major").fields["adjustments"][0]["proposed_at"]
    plans.accept(desk, "plan", at)
    both = ["ServiceRequest/pt", "ServiceRequest/new"]
    draft = plans.redraft(desk, "plan", at, {"services": both})
    for reference in both:
        plans.leave_out(desk, draft.id, reference)
    assert "services" not in read(desk.repository, "plan", draft.id).fields
    assert read(desk.repository, "plan", "plan").fields["services"] == ["ServiceRequest/pt"]
    assert [read(desk.repository, "planned_service", name).fields["status"] for name in ("pt", "new")] == ["not_started", "cancelled"]


def test_a_change_takes_out_of_the_plan_what_it_leaves_empty_and_is_made_of_one_version_only(desk, opened):
    """P-19"""
    service(desk, opened, "pt", intent="plan")
    in_force(desk, plan(desk, opened, services=["ServiceRequest/pt"]))
    at = plans.propose(desk, "plan", reason="barrier", severity="minor").fields["adjustments"][0]["proposed_at"]
    seen = plans.accept(desk, "plan", at)
    put(desk, "plan", "plan", {**seen.fields, "title": "Theirs"})
    with pytest.raises(StaleRecord):
        plans.carry_out(desk, "plan", at, {"services": None}, expect=seen.version)
    now = read(desk.repository, "plan", "plan")
    assert (now.fields["title"], "applied_at" in now.fields["adjustments"][0]) == ("Theirs", False)
    after = plans.carry_out(desk, "plan", at, {"services": None, "title": "Mine"}, expect=now.version)
    assert "services" not in after.fields
    assert after.fields["adjustments"][0]["changes"] == [{"op": "remove", "path": "services"}, {"op": "update", "path": "title"}]


def test_nothing_is_left_out_of_a_plan_in_force(desk, opened):
    service(desk, opened, "pt", intent="plan")
    in_force(desk, plan(desk, opened, services=["ServiceRequest/pt"]))
    with pytest.raises(NotNow) as refused:
        plans.leave_out(desk, "plan", "ServiceRequest/pt")
    assert refused.value.code == "plan_in_force"


def test_services_are_arranged_together_and_only_a_new_determination_is_dated(desk, opened):
    """P-09"""
    made = [service(desk, opened, name, intent="plan") for name in ("pt", "ot")]
    told = {each.reference: services.Arrangement(each.version, ("Practitioner/kim",), "necessary", "cannot walk") for each in made}
    services.arrange(desk, opened.reference, told)
    first = read(desk.repository, "planned_service", "pt")
    assert first.fields["performers"] == ["Practitioner/kim"]
    assert first.fields["medical_necessity"]["decided_by"] == DANA
    with pytest.raises(StaleRecord):
        services.arrange(desk, opened.reference, told)
    again = services.Arrangement(first.version, ("Practitioner/lee",), "necessary", "cannot walk")
    services.arrange(desk, opened.reference, {first.reference: again})
    after = read(desk.repository, "planned_service", "pt").fields
    assert (after["performers"], after["medical_necessity"]) == (["Practitioner/lee"], first.fields["medical_necessity"])
