"""The items of a world as FHIR. Each version bears a mark, so that whatever an answer tells is known by it."""

from collections.abc import Iterator
from typing import Any

from adapter.config import CS, EXT
from adapter.mapping.case import CASE_NUMBER
from adapter.mapping.shapes import case_of

from .worlds import PAYERS, STAFF, Item, State, World

Raw = dict[str, Any]

SYSTEM = "urn:world"
CODED = "urn:c"
LABELS = {"mental-health": "PSY", "substance-use": "ETH", "hiv": "HIV"}
SECRETS: dict[str, dict[str, str]] = {
    "mental-health": {"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "F32.1"},
    "substance-use": {"system": "http://snomed.info/sct", "code": "7200002"},
    "hiv": {"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "Z21"},
}
LINKS: dict[str, dict[str, tuple[str, str]]] = {
    "CarePlan": {"Goal": ("goal", "goal"), "Condition": ("addresses", "condition"), "CarePlan": ("partOf", "part-of")},
    "Condition": {"*": ("evidence", "evidence-detail")},
    "List": {"*": ("entry", "item")},
    "Observation": {"CarePlan": ("basedOn", "based-on"), "Observation": ("hasMember", "has-member")},
    "Task": {"*": ("focus", "focus")},
}
"""By which element, and which search parameter, a thing of one type refers to one of another, `*` for any."""
_HL7 = "http://terminology.hl7.org/CodeSystem"
_ACT = f"{_HL7}/v3-ActCode"


def mark(lead: str, id: str, version: int) -> str:
    """The code of the tag of a version."""
    return f"mark:{lead}{id}.{version}"


def day(number: int) -> str:
    return f"2025-04-{number:02}"


def resource(world: World, item: Item, place: int, lead: str) -> Raw:
    """A version of an item; `lead` is before all ids of the world."""
    type, state = item["type"], item["states"][place]
    said = mark(lead, item["id"], place + 1)
    labels = [{"system": _ACT, "code": LABELS[name]} for name in state["secrets"]] if state["labelled"] else []
    whole = {
        "resourceType": type,
        "meta": {"tag": [{"system": "urn:mark", "code": said}], **({"security": labels} if labels else {})},
        "identifier": [{"system": SYSTEM, "value": f"{lead}{item['id']}"}, *_numbers(type, said)],
        **_BODIES[type](state, lead),
        **_linked(world, item, lead),
        **(_SAID[type](said) if type in _SAID else {}),
    }
    return {name: value for name, value in whole.items() if name not in world["withheld"].get(type, ())}


def provenance(told: dict[str, Any], lead: str) -> Raw:
    """A Provenance of items."""
    targets = [{"reference": local(name, lead)} for name in told["targets"]]
    tag = [{"system": "urn:mark", "code": mark(lead, told["id"], 1)}]
    agent = [{"who": {"display": "somebody"}}]
    return {"resourceType": "Provenance", "meta": {"tag": tag}, "target": targets, "recorded": f"{day(22)}T09:00:00Z", "agent": agent}


def payers(lead: str) -> Iterator[tuple[str, Raw]]:
    """The organisations, whom everybody sees, by id."""
    for name in PAYERS:
        yield f"{lead}{name}", {"resourceType": "Organization", "name": name}


def staff(lead: str) -> Iterator[tuple[str, Raw]]:
    """The case managers, by id."""
    kind = [{"url": f"{EXT}/professional-kind", "valueCode": "case-manager"}]
    for name in STAFF:
        yield f"{lead}{name}", {"resourceType": "Practitioner", "extension": kind, "name": [{"family": "Kanarifugl", "given": [name]}]}


def local(name: str, lead: str) -> str:
    """The reference of an item."""
    type, _, id = name.partition("/")
    return f"{type}/{lead}{id}"


def whom(name: str, lead: str) -> str:
    """The reference of a payer, or of who works here."""
    return f"{'Organization' if name in (*PAYERS, 'us', 'elsewhere') else 'Practitioner'}/{lead}{name}"


def linked(world: World, item: Item) -> Iterator[tuple[str, str, str]]:
    """What an item refers to: by which element, by which search parameter (none for its case), and the name of the other."""
    types = {each["id"]: each["type"] for each in world["items"]}
    if item["case"]:
        yield "episodeOfCare" if item["type"] == "Encounter" else "extension", "", f"EpisodeOfCare/{item['case']}"
    ways = LINKS.get(item["type"], {})
    # A task has one focus.
    for id in item["links"][: 1 if item["type"] == "Task" else None]:
        if way := ways.get(types[id], ways.get("*")):
            yield *way, f"{types[id]}/{id}"


def _linked(world: World, item: Item, lead: str) -> Raw:
    found: Raw = {}
    for element, _, name in linked(world, item):
        reference = {"reference": local(name, lead)}
        made = {
            **{"evidence": {"detail": [reference]}, "entry": {"item": reference}},
            "extension": {"url": case_of(item["type"]), "valueReference": reference},
        }.get(element, reference)
        if element == "focus":
            found[element] = made
        else:
            found.setdefault(element, []).append(made)
    return found


def _person(name: str, lead: str) -> Raw:
    return {"reference": f"Patient/{lead}{name}"}


def _first(state: State, lead: str) -> Raw:
    return _person(state["patients"][0], lead)


def _last(state: State, lead: str) -> Raw:
    return _person(state["patients"][-1], lead)


def _period(span: list[int] | None) -> Raw:
    return {"period": {"start": day(span[0]), "end": day(span[1])}} if span else {}


def _coded(system: str, *codes: str) -> Raw:
    return {"coding": [{"system": system, "code": code} for code in codes]}


def _what(state: State) -> Raw:
    hidden = [] if state["labelled"] else [SECRETS[name] for name in state["secrets"]]
    return {"coding": [*_coded(CODED, *state["codes"])["coding"], *hidden]}


def _category(state: State) -> list[Raw]:
    return [_coded("urn:category", "shown" if state["category"] else "else")]


def _provision(rule: dict[str, Any], lead: str) -> Raw:
    def actor(role: str, name: str) -> Raw:
        return {"role": _coded(f"{_HL7}/v3-ParticipationType", role), "reference": {"reference": whom(name, lead)}}

    actors = [actor("IRCP", rule["actor"])] if "actor" in rule else []
    actors += [actor("CST", rule["custodian"])] if "custodian" in rule else []
    made = {
        "word": lambda word: {"type": word},
        "period": _period,
        "actor": lambda _: {"actor": actors},
        "custodian": lambda _: {"actor": actors},
        "purpose": lambda code: {"purpose": [{"system": f"{_HL7}/v3-ActReason", "code": code}]},
        "action": lambda code: {"action": [_coded(f"{_HL7}/consentaction", code)]},
        "types": lambda types: {"class": [{"system": "http://hl7.org/fhir/resource-types", "code": type} for type in types]},
        "labels": lambda labels: {"securityLabel": [{"system": _ACT, "code": LABELS[label]} for label in labels]},
        "code": lambda code: {"code": [_coded(CODED, code)]},
        "instance": lambda name: {"data": [{"meaning": "instance", "reference": {"reference": local(name, lead)}}]},
        "dates": lambda span: {"dataPeriod": _period(span)["period"]},
        "unclear": lambda _: {"modifierExtension": [{"url": "urn:unclear", "valueBoolean": True}]},
        "rules": lambda inner: {"provision": [_provision(each, lead) for each in inner]},
    }
    return {name: value for key, given in rule.items() for name, value in made[key](given).items()}


def consent(state: State, lead: str) -> Raw:
    """The elements of a Consent."""
    url, towards, base = "https://casebridge.example/fhir/StructureDefinition/consent-scope", state["towards"], state["base"]
    return {
        "status": state["status"],
        "scope": _coded(f"{_HL7}/consentscope", "patient-privacy"),
        "category": [_coded("http://loinc.org", "59284-0")],
        "patient": _first(state, lead),
        **({"extension": [{"url": url, "valueCode": f"sharing-{towards}"}]} if towards else {}),
        **({"policyRule": _coded(_ACT, "OPTIN" if base == "permit" else "OPTOUT")} if base else {}),
        **({"provision": _provision(state["rule"], lead)} if state["rule"] else {}),
    }


def _appointment(state: State, lead: str) -> Raw:
    actors = [{"actor": _person(name, lead), "status": "accepted"} for name in state["patients"]]
    on = day(state["day"])
    return {
        **{"status": "booked", "serviceType": [_what(state)], "start": f"{on}T00:00:00Z", "end": f"{on}T23:59:59Z"},
        "participant": actors,
    }


def _observation(state: State, lead: str) -> Raw:
    said = {"status": "final", "code": _what(state), "subject": _first(state, lead), "performer": [_last(state, lead)]}
    return {**said, "effectiveDateTime": day(state["day"]), "category": _category(state)}


def _team(state: State, lead: str) -> Raw:
    members = [{"member": {"reference": whom(each["who"], lead)}, **_period(each["period"])} for each in state["members"]]
    status = {"status": state["status"]} if state["status"] else {}
    return {**status, "subject": _first(state, lead), "participant": members, **_period(state["period"])}


def _characterised(payer: str | None, lead: str) -> Raw:
    code = _coded("urn:ietf:rfc:3986", "http://hl7.org/fhir/SearchParameter/Coverage-payor")
    only = {"code": code, "valueReference": {"reference": whom(payer, lead)}, "exclude": False} if payer else {}
    return {"characteristic": [only]} if only else {}


def _plan(state: State, lead: str) -> Raw:
    category = [*_category(state), _what(state)]
    return {"status": "active", "intent": "plan", "subject": _first(state, lead), "category": category, **_period([state["day"]] * 2)}


def _task(state: State, lead: str) -> Raw:
    owner = {"owner": {"reference": whom(state["owner"], lead)}} if state["owner"] else {}
    due = {"restriction": {"period": {"end": day(state["day"])}}, "priority": "urgent"}
    return {"status": "requested", "intent": "order", "code": _what(state), "for": _first(state, lead), **owner, **due}


def _numbers(type: str, said: str) -> list[Raw]:
    return [{"system": CASE_NUMBER, "value": said}] if type == "EpisodeOfCare" else []


_SAID: dict[str, Any] = {
    **{"Appointment": lambda said: {"description": said}, "CarePlan": lambda said: {"title": said}},
    **dict.fromkeys(("CareTeam", "Group"), lambda said: {"name": said}),
    **dict.fromkeys(("Condition", "Observation"), lambda said: {"note": [{"text": said}]}),
    **{"Coverage": lambda said: {"subscriberId": said}, "Patient": lambda said: {"address": [{"text": said}]}},
    **{"Encounter": lambda said: {"reasonCode": [{"text": said}]}},
    **{"Goal": lambda said: {"description": {"text": said}}, "Task": lambda said: {"description": said}},
}
"""By type, an element that the records of the case API have too, with the mark."""
_BODIES: dict[str, Any] = {
    "Appointment": _appointment,
    "CarePlan": _plan,
    "CareTeam": _team,
    "Condition": lambda state, lead: {
        **{"subject": _first(state, lead), "code": _what(state), "asserter": _last(state, lead)},
        "onsetDateTime": day(state["day"]),
    },
    "Consent": consent,
    "Coverage": lambda state, lead: {
        **{"status": state["status"], "beneficiary": _first(state, lead), **_period(state["period"])},
        "payor": [{"reference": whom(name, lead)} for name in state["payers"]],
    },
    "Encounter": lambda state, lead: {
        **{"status": "finished", "class": {"code": "AMB"}, "subject": _first(state, lead), "type": [_what(state)]},
        **_period([state["day"]] * 2),
    },
    "EpisodeOfCare": lambda state, lead: {
        **{"status": state["status"], "patient": _first(state, lead), **_period(state["period"])},
        "careManager": {"reference": whom(state["manager"], lead)},
        "type": [_coded(f"{CS}/case-type", "general")],
    },
    "Goal": lambda state, lead: {
        **{"lifecycleStatus": "active", "description": {"text": "Kanarifugl"}, "category": [_what(state)]},
        **{"subject": _first(state, lead), "startDate": day(state["day"])},
    },
    "Group": lambda state, lead: {
        **{"type": "person", "actual": True, "code": _what(state), **_characterised(state["whose"], lead)},
        "member": [{"entity": _person(name, lead)} for name in state["patients"]],
    },
    "List": lambda state, lead: {"status": "current", "mode": "working", "code": _what(state), "subject": _first(state, lead)},
    "Observation": _observation,
    "Patient": lambda state, lead: {"birthDate": "1980-01-01", "name": [{"family": "Kanarifugl", "given": [state["patients"][0]]}]},
    "Task": _task,
}
