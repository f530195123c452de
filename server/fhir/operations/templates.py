"""From a PlanDefinition to the resources of one person's plan: pure, and each under the id it will always have.

http://hl7.org/fhir/R4/plandefinition.html, http://hl7.org/fhir/R4/activitydefinition.html
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from uuid import NAMESPACE_URL, uuid5

from adapter.config import BASE
from adapter.errors import NotSupported
from adapter.fhir.resource import Raw

_DEPTH = 8
_GOAL_OF = "http://hl7.org/fhir/StructureDefinition/resource-pertainsToGoal"
_CASE_OF = "http://hl7.org/fhir/StructureDefinition/workflow-episodeOfCare"
Find = Callable[[str, str], Raw]
"""(type, canonical) → the resource; raises NotFound."""


@dataclass(frozen=True)
class Person:
    """For whom and in which case a plan is made, as references."""

    patient: str
    episode: str | None = None
    encounter: str | None = None
    author: str | None = None

    @property
    def case(self) -> list[Raw]:
        return [{"url": _CASE_OF, "valueReference": {"reference": self.episode}}] if self.episode else []


@dataclass
class Made:
    """The goals and requests of a plan, in its order, and the goals' references by their ids in the template."""

    goals: list[Raw] = field(default_factory=list)
    requests: list[Raw] = field(default_factory=list)
    by_goal: dict[str, str] = field(default_factory=dict)


def resources(plan: Raw, person: Person, find: Find) -> tuple[Raw, Made]:
    """The draft CarePlan, and what it consists of. Raises NotSupported for what a template says that is not served, NotFound."""
    url = plan.get("url") or f"{BASE}/PlanDefinition/{plan['id']}"
    made = Made()
    key = f"{url}#{person.patient}#{person.episode or ''}"
    _goals(plan, person, key, made)
    _actions(plan, person, key, made, find, 0)
    care_plan = {
        "resourceType": "CarePlan",
        "id": _id(key, "plan"),
        "extension": person.case,
        "instantiatesCanonical": [_versioned(url, plan)],
        "status": "draft",
        "intent": "plan",
        "title": plan.get("title"),
        "description": plan.get("description"),
        "subject": {"reference": person.patient},
        "encounter": _reference(person.encounter),
        "author": _reference(person.author),
        "goal": [{"reference": f"Goal/{goal['id']}"} for goal in made.goals],
        "activity": [{"reference": {"reference": f"{each['resourceType']}/{each['id']}"}} for each in made.requests],
    }
    return _whole(care_plan), made


def _goals(plan: Raw, person: Person, key: str, made: Made) -> None:
    for index, row in enumerate(plan.get("goal", ())):
        name = row.get("id", str(index))
        targets = [
            _whole({"measure": target.get("measure"), "dueDuration": target.get("due"), **_choice(target, "detail", "detail")})
            for target in row.get("target", ())
        ]
        goal = {
            "resourceType": "Goal",
            "id": _id(key, f"goal/{name}"),
            "extension": person.case,
            "lifecycleStatus": "proposed",
            "category": [row["category"]] if "category" in row else [],
            "priority": row.get("priority"),
            "description": row["description"],
            "subject": {"reference": person.patient},
            "startCodeableConcept": row.get("start"),
            "target": [target for target in targets if target],
        }
        made.goals.append(_whole(goal))
        made.by_goal[name] = f"Goal/{goal['id']}"


def _actions(node: Raw, person: Person, key: str, made: Made, find: Find, depth: int) -> None:
    if depth > _DEPTH:
        raise NotSupported("The actions are nested too deep, or a plan has itself for an action.")
    for index, action in enumerate(node.get("action", ())):
        place = f"{key}/{action.get('id', index)}"
        for name in ("condition", "dynamicValue", "definitionUri", "transform"):
            if name in action:
                raise NotSupported(f"A PlanDefinition.action with {name} is not applied here.")
        canonical = action.get("definitionCanonical", "")
        if "/PlanDefinition/" in canonical:
            inner = find("PlanDefinition", canonical)
            _goals(inner, person, place, made)
            _actions(inner, person, place, made, find, depth + 1)
        elif canonical or not action.get("action"):
            made.requests.append(_request(action, canonical, person, place, made, find))
        _actions(action, person, place, made, find, depth + 1)


def _request(action: Raw, canonical: str, person: Person, place: str, made: Made, find: Find) -> Raw:
    asks = "/Questionnaire/" in canonical
    activity = find("ActivityDefinition", canonical) if canonical and not asks else {}
    kind = activity.get("kind", "Task")
    if kind not in _KINDS or any(name in activity for name in ("dynamicValue", "transform")):
        raise NotSupported(f"Of activities these are made here: {', '.join(_KINDS)}; without transform or dynamicValue.")
    goals = [made.by_goal[name] for name in action.get("goalId", ()) if name in made.by_goal]
    code = activity.get("code") or next(iter(action.get("code", ())), None)
    title = action.get("title") or activity.get("title")
    head = {
        "resourceType": kind,
        "id": _id(place, "request"),
        "extension": [
            *([] if kind == "Task" else person.case),
            *({"url": _GOAL_OF, "valueReference": {"reference": goal}} for goal in goals),
        ],
        "status": "draft",
        "priority": action.get("priority") or activity.get("priority"),
        "encounter": _reference(person.encounter),
        "requester": _reference(person.author),
    }
    asked = [{"type": {"text": "Questionnaire"}, "valueCanonical": canonical}] if asks else []
    text = action.get("description") or activity.get("description")
    return _whole(
        {**head, **_KINDS[kind](_Words(action, activity, code or ({"text": title} if title else None), text or title, asked), person)}
    )


@dataclass(frozen=True)
class _Words:
    action: Raw
    activity: Raw
    code: Raw | None
    text: str | None
    asked: list[Raw]

    @property
    def canonical(self) -> list[str]:
        return [_versioned(self.activity["url"], self.activity)] if "url" in self.activity else []

    def timing(self, prefix: str, *types: str) -> Raw:
        found = _choice(self.action, "timing", prefix) or _choice(self.activity, "timing", prefix)
        if any(name.removeprefix(prefix) not in types for name in found):
            raise NotSupported(f"The timing of a {self.activity.get('kind', 'Task')} is given here as {', '.join(types)}.")
        return found


def _service(words: _Words, person: Person) -> Raw:
    return {
        "instantiatesCanonical": words.canonical,
        "intent": "plan",
        "doNotPerform": words.activity.get("doNotPerform"),
        "code": words.code,
        "subject": {"reference": person.patient},
        **words.timing("occurrence", "DateTime", "Period", "Timing"),
        "bodySite": words.activity.get("bodySite"),
    }


def _task(words: _Words, person: Person) -> Raw:
    period = words.timing("", "Period").get("Period")
    return {
        "instantiatesCanonical": next(iter(words.canonical), None),
        "intent": "plan",
        "code": words.code,
        "description": words.text,
        "for": {"reference": person.patient},
        "restriction": {"period": period} if period else None,
        "input": words.asked,
    }


def _communication(words: _Words, person: Person) -> Raw:
    return {
        "doNotPerform": words.activity.get("doNotPerform"),
        "reasonCode": [words.code] if words.code else [],
        "subject": {"reference": person.patient},
        "payload": [{"contentString": words.text}] if words.text else [],
        **words.timing("occurrence", "DateTime", "Period"),
    }


def _medication(words: _Words, person: Person) -> Raw:
    words.timing("")
    return {
        "instantiatesCanonical": words.canonical,
        "intent": "plan",
        "doNotPerform": words.activity.get("doNotPerform"),
        **_choice(words.activity, "product", "medication"),
        "subject": {"reference": person.patient},
        "dosageInstruction": words.activity.get("dosage"),
    }


_KINDS: dict[str, Callable[[_Words, Person], Raw]] = {
    "CommunicationRequest": _communication,
    "MedicationRequest": _medication,
    "ServiceRequest": _service,
    "Task": _task,
}


def _choice(node: Raw, prefix: str, new: str) -> Raw:
    """An element of several types under another name: timingPeriod as occurrencePeriod."""
    return {new + name.removeprefix(prefix): value for name, value in node.items() if name.startswith(prefix)}


def _reference(text: str | None) -> Raw | None:
    return {"reference": text} if text else None


def _versioned(url: str, raw: Raw) -> str:
    return f"{url}|{raw['version']}" if "version" in raw else url


def _whole(raw: Raw) -> Raw:
    return {name: value for name, value in raw.items() if value not in (None, [], {})}


def _id(key: str, name: str) -> str:
    return str(uuid5(NAMESPACE_URL, f"{key}/{name}"))


def parts(care_plan: Raw, made: Made) -> Iterator[Raw]:
    """All resources of the plan, the plan itself last."""
    yield from (*made.goals, *made.requests, care_plan)
