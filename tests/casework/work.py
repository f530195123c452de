"""The records that each step of a case needs to be done, as little as there can be."""

from collections.abc import Iterator

from adapter.cases.record import Fields
from adapter.casework.desk import Desk
from adapter.casework.records import Kept, put

_PARTS = ("medical", "financial", "living", "social")
_FACTORS = ("existing_conditions", "blood_pressure", "mental_health", "finances")
_NOT_AVAILABLE = {"not_available_reason": "Kanarifugl: not asked"}


def _screening(of_case, at, disposition):
    more = {"not_eligible": {"disposition_reason": "Kanarifugl: lives elsewhere"}, "monitor": {"rescreen_on": "2099-01-01"}}
    return {
        "screening": of_case
        | {
            "instrument": "urn:example:questionnaire",
            "status": "completed",
            "record_review": {"sources": ["medical_records"], "reviewed_at": at, "summary": "Kanarifugl"},
            "domains": {name: {"status": "reviewed"} for name in _PARTS},
            "answers": [{"link_id": "1", "values": [{"boolean": True}]}],
            "disposition": disposition,
            "completed_at": at,
            **more.get(disposition, {}),
        }
    }


def _assessment(of_case, at, named):
    meeting = of_case | {"status": "finished", "encounter_class": {"code": "AMB"}, "period": {"start": at, "end": at}}
    assessment = of_case | {
        "status": "completed",
        "effective_at": at,
        "meetings": [f"Encounter/{named('encounter')}"],
        "medical_condition": {"summary": "Kanarifugl"},
        "circumstances": {"summary": "Kanarifugl"},
        "summary": "Kanarifugl",
        **dict.fromkeys(("insurance", "support_systems", "treatment_history"), _NOT_AVAILABLE),
    }
    return {"encounter": meeting, "assessment": assessment}


def _risk(of_case, at, named):
    factors = [{"kind": kind, "level": "low", "evidence": [f"QuestionnaireResponse/{named('screening')}"]} for kind in _FACTORS]
    potential = {"value": 1, "rationale": "Kanarifugl"}
    risk = of_case | {"status": "final", "at": at, "factors": factors, "potential_for_change": potential, "tier": "rising"}
    return {"risk_evaluation": risk | {"severity": 4, "priority_score": 8}}


def _goals(of_case, **more):
    own = {"lifecycle": "active", "kind": "health_objective", "description": "Kanarifugl", "expressed_by": of_case["client"]}
    return {"goal": of_case | own | more, "goal 2": of_case | {**own, "kind": "self_care"} | more}


def _plan(of_case, at, named):
    client = of_case["client"]
    service = of_case | {
        "status": "not_started",
        "intent": "order",
        "kind": "referral",
        "description": "Kanarifugl",
        "goals": [f"Goal/{named('goal')}"],
        "performers": ["Organization/provider"],
        "outcome_monitor": "Organization/provider",
        "setting": "community",
        "timing": {"count": 1},
        "medical_necessity": {"determination": "necessary"},
    }
    plan = of_case | {
        "status": "draft",
        "intent": "plan",
        "created_at": at,
        "goals": [f"Goal/{named('goal')}", f"Goal/{named('goal 2')}"],
        "services": [f"ServiceRequest/{named('planned_service')}"],
        "no_resource_applicable": True,
        "medical_necessity": {"summary": "Kanarifugl", "services_determined": True},
        "social_situation": {"summary": "Kanarifugl", "none_identified": True},
        "acceptance": {"status": "accepted", "by": client, "at": at},
    }
    return {
        **_goals(of_case),
        "planned_service": service,
        "task": of_case | {"status": "accepted", "intent": "order", "focus": f"ServiceRequest/{named('planned_service')}"},
        "plan": plan,
    }


def _contact(of_case, at, named):
    reviews = [{"goal": f"Goal/{named(goal)}", "achievement": "improving"} for goal in ("goal", "goal 2")]
    contact = of_case | {
        "type": "call",
        "status": "completed",
        "occurred_at": at,
        "next_contact_due": "2099-01-01",
        "goal_reviews": reviews,
    }
    contacts = {"follow_up": contact | {"source": "client"}, "follow_up 2": contact | {"source": "provider"}}
    return contacts | _goals(of_case, achievement="achieved")


def _outcome(of_case, at, reviewer):
    whole = {
        "status": "completed",
        "reviewed_at": at,
        **({"reviewed_by": reviewer} if reviewer else {}),
        "well_being": {"final": "good", "scale": "self-rated health", "change": "improved"},
        "finances": {"change": "same"},
        "care_appropriateness": {"rating": "appropriate"},
        "readmission": {"within_30_days": "pending"},
        "transition": "not_applicable",
    }
    return {"outcome": of_case | whole}


_WORK = {
    "assessment": _assessment,
    "risk_evaluation": _risk,
    "planning": _plan,
    "follow_up": _contact,
}


def needed(case: Fields, reference: str, at: str, disposition: str = "proceed") -> Iterator[tuple[str, str, Fields]]:
    """The concept, id and fields of each record that the case's present step needs; each time that it is planned, a new plan."""
    step, id = case["step"], reference.partition("/")[2]
    of_case = {"client": case["client"], "case": reference}
    cycle = sum(stretch.get("step") == "planning" for stretch in case["status_history"])

    def named(record: str) -> str:
        """The id of a record; encounters and follow-ups, for one, are resources of one type."""
        return f"{id[:20]}-{max(cycle, 1)}-{record.replace(' ', '-').replace('_', '-')}"

    work = _WORK | {
        "screening": lambda of_case, at, _: _screening(of_case, at, disposition),
        "outcome_evaluation": lambda of_case, at, _: _outcome(of_case, at, case.get("case_manager")),
    }
    made = work[step](of_case, at, named) if step in work else {}
    for record, fields in made.items():
        yield record.partition(" ")[0], named(record), fields


def done(desk: Desk, case: Kept, disposition: str = "proceed") -> None:
    """Save what the case's present step needs."""
    for concept, id, fields in needed(case.fields, case.reference, desk.now(), disposition):
        put(desk, concept, id, fields)
