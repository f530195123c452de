"""From a PlanDefinition to the resources of one person's plan: pure, and each under the id it will always have.

An activity is found by its canonical url, or as `#id` among what the template contains. http://hl7.org/fhir/R4/plandefinition.html, http://hl7.org/fhir/R4/activitydefinition.html
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from uuid import NAMESPACE_URL, uuid5

from adapter.config import BASE, EXT
from adapter.errors import NotFound, NotSupported
from adapter.fhir.resource import Raw
from adapter.mapping.shapes import case_of
from server.fhir.operations import plan_dates

_DEPTH = 8
_GOAL_OF = "http://hl7.org/fhir/StructureDefinition/resource-pertainsToGoal"
Find = Callable[[str, str], Raw]
"""(type, canonical) → the resource; raises NotFound."""


@dataclass(frozen=True)
class Person:
    """For whom and in which case a plan is made, as references."""

    patient: str
    episode: str | None = None
    encounter: str | None = None
    author: str | None = None
    start: str | None = None
    """The day on which the plan begins; without it the times in the template stay as they are there."""
    assessment: Raw | None = None
    """The ClinicalImpression that the plan follows from."""
    opening: int = 1
    """The how-manyeth time it is that the case is open: reopened, it has plans of its own."""

    def case(self, type: str) -> list[Raw]:
        """The extension by which a resource of this type belongs to the case."""
        return [{"url": case_of(type), "valueReference": {"reference": self.episode}}] if self.episode else []


@dataclass
class Made:
    """The goals and requests of a plan, in its order, and the goals' references by their ids in the template."""

    goals: list[Raw] = field(default_factory=list)
    requests: list[Raw] = field(default_factory=list)
    by_goal: dict[str, str] = field(default_factory=dict)


def resources(plan: Raw, person: Person, find: Find) -> tuple[Raw, Made]:
    """The draft CarePlan, and what it consists of. Raises NotSupported for what a template says that is not served, NotFound."""
    url, key, made = _url(plan), _key(plan, person.patient, person.episode, person.opening), Made()
    _goals(plan, person, key, made)
    _actions(plan, person, key, made, _within(plan, find), 0)
    care_plan = {
        "resourceType": "CarePlan",
        "id": _id(key, "plan"),
        "extension": person.case("CarePlan"),
        "instantiatesCanonical": [_versioned(url, plan)],
        "status": "draft",
        "intent": "plan",
        "title": plan.get("title"),
        "description": plan.get("description"),
        "subject": {"reference": person.patient},
        "encounter": _reference(person.encounter),
        "period": plan_dates.period(person.start, [*made.goals, *made.requests]),
        "author": _reference(person.author),
        **_assessed(person.assessment),
        "goal": [{"reference": f"Goal/{goal['id']}"} for goal in made.goals],
        "activity": [{"reference": {"reference": f"{each['resourceType']}/{each['id']}"}} for each in made.requests],
    }
    return _whole(care_plan), made


def plan_id(plan: Raw, patient: str, episode: str | None, opening: int = 1) -> str:
    """The id of the CarePlan that this template makes for the patient in the episode, since it was opened for that time."""
    return _id(_key(plan, patient, episode, opening), "plan")


def _url(plan: Raw) -> str:
    return str(plan.get("url") or f"{BASE}/PlanDefinition/{plan['id']}")


def _key(plan: Raw, patient: str, episode: str | None, opening: int) -> str:
    return f"{_url(plan)}#{patient}#{episode or ''}{f'#{opening}' if opening > 1 else ''}"


def _within(plan: Raw, find: Find) -> Find:
    """Finds by a reference such as `#id` what the plan contains, by any other what there is."""
    contained = {f"#{each['id']}": each for each in plan.get("contained", ()) if "id" in each}

    def found(type: str, canonical: str) -> Raw:
        if not canonical.startswith("#"):
            return find(type, canonical)
        inside: Raw | None = contained.get(canonical)
        if inside is None or inside["resourceType"] != type:
            raise NotFound(f"The template contains no {type} of the id that an action names.")
        return inside

    return found


def _assessed(assessment: Raw | None) -> Raw:
    """What a plan takes over from the assessment: the problems it is about, and that it follows from it."""
    if assessment is None:
        return {}
    problems = [each for each in assessment.get("problem", ()) if str(each.get("reference", "")).startswith("Condition/")]
    return {"addresses": problems, "supportingInfo": [{"reference": f"ClinicalImpression/{assessment['id']}"}]}


def _goals(plan: Raw, person: Person, key: str, made: Made) -> None:
    for index, row in enumerate(plan.get("goal", ())):
        name = row.get("id", str(index))
        targets = [
            _whole(
                {"measure": target.get("measure"), **plan_dates.due(person.start, target.get("due")), **_choice(target, "detail", "detail")}
            )
            for target in row.get("target", ())
        ]
        goal = {
            "resourceType": "Goal",
            "id": _id(key, f"goal/{name}"),
            "extension": person.case("Goal"),
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
            _actions(inner, person, place, made, _within(inner, find), depth + 1)
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
            *([] if kind == "Task" else person.case(kind)),
            *({"url": _GOAL_OF, "valueReference": {"reference": goal}} for goal in goals),
        ],
        "status": "draft",
        "priority": action.get("priority") or activity.get("priority"),
        "encounter": _reference(person.encounter),
        "requester": _reference(person.author),
    }
    asked = [{"type": {"text": "Questionnaire"}, "valueCanonical": canonical}] if asks else []
    text = action.get("description") or activity.get("description") or title
    if kind == "ServiceRequest" and text:
        head["extension"].append({"url": f"{EXT}/service-description", "valueString": text})
    return _whole({**head, **_KINDS[kind](_Words(action, activity, code or ({"text": title} if title else None), text, asked), person)})


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
        "category": words.activity.get("topic"),
        "doNotPerform": words.activity.get("doNotPerform"),
        "code": words.code,
        "subject": {"reference": person.patient},
        **plan_dates.occurrence(person.start, words.timing("occurrence", "DateTime", "Period", "Timing")),
        "performerType": next((each["role"] for each in words.activity.get("participant", ()) if "role" in each), None),
        "locationCode": _venues(words.activity),
        "bodySite": words.activity.get("bodySite"),
    }


def _venues(activity: Raw) -> list[Raw]:
    """Where it is done: http://terminology.hl7.org/CodeSystem/usage-context-type, venue."""
    uses = [each for each in activity.get("useContext", ()) if each.get("code", {}).get("code") == "venue"]
    return [each["valueCodeableConcept"] for each in uses if "valueCodeableConcept" in each]


def _task(words: _Words, person: Person) -> Raw:
    given = words.timing("", "Period", "Duration")
    period = given.get("Period") or plan_dates.until(person.start, given.get("Duration"))
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
