"""What must hold of a record when it is written: a table of checks by concept (DOMAIN §3.5).

The checks of a case's transitions are in `adapter.cases.guards`; what its fields may hold at all, in the record's class.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from adapter.care.blood_pressure import category
from adapter.cases import direct_care, model_demands
from adapter.cases.dates import alike, impossible, not_yet
from adapter.cases.disclosure import refused
from adapter.cases.facts import Situation, day, goals_of_plan
from adapter.cases.guards import violations
from adapter.cases.insurance import unauthorised
from adapter.cases.record import Fields
from adapter.cases.scored import scored
from adapter.cases.succession import merged
from adapter.cases.transition_plan import LESSONS, Checklist
from adapter.cases.workflow import PLAN_GUARDS, refusal
from adapter.errors import Invalid, NotNow, RuleViolated


@dataclass(frozen=True)
class Writing:
    """A record that somebody is about to save."""

    concept: str
    fields: Fields
    before: Fields
    """Its fields as they are stored; empty for a new record."""
    at: str
    look: Callable[[], Situation]
    """Reads the situation that the record will be part of: of its case, or of its client alone."""

    @cached_property
    def now(self) -> Situation:
        return self.look()

    @property
    def alone(self) -> Situation:
        """The same, this being the only record of its concept: where the latest counts, it is judged itself."""
        facts = self.now.facts
        return replace(self.now, facts=replace(facts, records={**facts.records, self.concept: {"": self.fields}}))

    def becomes(self, name: str, *values: str) -> bool:
        """Whether the field gets one of these values by this writing."""
        return self.fields.get(name) in values and self.before.get(name) not in values


Finding = tuple[str, str]
"""The path of what is wrong, and a sentence that says what."""


@dataclass(frozen=True)
class Rule:
    """A check of a record that is written."""

    code: str
    check: Callable[[Writing], Finding | None]
    error: type[RuleViolated] = RuleViolated
    yields: bool = False
    """Whether a reason is enough to go on all the same."""


# By concept: who is told by what the record says; and when they are.
_TOLD = {"advocacy": "addressed_to", "message": "recipients", "eligibility_request": "insurer", "preauthorisation": "insurer"}
_SAID = ("in_progress", "completed", "active")
_STEPS_OF_SERVICE = {
    "not_started": {"scheduled", "in_progress", "on_hold", "completed", "cancelled"},
    "scheduled": {"not_started", "in_progress", "on_hold", "completed", "cancelled"},
    "in_progress": {"on_hold", "completed", "stopped"},
    "on_hold": {"not_started", "scheduled", "in_progress", "cancelled", "stopped", "completed"},
}


# By concept: which of its fields says who does it, and whether that is forbidden.
_DIRECT_CARE: dict[str, tuple[str, Callable[[Fields, Situation], bool]]] = {
    "planned_service": ("performers", direct_care.in_service),
    "appointment": ("participants", direct_care.in_appointment),
    "encounter": ("participants", direct_care.in_encounter),
    "procedure": ("performer", direct_care.in_procedure),
}

READINESS = tuple(Checklist._fields)


def plausible_pressure(writing: Writing) -> Finding | None:
    """V-06"""
    if writing.fields["code"].get("code") != "85354-9":
        return None
    found = {part["code"].get("code"): part.get("value", {}).get("quantity", {}) for part in writing.fields.get("components", [])}
    systolic, diastolic = found.get("8480-6", {}), found.get("8462-4", {})
    if "value" not in systolic or "value" not in diastolic:
        return None
    try:
        for reading in (systolic, diastolic):
            category(systolic["value"], diastolic["value"], reading.get("code", "missing"))
    except RuleViolated as error:
        return "components", error.text
    return None


def answers_in_range(writing: Writing) -> Finding | None:
    """V-07"""
    try:
        scored(writing.fields)
    except Invalid as error:
        return "answers", error.text
    return None


def measured(writing: Writing) -> Finding | None:
    """gol-1, V-12"""
    for place, target in enumerate(writing.fields.get("targets", [])):
        if "value" in target and "measure" not in target:
            return f"targets[{place}].measure", "A target with a value needs its measure."
    return None


def spoken_for(writing: Writing) -> Finding | None:
    """P-32: who cannot decide alone is spoken for by somebody who may, or in an emergency treated at a practitioner's word."""
    fields, records = writing.fields, writing.now.facts
    client = records.of("client").get(fields["client"], {})
    if fields["status"] != "active" or client.get("capacity") != "impaired":
        return None
    deciding = {client.get("decision_maker")} | {key for key, who in records.of("support_person").items() if who.get("is_decision_maker")}
    emergency = fields["scope"] == "treatment" and any(who.startswith("Practitioner") for who in fields.get("performers", []))
    if emergency or deciding & set(fields.get("performers", [])):
        return None
    return "performers", "The client's capacity is impaired: who consents must be a support person who may decide."


def no_direct_care(writing: Writing) -> Finding | None:
    """M-01"""
    path, forbidden = _DIRECT_CARE[writing.concept]
    return (path, "The case's models do not let this case manager treat.") if forbidden(writing.fields, writing.now) else None


def service_goes_on(writing: Writing) -> Finding | None:
    old, new = writing.before.get("status"), writing.fields["status"]
    if old in (None, new) or new == "entered_in_error" or new in _STEPS_OF_SERVICE.get(str(old), ()):
        return None
    return "status", f"A service that is {old} does not become {new}."


def authorised(writing: Writing) -> Finding | None:
    """C-22"""
    if not writing.becomes("status", "booked", "arrived", "checked_in", "fulfilled"):
        return None
    known = writing.now.facts.of("planned_service")
    missing = [
        text
        for reference in writing.fields.get("services", [])
        if (text := unauthorised(reference, known.get(reference, {}), writing.now, writing.fields.get("start")))
    ]
    return ("services", missing[0]) if missing else None


def accompanied(writing: Writing) -> Finding | None:
    """M-04"""
    fields = writing.fields
    if fields["status"] != "fulfilled" or "accompanied" in fields or not model_demands.followed(writing.now).demands.accompaniment:
        return None
    return "accompanied", "The case's models need whether the case manager came along."


def decided(writing: Writing) -> Finding | None:
    """P-20"""
    fields = writing.fields
    trouble = fields.get("treatment_working") == "no" or fields.get("barriers")
    decision = fields.get("adjustment_decision", {})
    if fields["status"] != "completed" or not trouble or decision.get("decision") == "proposed" or decision.get("reason"):
        return None
    return "adjustment_decision", "A barrier or failing treatment needs a proposal to change the plan, or a reason not to."


def medication_reviewed(writing: Writing) -> Finding | None:
    """P-28"""
    fields = writing.fields
    if fields["status"] != "completed" or fields["source"] != "client":
        return None
    told = [_names(item["medication"]) for item in fields.get("medication_adherence", [])]
    if all(any(names & _names(code) for names in told) for code in writing.now.facts.medications.values()):
        return None
    return "medication_adherence", "Each active prescription needs whether it is taken, or that this was not assessed."


def _names(code: Fields) -> set[str]:
    return {str(code[name]).casefold() for name in ("code", "display", "text") if name in code}


def goals_reviewed(writing: Writing) -> Finding | None:
    """P-17"""
    fields = writing.fields
    if not writing.becomes("status", "completed") or fields["source"] != "client":
        return None
    told = {review["goal"] for review in fields.get("goal_reviews", [])}
    standing = {key for key, goal in goals_of_plan(writing.now.facts).items() if goal["lifecycle"] == "active"}
    return None if standing <= told else ("goal_reviews", "Each active goal needs how far it is, or that it was not reviewed.")


def reason_kept(writing: Writing) -> Finding | None:
    """P-02"""
    if writing.fields["disposition"] != "not_eligible" or "disposition_reason" in writing.fields:
        return None
    return "disposition_reason", "Why the client is not eligible is needed."


def tier_urgent(writing: Writing) -> Finding | None:
    """V-19"""
    fields = writing.fields
    if fields["status"] not in ("final", "amended") or not fields.get("urgent_flags") or fields.get("tier") in ("high", "complex"):
        return None
    return "tier", "An urgent flag makes the tier high at least."


def plan_over(writing: Writing) -> Finding | None:
    """A plan that is over is history: it says what was planned."""
    if writing.before.get("status") not in ("revoked", "completed") or writing.fields["status"] == "entered_in_error":
        return None
    if alike(writing.fields, writing.before):
        return None
    return "status", "A plan that is revoked or completed does not change; a new plan can replace it."


def plain(writing: Writing) -> Finding | None:
    """P-10"""
    for place, option in enumerate(writing.fields.get("options", [])):
        if "presented_at" in option and "plain_text" not in option:
            return f"options[{place}].plain_text", "An option that is shown to the client needs a text in plain words."
    return None


def issued(writing: Writing) -> Finding | None:
    """A-15"""
    for place, credential in enumerate(writing.fields.get("credentials", [])):
        if credential["kind"] == "CCM" and "issuer" not in credential:
            return f"credentials[{place}].issuer", "A CCM certificate needs its issuer."
    return None


def consented(writing: Writing) -> Finding | None:
    """V-16, A-07"""
    path = _TOLD[writing.concept]
    if writing.fields["status"] not in _SAID or "client" not in writing.fields:
        return None
    told = writing.fields.get(path, [])
    if not refused(writing.now.facts, [told] if isinstance(told, str) else told, writing.at):
        return None
    return path, "The client has not agreed that everybody named here is told."


def ready(writing: Writing) -> Finding | None:
    """P-23"""
    if not writing.becomes("status", "completed"):
        return None
    checked = writing.fields.get("readiness", {})
    for item in READINESS:
        state = checked.get(item, {"status": "open"})
        if state["status"] == "open" or (state["status"] == "not_applicable" and "reason" not in state):
            return f"readiness.{item}", "Each thing that must be ready is done, or does not apply for a reason."
    return None


def taught(writing: Writing) -> Finding | None:
    """P-12"""
    if not writing.becomes("status", "completed"):
        return None
    lessons = writing.now.facts.of("education").values()
    known = {lesson.get("topic") for lesson in lessons if lesson["status"] == "completed"}
    for item, topic in LESSONS.items():
        state = writing.fields.get("readiness", {}).get(item, {})
        if state.get("status") == "done" and topic not in known and "reason" not in state:
            return f"readiness.{item}", "A lesson that is done has its record, or a reason why there is none."
    return None


def delay_explained(writing: Writing) -> Finding | None:
    """P-23"""
    wanted, actual = writing.fields.get("target_date"), writing.fields.get("actual_date")
    if wanted is None or actual is None or "delay_reason" in writing.fields or day(actual) <= day(wanted):
        return None
    return "delay_reason", "A transition later than its target date needs the reason of the delay."


def enrolment_dated(writing: Writing) -> Finding | None:
    """P-13"""
    if writing.fields["status"] not in ("enrolled", "not_enrolled") or "decided_at" in writing.fields:
        return None
    return "decided_at", "A programme's answer has its date."


RULES: dict[str, tuple[Rule, ...]] = {
    "measurement": (Rule("bp_implausible", plausible_pressure),),
    "response": (Rule("score_incomplete", answers_in_range),),
    "screening": (Rule("score_incomplete", answers_in_range), Rule("reason_missing", reason_kept)),
    "goal": (Rule("goal_target_invalid", measured),),
    "consent": (Rule("consent_invalid", spoken_for),),
    "planned_service": (Rule("model_forbids_direct_care", no_direct_care, NotNow), Rule("service_status_invalid", service_goes_on)),
    "appointment": (
        Rule("model_forbids_direct_care", no_direct_care, NotNow),
        Rule("authorisation_missing", authorised, NotNow, yields=True),
        Rule("accompaniment_missing", accompanied),
    ),
    "encounter": (Rule("model_forbids_direct_care", no_direct_care, NotNow),),
    "procedure": (Rule("model_forbids_direct_care", no_direct_care, NotNow),),
    "follow_up": (
        Rule("goals_unreviewed", goals_reviewed),
        Rule("decision_missing", decided),
        Rule("adherence_missing", medication_reviewed),
    ),
    "risk_evaluation": (Rule("urgency_unanswered", tier_urgent),),
    "plan": (Rule("plan_over", plan_over), Rule("plain_text_missing", plain)),
    "advocacy": (Rule("consent_missing", consented, yields=True),),
    "eligibility_request": (Rule("consent_missing", consented, yields=True),),
    "preauthorisation": (Rule("consent_missing", consented, yields=True),),
    "message": (Rule("consent_missing", consented),),
    "transition_plan": (
        Rule("readiness_open", ready),
        Rule("readiness_open", taught),
        Rule("reason_missing", delay_explained),
    ),
    "programme_application": (Rule("decision_undated", enrolment_dated),),
    "case_manager": (Rule("issuer_missing", issued),),
}
"""By concept; V-18 is checked of all. A procedure is no record of ours and is judged by what its resource says."""

REACHED: dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "assessment": ("status", ("completed", "amended"), ("V-05", "assessed")),
    "plan": ("status", ("active",), PLAN_GUARDS),
}
"""By concept: a field, the values of it that a record reaches only where these guards hold, as at the transition that they belong to."""

NORMAL: dict[str, Callable[[Fields], Fields]] = {
    "care_team": lambda fields: {**fields, "participants": merged(fields["participants"])} if fields.get("participants") else fields,
}
"""By concept: the form that its records are kept in (A-08)."""


def broken(writing: Writing, *, reason: str | None = None) -> Iterator[RuleViolated]:
    """An error for each rule that the record breaks, the first being the one to raise; those that yield to a reason do."""
    for path, text in (*not_yet(writing.concept, writing.fields, writing.at), *impossible(writing.fields)):
        yield RuleViolated(text, code="date_invalid", expression=[path])
    for rule in RULES.get(writing.concept, ()):
        found = None if rule.yields and reason else rule.check(writing)
        if found:
            yield rule.error(found[1], code=rule.code, expression=[found[0]])
    name, values, guards = REACHED.get(writing.concept, ("", (), ()))
    if name and writing.becomes(name, *values) and writing.fields.get("case"):
        missing = violations(guards, writing.alone)
        if missing:
            yield refusal(missing, "The record is not whole yet.")
