"""What a packet holds, for whom, of which time, and as of which moment."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from msgspec import structs

from adapter.access.policy import policies
from adapter.errors import Busy, Forbidden, NotApplicable, TooLarge
from adapter.fhir.dates import BEGIN, END
from adapter.packet import member, reach
from adapter.packet.packet import Asked, packet
from adapter.packet.reach import named
from adapter.store.seen import seen_by
from adapter.store.sight import Sight

from .scene import BORN, INSURER, MEMBER, NOON, SEEN, agreed, change, coverage, denied, insurers_sight, person, plan, to, told_of

YEAR = (datetime(2025, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC))
NOW = Asked("river", *YEAR)


def read(repository, asked=NOW, viewer=INSURER, **more):
    return packet(repository, insurers_sight(repository, viewer), asked, **more)


def held(made):
    references = [named(row) for row in made.rows]
    assert len(references) == len(set(references))
    return set(references)


def test_a_packet_holds_the_plans_of_the_time_and_what_they_lead_to_as_the_caller_sees_it(repository):
    made = read(repository)
    assert held(made) == SEEN
    assert [named(row) for row in made.plans] == ["CarePlan/now"]
    assert [named(row) for row in made.coverages] == ["Coverage/cover"]
    assert (made.patient, made.moment, made.purpose, made.periods) == ("Patient/river", NOON, "HPAYMT", (YEAR,))
    [river] = [row for row in made.rows if row.type == "Patient"]
    assert "contact" not in river.text


def test_what_was_done_about_a_plan_in_its_time_comes_along_and_nothing_that_only_has_the_same_patient(repository):
    """A score is of the plan, a task of a request in it, a visit of a problem of it; an earlier visit is not of the time."""
    seen = held(read(repository))
    assert {"Observation/score", "QuestionnaireResponse/answers", "Task/call", "Encounter/visit"} <= seen
    assert seen.isdisjoint({"Encounter/long-ago", "Observation/of-another-thing", "QuestionnaireResponse/of-another-thing"})
    follows = {"status": "requested", "intent": "order", "for": to("Patient/river"), "partOf": [to("Task/call")]}
    repository.commit([change("Task/second-step", follows)])
    assert "Task/second-step" not in held(read(repository))


def test_where_nobody_is_asked_who_they_are_it_holds_all_of_the_patient_and_nothing_of_another(repository):
    made = packet(repository, None, NOW)
    beside = {"Condition/low", "RiskAssessment/risk", "Flag/flag", "Practitioner/psych", "Provenance/low"}
    assert held(made) == SEEN | beside
    assert made.withheld == {}
    assert {ground.basis for ground in made.grounds} == {"not-asked", "open", "target"}


def test_the_cover_bounds_the_time_that_is_asked_for(repository):
    made = read(repository, Asked("river"))
    assert made.periods == ((datetime(2024, 1, 1, tzinfo=UTC), END),)
    assert {named(row) for row in made.plans} == {"CarePlan/now", "CarePlan/last-year"}
    [(_, count)] = [(each, count) for each, count in made.withheld.items() if each.rule == "outside-cover"]
    assert count == 1
    with pytest.raises(NotApplicable) as refused:
        read(repository, Asked("river", BEGIN, datetime(2020, 1, 1, tzinfo=UTC)))
    assert refused.value.expression == ("period",)


def test_a_gap_in_the_cover_is_a_gap_in_the_packet(repository):
    spring, autumn = {"start": "2025-01-01", "end": "2025-04-30"}, {"start": "2025-09-01"}
    for reference, period, version in (("Coverage/cover", spring, 1), ("Coverage/later", autumn, 0)):
        repository.commit([change(reference, coverage("river", "ins", period=period), version)])
    repository.commit(
        [
            change(f"CarePlan/{name}", plan(start=f"2025-{month}-01", end=f"2025-{month}-20"))
            for name, month in (("june", "06"), ("fall", "10"))
        ]
    )
    made = read(repository)
    assert len(made.periods) == 2
    assert {named(row) for row in made.plans} == {"CarePlan/now", "CarePlan/fall"}
    assert [named(row) for row in made.coverages] == ["Coverage/cover"]


def test_who_sees_a_patient_for_another_reason_is_bound_by_no_cover(repository):
    dana = replace(INSURER, role="clinician", references=frozenset(("Practitioner/dana",)), purpose="TREAT")
    made = read(repository, Asked("river"), dana)
    assert made.periods == ((BEGIN, END),)
    assert made.coverages == ()
    assert {"CarePlan/before", "Condition/low", "Flag/flag"} <= held(made)
    assert "sensitive" not in {each.rule for each in made.withheld}
    broken = read(repository, Asked("river"), replace(INSURER, glass=frozenset(("Patient/river",))))
    assert broken.periods == ((BEGIN, END),)


def test_nobody_is_told_from_nobody(repository):
    """Another insurer's member, somebody who did not agree, was deleted or never was: one answer."""
    repository.commit([change("Patient/noor", person()), change("Coverage/noor", coverage("noor", "ins"))])
    repository.commit([change("Patient/late", person()), change("Coverage/late", coverage("late", "ins", period={"end": "2025-01-01"}))])
    repository.commit([change("Consent/late", agreed(whom="late")), change("Patient/gone", person())])
    repository.commit([change("Patient/gone", None, 1)])
    told = set()
    for name in ("alma", "noor", "late", "gone", "nobody"):
        with pytest.raises(NotApplicable) as refused:
            read(repository, Asked(name))
        told.add((refused.value.text, refused.value.expression))
    seen = seen_by(repository, insurers_sight(repository))
    alma = {"resourceType": "Patient", "name": [{"family": "Kanarifugl"}], "birthDate": BORN}
    covered = {"resourceType": "Coverage", "identifier": [{**MEMBER, "value": "m-2"}], **coverage("x", "other")}
    with pytest.raises(NotApplicable) as refused:
        member.of_identity(seen, alma, covered)
    told.add((refused.value.text, refused.value.expression))
    assert member.of_identity(seen, alma, covered | {"identifier": [MEMBER]}) == "river"
    assert len(told) == 1


def test_a_purpose_is_that_of_the_caller_or_a_kind_of_it(repository):
    only = agreed(
        provision={"type": "permit", "purpose": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "CLMATTCH"}]}
    )
    repository.commit([change("Consent/yes", only, 1)])
    assert held(read(repository, replace(NOW, purpose="CLMATTCH"))) >= {"CarePlan/now"}
    with pytest.raises(NotApplicable):
        read(repository, NOW)
    for other in ("TREAT", "HMARKT", "HOPERAT", "nonsense"):
        with pytest.raises(Forbidden):
            read(repository, replace(NOW, purpose=other))


def test_another_person_s_record_is_never_walked_into(repository):
    """Though the insurer covers both, both agreed, and river takes part in alma's plan and pays for her cover."""
    performing = [{"detail": {"status": "scheduled", "performer": [to("Patient/river")]}}]
    repository.commit([change("Coverage/alma", coverage("alma", "ins", subscriber=to("Patient/river")), 1)])
    repository.commit([change("CarePlan/with-river", plan("alma", start="2025-01-01", activity=performing))])
    made = read(repository)
    assert held(made) == SEEN
    assert {each.type: count for each, count in made.withheld.items() if each.rule == "other-person"} == {"Patient": 1}


def test_a_provenance_comes_along_where_all_that_it_is_about_is_the_member_s(repository):
    repository.commit(
        [change("Coverage/alma", coverage("alma", "ins"), 1), change("Provenance/before", told_of("CarePlan/now", "CarePlan/before"))]
    )
    assert {reference for reference in held(read(repository)) if reference.startswith("Provenance/")} == {
        "Provenance/plan",
        "Provenance/before",
    }


def test_a_circle_of_references_ends(repository):
    repository.commit([change("CarePlan/now", plan(start="2025-01-01", replaces=[to("CarePlan/before")]), 1)])
    repository.commit([change("CarePlan/before", plan(start="2019-01-01", end="2019-02-01", replaces=[to("CarePlan/now")]), 1)])
    made = read(repository)
    assert [named(row) for row in made.plans] == ["CarePlan/now"]
    assert "CarePlan/before" in {named(row) for row in made.others}


def changing(repository, monkeypatch, *changes):
    """Have these written while the record is read, one each time."""
    own, left = reach.Reach.own, iter(changes)

    def after(self, type):
        found = own(self, type)
        if type == "Coverage" and (made := next(left, None)):
            repository.commit([made])
        return found

    monkeypatch.setattr(reach.Reach, "own", after)


def test_what_is_told_was_so_at_one_moment(repository, monkeypatch):
    """The goal is exchanged after the plan was read: neither a plan without its goal nor one with a goal of later is told."""
    goal = {"lifecycleStatus": "active", "description": {"text": "note (Kanarifugl)"}, "subject": to("Patient/river")}
    repository.commit([change("Goal/swim", goal)])
    changing(repository, monkeypatch, change("CarePlan/now", plan(start="2025-01-01", goal=[to("Goal/swim")]), 1))
    made = read(repository)
    assert [row.version for row in made.plans] == [2]
    assert {row.id for row in made.rows if row.type == "Goal"} == {"swim"}


def test_a_consent_that_is_withdrawn_while_the_record_is_read_counts(repository, monkeypatch):
    changing(repository, monkeypatch, change("Consent/yes", agreed(denied("RiskAssessment"), status="inactive"), 1))
    with pytest.raises(NotApplicable):
        read(repository)


def test_a_record_that_keeps_changing_is_refused_in_the_end(repository, monkeypatch):
    changing(repository, monkeypatch, *(change("CarePlan/now", plan(start="2025-01-01", title=f"Kanarifugl {n}"), n) for n in range(1, 20)))
    with pytest.raises(Busy):
        read(repository)
    assert repository.read("CarePlan", "now").version < 10


def test_a_record_that_is_too_large_is_refused(repository, monkeypatch):
    monkeypatch.setattr(reach, "MOST", 5)
    with pytest.raises(TooLarge):
        read(repository)


def test_a_record_of_which_too_much_would_have_to_be_looked_at_is_refused(repository, monkeypatch):
    most = len(read(repository).rows)
    monkeypatch.setattr(reach, "MOST", most)
    assert len(read(repository).rows) == most
    observation = {"status": "final", "code": {"text": "Kanarifugl"}, "subject": to("Patient/river")}
    repository.commit([change(f"Observation/o{number}", observation, 0) for number in range(most + 1)])
    with pytest.raises(TooLarge, match="of a type"):
        read(repository)


def test_a_type_that_a_policy_does_not_show_is_not_in_it(repository):
    policy = structs.replace(policies(None)["insurer-reader"], open=("Organization",))
    made = packet(repository, Sight(repository.database, INSURER, policy, NOON, frozenset()), NOW)
    assert held(made) == SEEN - {"Practitioner/dana", "Practitioner/kim"}
    assert {each.type: count for each, count in made.withheld.items() if each.rule == "type"} == {"Flag": 1, "Practitioner": 2}
