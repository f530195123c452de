"""`PlanDefinition/$apply`: a draft CarePlan with its goals and requests. http://hl7.org/fhir/R4/plandefinition-operation-apply.html

They are stored, in one transaction. One plan, patient and episode have one CarePlan, and another each time that the case is reopened:
applied again, what is missing is made, what nobody changed since is brought to what the template says now, and what somebody changed or
deleted stays as it is.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from adapter.cases.workflow import openings
from adapter.config import CS
from adapter.errors import Invalid, RuleViolated
from adapter.fhir import references
from adapter.fhir.resource import Raw, check_structure, content_hash
from adapter.store.documents import Stored
from adapter.store.repository import Repository
from server.fhir import interactions, writes
from server.fhir.messages import Answer
from server.fhir.operations import held, templates
from server.fhir.operations.call import Call

# Says what was made, so that a later change by anybody shows.
_APPLIED = f"{CS}/applied"


@dataclass(frozen=True)
class Application:
    """What a template comes to for somebody: the CarePlan, its goals and requests.

    `joins` is the id of a draft that was begun otherwise: the goals and requests join it, and the template's own CarePlan is not made.
    """

    care_plan: Raw
    made: templates.Made
    joins: str | None = None

    @property
    def plan_id(self) -> str:
        """The id of the CarePlan that the goals and requests are in."""
        return self.joins or str(self.care_plan["id"])


def run(call: Call) -> Answer:
    """The CarePlan as it is stored now. Raises NotFound, Gone, NotSupported, RuleViolated where the template is retired or not whole."""
    repository = call.repository
    plan = _plan(call)
    found = application(repository, plan, _person(call, plan))
    interactions.settled(call.request, repository, lambda: list(needed(repository, found)))
    stored = repository.read("CarePlan", found.plan_id)
    return Answer(200, stored.text, stored.version, stored.updated)


def application(repository: Repository, plan: Raw, person: templates.Person, joins: str | None = None) -> Application:
    """What the template comes to; nothing is stored. Raises Invalid, NotSupported, RuleViolated where it is retired or not whole."""
    check_structure(plan)
    if "url" not in plan and "id" not in plan:
        raise Invalid("A plan needs a url or an id, so that it is known when it is applied again.", expression=["PlanDefinition.url"])
    if plan["status"] == "retired":
        raise RuleViolated("A retired plan is not applied.", code="plan-retired", expression=["PlanDefinition.status"])
    care_plan, made = templates.resources(plan, person, lambda type, url: held.get(repository, type, url))
    for resource in templates.parts(care_plan, made):
        _check(resource)
    return Application(care_plan, made, joins)


def outlook(repository: Repository, found: Application) -> list[tuple[Raw, str]]:
    """Each goal and request of the template with what applying it does: new, updated, unchanged, or kept, where somebody changed it."""
    return [(resource, _fate(_now(repository, resource), resource)) for resource in (*found.made.goals, *found.made.requests)]


def _now(repository: Repository, resource: Raw) -> Stored | None:
    return repository.find(resource["resourceType"], resource["id"])


def _fate(now: Stored | None, resource: Raw) -> str:
    if now is None:
        return "new"
    if now.deleted or _applied(now.raw) != _mark(now.raw):
        return "kept"
    return "unchanged" if _mark(now.raw) == _mark(resource) else "updated"


def _plan(call: Call) -> Raw:
    """The template: the one that is asked, that is given, or that is known by its canonical url, casebridge's and the site's among them."""
    if call.id is not None:
        return call.repository.read("PlanDefinition", call.id).raw
    given: Raw | None = call.inputs.one("planDefinition")
    canonical = call.inputs.one("canonical")
    if given is None and canonical is None:
        raise Invalid("$apply needs the parameter planDefinition or canonical.", expression=["planDefinition"])
    return given if given is not None else held.get(call.repository, "PlanDefinition", canonical)


def _person(call: Call, plan: Raw) -> templates.Person:
    inputs = call.inputs
    patient = _reference(call, "subject", "Patient")
    if patient is None:
        raise Invalid("$apply needs the parameter subject.", expression=["subject"])
    episode = _reference(call, "episode", "EpisodeOfCare")
    opening = 1
    if episode:
        held_by = call.repository.read("EpisodeOfCare", episode.partition("/")[2])
        if held_by.raw["patient"].get("reference") != patient:
            raise Invalid("The episode is another patient's.", expression=["episode"])
        opening = openings(held_by.record)
    author = _reference(call, "practitioner", "Practitioner") or _reference(call, "organization", "Organization")
    encounter = _reference(call, "encounter", "Encounter")
    before = call.repository.find("CarePlan", templates.plan_id(plan, patient, episode, opening))
    made = before.raw if before and not before.deleted else {}
    start = inputs.one("date") or made.get("period", {}).get("start", "")[:10] or None
    if start and len(start) != len("2025-04-22"):
        raise Invalid("The parameter date is a whole date, such as 2025-04-22.", expression=["date"])
    return templates.Person(patient, episode, encounter, author, start, _assessment(call, patient, made), opening)


def _assessment(call: Call, patient: str, made: Raw) -> Raw | None:
    """The assessment that is named, or that the plan was made from before. Raises Invalid for another patient's."""
    named = _reference(call, "assessment", "ClinicalImpression")
    if named is None:
        earlier = [str(each.get("reference", "")) for each in made.get("supportingInfo", ())]
        named = next((each for each in earlier if each.startswith("ClinicalImpression/")), None)
    if named is None:
        return None
    found = call.repository.read("ClinicalImpression", named.partition("/")[2]).raw
    if found["subject"].get("reference") != patient:
        raise Invalid("The assessment is another patient's.", expression=["assessment"])
    return found


def _reference(call: Call, name: str, type: str) -> str | None:
    """The reference that a parameter gives, to something that is here. Raises Invalid, NotFound, Gone."""
    text = call.inputs.one(name)
    if text is None:
        return None
    found = references.split(str(text).removeprefix(f"{call.request.base}/"))
    if not found or found[0] != type:
        raise Invalid(f"The parameter {name} is a reference such as {type}/id.", expression=[name])
    return call.repository.read(type, found[1]).reference


def needed(repository: Repository, found: Application) -> Iterator[writes.Write]:
    """The writes that bring what is stored to the template, as far as nobody changed it since; nothing where it is so already."""
    new = set()
    for resource in (*found.made.goals, *found.made.requests):
        write = _write(repository, resource)
        if write:
            yield write
            new |= {f"{write.type}/{write.id}"} if write.creates else set()
    write = None if found.joins else _write(repository, found.care_plan)
    now = repository.find("CarePlan", found.plan_id)
    if write:
        yield write
    elif now and not now.deleted and new:
        yield writes.Write("CarePlan", now.id, _extended(now.raw, found.care_plan, new), now.version)


def _write(repository: Repository, resource: Raw) -> writes.Write | None:
    """The write that brings a resource to the template; None where somebody changed or deleted it, or there is nothing to change."""
    # Read once: what was judged is what is written over.
    now = _now(repository, resource)
    if _fate(now, resource) in ("kept", "unchanged"):
        return None
    tagged = {**resource, "meta": _meta(now.raw["meta"] if now else {}, resource)}
    return writes.Write(resource["resourceType"], resource["id"], tagged, now.version if now else 0, creates=now is None)


def _meta(held: Raw, resource: Raw) -> Raw:
    """What others said of the resource as a whole, and what was made of it now; the template says nothing of these."""
    others: Raw = {name: held[name] for name in ("profile", "security") if name in held}
    tags = [tag for tag in held.get("tag", ()) if tag.get("system") != _APPLIED]
    return {**others, "tag": [*tags, {"system": _APPLIED, "code": _mark(resource)}]}


def _mark(raw: Raw) -> str:
    return content_hash({name: value for name, value in raw.items() if name != "meta"})


def _applied(raw: Raw) -> str | None:
    return next((tag.get("code") for tag in raw["meta"].get("tag", ()) if tag.get("system") == _APPLIED), None)


def _extended(raw: Raw, care_plan: Raw, new: set[str]) -> Raw:
    """A plan that somebody changed or began, with what was made for it just now, and the template that this is from."""
    from_ = dict.fromkeys((*raw.get("instantiatesCanonical", ()), *care_plan["instantiatesCanonical"]))
    goals = [goal for goal in care_plan.get("goal", ()) if goal["reference"] in new]
    activities = [activity for activity in care_plan.get("activity", ()) if activity["reference"]["reference"] in new]
    added = {"instantiatesCanonical": [*from_], "goal": [*raw.get("goal", ()), *goals], "activity": [*raw.get("activity", ()), *activities]}
    return {**raw, **{name: value for name, value in added.items() if value}}


def _check(resource: Raw) -> None:
    try:
        check_structure(resource)
    except Invalid as error:
        text = f"The plan does not say all that a {resource['resourceType']} needs, or says it wrongly."
        raise RuleViolated(text, code="apply-not-whole", expression=error.expression) from None
