"""Random worlds of payers, members, coverages, consents and care, as plain descriptions, and what they are as FHIR.

A description says what somebody made up; `tests.access.rule` says from it, slowly and without the code under test, what may be seen.
"""

from typing import Any

from hypothesis import strategies as st

TODAY = 22
"""The day in April 2025 on which everything is asked, at noon in UTC."""
PAYERS, PATIENTS = ("ins", "other"), ("p", "q", "r")
# Chance alone makes worlds in which hardly anything is to be seen, and proves little: most have this member, and most is about that one.
_MEMBER: dict[str, Any] = {"patient": "p", "payers": ["ins"], "status": "active"}
_MOSTLY = st.sampled_from(("p", "p", "p", "q", "r"))
TYPES = ("CarePlan", "Condition", "Goal", "Observation")
SECRETS: dict[str, dict[str, str]] = {
    "mental-health": {"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "F32.1"},
    "substance-use": {"system": "http://snomed.info/sct", "code": "7200002"},
    "hiv": {"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "Z21"},
}
LABELS = {"mental-health": "PSY", "substance-use": "ETH", "hiv": "HIV"}
CODES = ("x", "y")
_ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"

days = st.integers(18, 26)
spans = st.tuples(days, days).map(sorted) | st.just([TODAY - 3, TODAY + 3]) | st.just([TODAY - 9, TODAY - 5])
names = st.lists(_MOSTLY, min_size=1, max_size=2, unique=True)
secrets = st.just([]) | st.just([]) | st.lists(st.sampled_from([*SECRETS]), max_size=2, unique=True)

coverages = st.fixed_dictionaries(
    {
        "patient": st.sampled_from(PATIENTS),
        "payers": st.lists(st.sampled_from(PAYERS), min_size=1, max_size=2, unique=True) | st.just(["ins"]),
        "status": st.sampled_from(("active", "active", "active", "cancelled")),
    },
    optional={"period": spans},
)


def rules(depth: int, *, root: bool) -> st.SearchStrategy[dict[str, Any]]:
    conditions = {
        "period": spans,
        "actor": st.sampled_from(PAYERS),
        "purpose": st.sampled_from(("HPAYMT", "TREAT", "COVERAGE")),
        "types": st.lists(st.sampled_from(TYPES), min_size=1, max_size=3, unique=True),
        "labels": st.lists(st.sampled_from([*SECRETS]), min_size=1, max_size=3, unique=True),
        "code": st.sampled_from(CODES),
        "dates": spans,
        "unclear": st.just(True),
        "rules": st.lists(rules(depth - 1, root=False), min_size=1, max_size=2) if depth else st.nothing(),
    }
    words = st.sampled_from(("permit", "deny"))
    chosen = {name: way for name, way in conditions.items() if not way.is_empty}
    few = st.lists(st.sampled_from([*chosen]), max_size=2, unique=True).flatmap(
        lambda several: st.fixed_dictionaries({name: chosen[name] for name in several})
    )
    return st.tuples(words, few, st.booleans()).map(lambda made: made[1] | ({} if root and made[2] else {"word": made[0]}))


consents = st.fixed_dictionaries(
    {
        "patient": _MOSTLY,
        "status": st.sampled_from(("active", "active", "active", "inactive")),
        "towards": st.sampled_from((None, None, "payer", "support")),
        "base": st.sampled_from((None, "permit", "deny")),
        "rule": rules(2, root=True),
    }
)

states = st.fixed_dictionaries(
    {
        "patients": names,
        "secrets": secrets,
        "labelled": st.booleans(),
        "code": st.sampled_from(CODES),
        "day": days,
        "category": st.booleans(),
    }
)
things = st.fixed_dictionaries(
    {
        "type": st.sampled_from((*TYPES, *TYPES, "Appointment", "Encounter")),
        "states": st.lists(states, min_size=1, max_size=2),
        "deleted": st.sampled_from((False, False, False, True)),
    }
)
worlds = st.fixed_dictionaries(
    {
        "coverages": st.lists(coverages, max_size=3).flatmap(
            lambda several: st.sampled_from(([_MEMBER, *several], [_MEMBER, *several], several))
        ),
        "consents": st.lists(consents, max_size=3),
        "things": st.lists(things, min_size=4, max_size=7),
        "told": st.lists(st.lists(st.integers(0, 6), min_size=1, max_size=2, unique=True), max_size=2),
        "consent": st.sampled_from(("opt-in", "opt-out")),
        "sensitive": st.sampled_from(([], [], ["hiv"], ["hiv", "mental-health"])),
        "category": st.sampled_from((False, False, True)),
        "glass": st.sampled_from((None, None, None, *PATIENTS)),
        "purpose": st.sampled_from(("HPAYMT", "COVERAGE")),
    }
)


def day(number: int) -> str:
    return f"2025-04-{number:02}"


def period(span: list[int]) -> dict[str, str]:
    return {"start": day(span[0]), "end": day(span[1])}


def reference(type: str, id: str) -> dict[str, str]:
    return {"reference": f"{type}/{id}"}


def _coded(system: str, *codes: str) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code} for code in codes]}


def provision(rule: dict[str, Any], lead: str) -> dict[str, Any]:
    """A rule as R4 has it."""
    role = _coded("http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "IRCP")
    made = {
        "word": lambda word: ("type", word),
        "period": lambda span: ("period", period(span)),
        "actor": lambda payer: ("actor", [{"role": role, "reference": reference("Organization", lead + payer)}]),
        "purpose": lambda code: ("purpose", [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": code}]),
        "types": lambda types: ("class", [{"system": "http://hl7.org/fhir/resource-types", "code": type} for type in types]),
        "labels": lambda labels: ("securityLabel", [{"system": _ACT, "code": LABELS[label]} for label in labels]),
        "code": lambda code: ("code", [_coded("urn:c", code)]),
        "dates": lambda span: ("dataPeriod", period(span)),
        "unclear": lambda _: ("data", [{"meaning": "authoredby", "reference": reference("Practitioner", "d")}]),
        "rules": lambda inner: ("provision", [provision(each, lead) for each in inner]),
    }
    return dict(made[name](value) for name, value in rule.items())


def consent(made: dict[str, Any], lead: str) -> dict[str, Any]:
    found = {
        "resourceType": "Consent",
        "status": made["status"],
        "scope": _coded("http://terminology.hl7.org/CodeSystem/consentscope", "patient-privacy"),
        "category": [_coded("http://loinc.org", "59284-0")],
        "patient": reference("Patient", lead + made["patient"]),
    }
    if made["towards"]:
        url = "https://casebridge.example/fhir/StructureDefinition/consent-scope"
        found["extension"] = [{"url": url, "valueCode": f"sharing-{made['towards']}"}]
    if made["base"]:
        found["policyRule"] = _coded(_ACT, "OPTIN" if made["base"] == "permit" else "OPTOUT")
    return found | ({"provision": provision(made["rule"], lead)} if made["rule"] else {})


def coverage(made: dict[str, Any], lead: str) -> dict[str, Any]:
    found = {
        "resourceType": "Coverage",
        "status": made["status"],
        "beneficiary": reference("Patient", lead + made["patient"]),
        "payor": [reference("Organization", lead + payer) for payer in made["payers"]],
    }
    return found | ({"period": period(made["period"])} if "period" in made else {})


def thing(type: str, state: dict[str, Any], lead: str) -> dict[str, Any]:
    """A resource of care in one of its states."""
    plain = [{"system": "urn:c", "code": state["code"]}]
    hidden = [] if state["labelled"] else [SECRETS[name] for name in state["secrets"]]
    labels = [{"system": _ACT, "code": LABELS[name]} for name in state["secrets"]] if state["labelled"] else []
    who, other = reference("Patient", lead + state["patients"][0]), reference("Patient", lead + state["patients"][-1])
    category = [_coded("urn:category", "shown" if state["category"] else "else")]
    coding, on = {"coding": plain + hidden}, day(state["day"])
    bodies: dict[str, dict[str, Any]] = {
        "CarePlan": {
            "status": "active",
            "intent": "plan",
            "subject": who,
            "category": [*category, coding],
            "period": {"start": on, "end": on},
        },
        "Condition": {"subject": who, "code": coding, "onsetDateTime": on, "asserter": other},
        "Goal": {"lifecycleStatus": "active", "description": coding, "subject": who, "startDate": on},
        "Observation": {
            **{"status": "final", "code": coding, "subject": who, "performer": [other]},
            **{"effectiveDateTime": on, "category": category},
        },
        "Appointment": {
            **{"status": "booked", "serviceCategory": [coding], "start": f"{on}T00:00:00Z", "end": f"{on}T23:59:59Z"},
            "participant": [{"actor": reference("Patient", lead + name), "status": "accepted"} for name in state["patients"]],
        },
        "Encounter": {"status": "finished", "class": {"code": "AMB"}, "subject": who, "type": [coding], "period": {"start": on, "end": on}},
    }
    return {"resourceType": type, **({"meta": {"security": labels}} if labels else {}), **bodies[type]}
