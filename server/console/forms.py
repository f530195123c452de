"""Which fields a form asks first, and what a new record starts with: tables, one row a concept."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from uuid import uuid4

from adapter.care.risk import stratify
from adapter.cases.facts import Facts, goals_of_plan
from adapter.cases.record import Fields
from adapter.cases.registry import RECORDS
from adapter.cases.risk_evaluation import LEVELS, SEED_FACTORS
from adapter.casework.edits import MADE, MOVED
from adapter.casework.weighing import weighed
from adapter.config import BASE
from adapter.errors import CasebridgeError
from server.console.form import schema


@dataclass(frozen=True)
class Start:
    """What is known when somebody begins a record."""

    actor: str
    now: str
    case: str
    client: str
    facts: Facts

    @property
    def today(self) -> str:
        return self.now[:10]


# Of each concept what a case manager is asked first, in the order in which they think of it; the rest can be unfolded.
_FIRST: Mapping[str, tuple[str, ...]] = {
    "client": ("names", "birth_date", "identifiers", "pronouns", "languages", "telecoms", "addresses", "capacity", "decision_maker"),
    "stakeholder": ("kind", "name", "names", "telecoms", "addresses", "active"),
    "support_person": ("names", "relationships", "telecoms", "supports", "may_receive_information", "is_decision_maker"),
    "coverage": ("payers", "member_id", "status", "type", "period"),
    "consent": ("scope", "actor", "decision", "status", "agreed_at", "performers"),
    "referral": ("source", "requester", "received_at", "reasons", "priority", "status"),
    "measurement": ("effective", "components", "code", "status"),
    "encounter": ("status", "encounter_class", "period", "participants"),
    "condition": ("code", "clinical_status", "verification_status", "evidence", "onset_at", "recorded_at"),
    "barrier": ("kind", "description", "status", "opened_at", "accepted_reason", "resolved_at"),
    "strength": ("domain", "description", "source", "potential_use"),
    "assessment": (
        *("status", "effective_at", "meetings", "medical_condition", "circumstances", "insurance", "support_systems"),
        *("treatment_history", "investigations", "strengths", "client_preferences", "summary"),
    ),
    "risk_evaluation": ("factors", "potential_for_change", "urgent_flags", "tier_override", "mitigation", "basis", "status", "at"),
    "plan": (
        *("title", "period", "goals", "services", "social_situation", "medical_necessity", "resources", "no_resource_applicable"),
        *("status", "problems"),
    ),
    "goal": ("description", "kind", "expressed_by", "lifecycle", "achievement", "achievement_at", "priority", "targets", "addresses"),
    "planned_service": (
        *("description", "kind", "goals", "performers", "setting", "timing", "medical_necessity", "authorisation_required"),
        *("status", "intent", "reasons", "self_funded"),
    ),
    "appointment": ("description", "start", "end", "services", "participants", "status", "client_attendance", "accompanied"),
    "task": ("description", "priority", "due", "owner", "status", "focus"),
    "follow_up": (
        *("type", "source", "status", "occurred_at", "participants", "goal_reviews", "treatment_working", "barriers"),
        *("medication_adherence", "adjustment_decision", "next_contact_due", "note"),
    ),
    "outcome": (
        *("well_being", "finances", "care_appropriateness", "clinical_recovery", "readmission", "cost", "utilisation"),
        *("plan_adherence", "experience", "transition", "lessons", "status"),
    ),
    "case": ("close_reason", "diagnoses"),
}
# What follows from something else: it is shown where it stands, and never asked.
_COMPUTED: Mapping[str, frozenset[str]] = {
    "risk_evaluation": frozenset({"severity", "tier", "priority_score", "instrument_results"}),
    "plan": frozenset({"acceptance", "adjustments"}),
}
_FIXED = frozenset({"client", "case"})
_OWN_NUMBER = f"{BASE}/NamingSystem/client-number"
"""Whose number somebody has who was written down here."""


def layout(concept: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The fields that are asked first, and those that can be unfolded."""
    kind = RECORDS[concept]
    never = _FIXED | MADE.get(concept, {}).keys() | MOVED.get(concept, {}).keys() | _COMPUTED.get(concept, frozenset())
    known = [name for name in schema(kind) if name not in never]
    usual = _FIRST.get(concept) or tuple(name for name in known if kind.field(name).required)
    first = tuple(name for name in usual if name in known) or tuple(known)
    return first, tuple(name for name in known if name not in first)


def _keys(start: Start, concept: str, **wanted: str) -> list[str]:
    return [key for key, fields in start.facts.of(concept).items() if all(fields.get(name) == value for name, value in wanted.items())]


def _assessment(start: Start) -> Fields:
    persons, coverages = _keys(start, "support_person"), _keys(start, "coverage")
    return {
        "status": "completed",
        "effective_at": start.now,
        "assessor": start.actor,
        "meetings": _keys(start, "encounter", status="finished"),
        "medical_condition": {"problems": _keys(start, "condition")},
        "insurance": {"coverages": coverages},
        "support_systems": {"persons": persons},
        "strengths": _keys(start, "strength"),
        "investigations": [*_keys(start, "response"), *_keys(start, "screening")],
    }


def _risk(start: Start) -> Fields:
    found = weighed(start.facts, start.today)
    factors = [{"kind": each.kind, "level": each.level, "evidence": list(each.evidence), "method": each.method} for each in found.factors]
    unknown = [{"kind": kind} for kind in SEED_FACTORS if kind not in {each.kind for each in found.factors}]
    return {
        "status": "final",
        "at": start.now,
        "performer": start.actor,
        "factors": [*factors, *unknown],
        "urgent_flags": list(found.urgent_flags),
        "potential_for_change": {"value": 1},
    }


def _pressure(start: Start) -> Fields:
    """A blood pressure, the measurement that the policy of risk asks for: http://hl7.org/fhir/R4/bp.html"""
    unit = {"unit": "mmHg", "system": "http://unitsofmeasure.org", "code": "mm[Hg]"}
    return {
        "status": "final",
        "categories": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "vital-signs"}],
        "code": _loinc("85354-9", "Blood pressure panel with all children optional"),
        "effective": {"date_time": start.now},
        "performers": [start.actor],
        "components": [
            {"code": _loinc("8480-6", "Systolic blood pressure"), "value": {"quantity": unit}},
            {"code": _loinc("8462-4", "Diastolic blood pressure"), "value": {"quantity": unit}},
        ],
    }


def _loinc(code: str, display: str) -> Fields:
    return {"system": "http://loinc.org", "code": code, "display": display}


def _follow_up(start: Start) -> Fields:
    return {
        "type": "call",
        "source": "client",
        "status": "completed",
        "performer": start.actor,
        "participants": [start.client],
        "occurred_at": start.now,
        "goal_reviews": [{"goal": key} for key, goal in goals_of_plan(start.facts).items() if goal["lifecycle"] in ("accepted", "active")],
        "medication_adherence": [{"medication": code} for code in start.facts.medications.values()],
    }


_STARTS: Mapping[str, Callable[[Start], Fields]] = {
    "client": lambda _: {
        "active": True,
        "names": [{"use": "official"}],
        "identifiers": [{"system": _OWN_NUMBER, "type": {"text": "Client number"}}],
    },
    "stakeholder": lambda _: {"active": True},
    "support_person": lambda _: {"active": True, "names": [{"use": "usual"}]},
    "coverage": lambda _: {"status": "active"},
    "consent": lambda start: {"status": "active", "decision": "permit", "agreed_at": start.now, "performers": [start.client]},
    "referral": lambda start: {"status": "active", "received_at": start.now, "priority": "routine"},
    "measurement": _pressure,
    "encounter": lambda start: {
        "status": "finished",
        "encounter_class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB", "display": "ambulatory"},
        "period": {"start": start.now, "end": start.now},
        "participants": [{"individual": start.actor}],
    },
    "condition": lambda start: {"clinical_status": "active", "verification_status": "confirmed", "recorded_at": start.today},
    "barrier": lambda start: {"status": "open", "opened_at": start.now},
    "assessment": _assessment,
    "risk_evaluation": _risk,
    "plan": lambda start: {
        "status": "draft",
        "intent": "plan",
        "title": "Care plan",
        "created_at": start.now,
        "author": start.actor,
        "period": {"start": start.today},
        "goals": _keys(start, "goal"),
        "services": _keys(start, "planned_service"),
    },
    "goal": lambda start: {"lifecycle": "active", "start_date": start.today, "expressed_by": start.client},
    "planned_service": lambda start: {
        "status": "not_started",
        "intent": "plan",
        "requester": start.actor,
        "authored_at": start.now,
        "medical_necessity": {"decided_by": start.actor, "decided_at": start.now},
    },
    "appointment": lambda start: {"status": "booked", "client_attendance": "accepted", "created_at": start.now},
    "task": lambda start: {
        "status": "requested",
        "intent": "order",
        "priority": "routine",
        "requester": start.actor,
        "owner": start.actor,
        "authored_at": start.now,
    },
    "follow_up": _follow_up,
    "outcome": lambda start: {"status": "completed", "reviewed_at": start.now, "reviewed_by": start.actor},
}


def begun(concept: str, start: Start) -> Fields:
    """What a new record of this concept starts with, to be looked over by who makes it."""
    known = schema(RECORDS[concept])
    own = {"client": start.client, "case": start.case} | (_STARTS[concept](start) if concept in _STARTS else {})
    return {name: value for name, value in own.items() if name in known and value not in ("", [], {}, None)}


def _stratified(fields: Fields) -> Fields:
    """Severity, tier and priority follow from the levels, by the policy; somebody's own tier stands, with their reason."""
    levels = {
        each["kind"]: LEVELS.index(each["level"]) for each in fields.get("factors", []) if "kind" in each and each.get("level") in LEVELS
    }
    potential = fields.get("potential_for_change", {}).get("value")
    try:
        found = stratify(levels, potential if isinstance(potential, int) else -1, fields.get("urgent_flags", ()))
    except CasebridgeError:
        return {name: value for name, value in fields.items() if name not in ("severity", "tier", "priority_score")}
    tier = fields.get("tier_override", {}).get("tier") or found.tier
    return {**fields, "severity": found.severity, "tier": tier, "priority_score": found.priority_score}


def _options_named(fields: Fields) -> Fields:
    """Each option of the plan has an id, by which it is chosen."""
    if "options" not in fields:
        return fields
    return {**fields, "options": [{"id": str(uuid4()), **option} for option in fields["options"]]}


_COMPLETED: Mapping[str, Callable[[Fields], Fields]] = {"risk_evaluation": _stratified, "plan": _options_named}


def completed(concept: str, fields: Fields) -> Fields:
    """The fields with what follows from them."""
    return _COMPLETED[concept](fields) if concept in _COMPLETED else fields
