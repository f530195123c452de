"""The transfer summary of a case, read from the store: what the receiver has to know, and nothing else that the record holds."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from uuid import UUID, uuid5

from adapter.access.sensitive import security
from adapter.cases.facts import Facts, goals_of_plan, moment, plan_in_hand, services_of_plan
from adapter.cases.headline import headline
from adapter.cases.insurance import OVER
from adapter.cases.record import Fields
from adapter.cases.referrals import OPEN, referred
from adapter.cases.transitions import open_items
from adapter.cases.wording import code, label
from adapter.clock import instant
from adapter.fhir.document import document
from adapter.fhir.references import split, walk
from adapter.fhir.resource import Raw, dumps
from adapter.mapping.derived import SDOH
from adapter.mapping.transfer_summary import Head, Section, composition
from adapter.mapping.words import has_coding
from adapter.store.documents import Stored
from adapter.store.filters import KEY
from adapter.store.repository import Repository
from adapter.store.resolving import resolve

_NAMESPACE = UUID("2f0a4a1e-6a55-5d0c-8f6e-3f0f2f6f7c21")
# What is brought along because something in the summary refers to it: who and where, and what is taken.
_BROUGHT = ("Practitioner", "PractitionerRole", "Organization", "Location", "HealthcareService", "Medication")
_ACTIVE = ("active", "recurrence", "relapse")
_DOUBTED = ("refuted", "entered_in_error")
# By type: the statuses of what is taken now.
_MEDICATION = {"MedicationRequest": ("active", "on-hold"), "MedicationStatement": ("active", "intended", "on-hold")}
_SDOH_SYSTEM, _SDOH_CODE = SDOH["system"], SDOH["code"]


@dataclass(frozen=True)
class Summary:
    """A document and what it is about."""

    head: Head
    identifier: str
    """Of this very document: a URI."""
    text: str
    security: list[Raw]
    """What whoever may see the document must be allowed to see."""


def summary(repository: Repository, plan: str, fields: Fields, case: Fields, facts: Facts, at: str, replaces: str | None) -> Summary:
    """The transfer summary for a transition plan; the same state of the record makes the same text.

    `at` is only what "now" is for what is to come; the summary's own date is that of the latest change of what is in it.
    """
    sections = [*_sections(repository, fields, case, facts, at)]
    author, custodian = str(case["case_manager"]), case.get("managing_organization")
    named = [fields["client"], fields["encounter"], author, custodian, fields.get("receiver")]
    found = _gathered(repository, [*filter(None, named), *(each for section in sections for each in section.entries)])
    if custodian not in found:
        custodian = None
    latest = instant(max(stored.updated for stored in found.values()))
    own = str(uuid5(_NAMESPACE, plan))
    head = Head(own, f"urn:uuid:{own}", fields["client"], fields["encounter"], author, custodian, latest, replaces)
    there = [replace(section, entries=[each for each in section.entries if each in found]) for section in sections]
    first = composition(head, there)
    resources = [stored.raw for stored in found.values()]
    content = uuid5(_NAMESPACE, f"{plan} {replaces} {dumps([first, *resources])}")
    identifier = f"urn:uuid:{content}"
    return Summary(head, identifier, dumps(document(first, resources, identifier=identifier, at=latest)), security(resources))


def _gathered(repository: Repository, wanted: list[str]) -> dict[str, Stored]:
    """What is stored under these references, with whom and what they refer to, each once, in this order."""
    found: dict[str, Stored] = {}
    queue = list(wanted)
    for reference in queue:
        parts = split(reference)
        stored = repository.find(*parts[:2]) if parts and reference not in found else None
        if stored is None or stored.deleted:
            continue
        found[reference] = stored
        queue += [each["reference"] for each in walk(stored.raw) if each["reference"].partition("/")[0] in _BROUGHT]
    return found


def _sections(repository: Repository, plan: Fields, case: Fields, facts: Facts, at: str) -> Iterator[Section]:
    problems, needs = _conditions(repository, facts)
    barriers = {key: each for key, each in facts.of("barrier").items() if each["status"] != "resolved"}
    yield _listed("Problems", "11450-4", "condition", problems)
    yield _of_type(repository, plan["client"], "Medications", "10160-0", _MEDICATION)
    yield _of_type(repository, plan["client"], "Allergies and intolerances", "48765-2", {"AllergyIntolerance": ()})
    yield _planned(facts)
    yield _services(facts, at)
    yield Section(
        "Social needs",
        "29762-2",
        [*(headline("condition", each) for each in needs.values()), *(headline("barrier", each) for each in barriers.values())],
        [*needs, *barriers],
    )
    yield _contacts(plan, case, facts)
    items = [f"{label(item)}{f': {why}' if why else ''}" for item, why in open_items(plan)]
    yield Section("What is not ready yet", "", items or ["All is ready."])


def _listed(title: str, code_: str, concept: str, records: Mapping[str, Fields]) -> Section:
    return Section(title, code_, [headline(concept, each) for each in records.values()], [*records])


def _conditions(repository: Repository, facts: Facts) -> tuple[dict[str, Fields], dict[str, Fields]]:
    """The client's problems, and their social needs."""
    problems: dict[str, Fields] = {}
    needs: dict[str, Fields] = {}
    for reference, each in sorted(facts.of("condition").items()):
        if each.get("clinical_status", "active") in _ACTIVE and each.get("verification_status") not in _DOUBTED:
            stored = repository.find(*reference.split("/"))
            social = stored is not None and has_coding(stored.raw.get("category"), _SDOH_SYSTEM, _SDOH_CODE)
            (needs if social else problems)[reference] = each
    return problems, needs


def _of_type(repository: Repository, client: str, title: str, code_: str, types: Mapping[str, tuple[str, ...]]) -> Section:
    """What another system sent of these types, with a status that is named, or any that is not an error."""
    found: dict[str, str] = {}
    for type in set(types).intersection(repository.types()):
        for stored in repository.scan(type, {KEY: client}):
            if not stored.deleted and _counts(stored.raw, types[type]):
                found[stored.reference] = _name(repository, stored.raw)
    return Section(title, code_, [found[key] for key in sorted(found)], sorted(found))


def _counts(raw: Raw, statuses: tuple[str, ...]) -> bool:
    if statuses:
        return raw.get("status") in statuses
    doubt = {coding.get("code") for coding in raw.get("verificationStatus", {}).get("coding", ())}
    return not doubt & {"entered-in-error", "refuted"}


def _name(repository: Repository, raw: Raw) -> str:
    """What a medication or an allergy is called."""
    stored = resolve(repository, (raw.get("medicationReference") or {}).get("reference"))
    concept = raw.get("medicationCodeableConcept") or (stored.raw if stored and not stored.deleted else raw).get("code") or {}
    coding: Raw = next(iter(concept.get("coding", ())), {})
    return str(concept.get("text") or coding.get("display") or coding.get("code") or "Not named")


def _planned(facts: Facts) -> Section:
    reference, plan = plan_in_hand(facts)
    goals = goals_of_plan(facts)
    lines = [headline("plan", plan)] if plan else []
    lines += [f"Goal: {headline('goal', each)} ({label(each.get('achievement', each['lifecycle'])).lower()})" for each in goals.values()]
    return Section("Care plan and goals", "18776-5", lines, [*([reference] if plan else []), *goals])


def _services(facts: Facts, at: str) -> Section:
    """The services of the plan, the appointments that are to come, and what providers were asked and have not ended."""
    services = {key: each for key, each in services_of_plan(facts).items() if each["status"] not in OVER[1:]}
    coming = {key: each for key, each in facts.of("appointment").items() if _to_come(each, at)}
    asked = [task for task in referred(facts).values() if task["status"] in OPEN and task["focus"] in services]
    lines = [
        *(f"{headline('planned_service', each)} ({label(each['status']).lower()}{_pending(each)})" for each in services.values()),
        *(f"{each['start'][:16].replace('T', ' ')}: {headline('appointment', each)}" for each in coming.values()),
        *(f"Referred: {headline('planned_service', services[each['focus']])} ({label(each['status']).lower()})" for each in asked),
    ]
    return Section("Services, and what of them is pending", "", lines, [*services, *coming])


def _pending(service: Fields) -> str:
    return "" if service["status"] == "completed" else ", pending"


def _to_come(appointment: Fields, at: str) -> bool:
    return appointment["status"] == "booked" and "start" in appointment and moment(appointment["start"]) >= moment(at)


def _contacts(plan: Fields, case: Fields, facts: Facts) -> Section:
    """The case manager, those of the client's own people who may be told, and who takes over."""
    people = {key: each for key, each in facts.of("support_person").items() if each.get("may_receive_information")}
    lines = [f"Case manager: {_person(facts.of('case_manager').get(case['case_manager'], {}))}"]
    for each in people.values():
        reached = ", ".join(str(telecom["value"]) for telecom in each.get("telecoms", []) if "value" in telecom)
        kind = code(next(iter(each.get("relationships", [])), {}))
        lines.append(", ".join(filter(None, (f"{_person(each)} ({kind})", reached))))
    return Section("Contacts", "", lines, [case["case_manager"], *people, *filter(None, [plan.get("receiver")])])


def _person(fields: Fields) -> str:
    name: Fields = next(iter(fields.get("names", [])), {})
    return str(name.get("text") or " ".join([*name.get("given", []), name.get("family", "")]).strip())
