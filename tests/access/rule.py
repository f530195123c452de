"""What may be seen of a world, from its description alone: slow, plain, and nothing of the code under test.

The words of R4 (http://hl7.org/fhir/R4/consent.html) and of docs/decisions/021, one after the other.
"""

from typing import Any

from .worlds import TODAY

EVER = (-1000, 1000)
READER = ("ins", "payer")
_KINDS_OF = {"COVERAGE": {"COVERAGE", "HPAYMT"}, "HPAYMT": {"HPAYMT"}}


def sees_patient(world: dict[str, Any], patient: str) -> bool:
    """Whether a coverage of the reader's is in force today, or the glass was broken."""
    return patient == world["glass"] or any(
        each["patient"] == patient
        and each["status"] == "active"
        and READER[0] in each["payers"]
        and each.get("period", EVER)[0] <= TODAY <= each.get("period", EVER)[1]
        for each in world["coverages"]
    )


def may_see(world: dict[str, Any], patient: str, type: str, labels: set[str], code: str | None, time: tuple[int, int]) -> bool:
    """Whether the reader may see this of this patient."""
    if not sees_patient(world, patient):
        return False
    if patient == world["glass"]:
        return True
    counted = [
        each
        for each in world["consents"]
        if each["patient"] == patient and each["status"] == "active" and each["towards"] in (None, READER[1])
    ]
    content = {"type": type, "labels": labels, "code": code, "time": time, "purposes": _KINDS_OF[world["purpose"]]}
    words = [word for each in counted for word in _deciding(each["rule"], content, True, set())]
    named: set[str] = set().union(*(names for word, names in words if word == "permit"))
    verdict = "deny" if any(word == "deny" for word, _ in words) else "permit" if words else None
    if verdict is None:
        bases = [each["base"] for each in counted if each["base"] and _base_counts(each, content)]
        verdict = "deny" if "deny" in bases else "permit" if bases else "permit" if world["consent"] == "opt-out" else "deny"
    return verdict == "permit" and labels <= named | set(world["sensitive"])


def _deciding(rule: dict[str, Any], content: dict[str, Any], sure: bool, named: set[str]) -> list[tuple[str, set[str]]]:
    """The provisions that decide: the deepest that fit."""
    fits = [_fit(name, rule[name], content) for name in rule]
    if "no" in fits:
        return []
    sure = sure and "perhaps" not in fits
    named = named | set(rule.get("labels", ()))
    below = [found for inner in rule.get("rules", ()) for found in _deciding(inner, content, sure, named)]
    if below:
        return below
    if rule.get("word") == "deny":
        return [("deny", set())]
    return [("permit", named)] if rule.get("word") == "permit" and sure else []


def _base_counts(consent: dict[str, Any], content: dict[str, Any]) -> bool:
    """A base policy counts wherever the outermost provision is an exception to it, else where that provision fits."""
    if "word" in consent["rule"]:
        return True
    fits = [_fit(name, value, content) for name, value in consent["rule"].items()]
    return "no" not in fits and (consent["base"] == "deny" or "perhaps" not in fits)


def _fit(name: str, value: Any, content: dict[str, Any]) -> str:
    if name == "period":
        return "yes" if value[0] <= TODAY <= value[1] else "no"
    if name == "dates":
        low, high = content["time"]
        if high < value[0] or low > value[1]:
            return "no"
        return "yes" if value[0] <= low and high <= value[1] else "perhaps"
    if name == "unclear":
        return "perhaps"
    held = {
        "actor": lambda: value == READER[0],
        "purpose": lambda: value in content["purposes"],
        "types": lambda: content["type"] in value,
        "labels": lambda: bool(set(value) & content["labels"]),
        "code": lambda: value == content["code"],
    }
    return "yes" if name not in held or held[name]() else "no"


def sees_state(world: dict[str, Any], type: str, states: list[dict[str, Any]]) -> bool:
    """Whether a version may be seen: the first of these states, of which the others came after it."""
    if type == "Encounter":
        return False
    state = states[0]
    owners = [_owners(type, each) for each in states]
    if any(each != owners[0] for each in owners):
        return False
    if world["category"] and type == "Observation" and not state["category"]:
        return False
    labels = set().union(*(each["secrets"] for each in states))
    open_ended = type in ("Condition", "Goal")
    time = (state["day"], EVER[1] if open_ended else state["day"])
    return all(may_see(world, patient, type, labels, state["code"], time) for patient in owners[0])


def sees_deletion(world: dict[str, Any], type: str, state: dict[str, Any]) -> bool:
    """Whether it is told that this was deleted: where it was seen, and where that needed nothing to be known of what it said."""
    asked = [
        each["rule"]
        for each in world["consents"]
        if each["patient"] in _owners(type, state) - {world["glass"]}
        and each["status"] == "active"
        and each["towards"] in (None, READER[1])
    ]
    return sees_state(world, type, [state]) and not (world["category"] and type == "Observation") and not any(map(_by_content, asked))


def _by_content(rule: dict[str, Any]) -> bool:
    return not {"code", "dates", "unclear"}.isdisjoint(rule) or any(map(_by_content, rule.get("rules", ())))


def _owners(type: str, state: dict[str, Any]) -> set[str]:
    return set(state["patients"] if type == "Appointment" else state["patients"][:1])


def sees_own(world: dict[str, Any], patient: str, type: str) -> bool:
    """Whether a Patient or Coverage of this patient may be seen: they have no codes, and say no time of care."""
    return may_see(world, patient, type, set(), None, EVER)
