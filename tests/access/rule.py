"""What may be seen of a world, from its description alone: slow, plain, and nothing of the code under test.

The words of R4 (http://hl7.org/fhir/R4/consent.html) and of docs/decisions/021, one after the other. Items are named `Type/id`.
"""

from typing import Any

from .worlds import POLICIES, SHARED, TODAY, Item, State, World, nested

# By v3-ActReason: what a purpose is a kind of.
_KINDS_OF = {
    "CAREMGT": {"CAREMGT", "HOPERAT"},
    "COC": {"COC", "TREAT"},
    "COVERAGE": {"COVERAGE", "HPAYMT"},
    "HPAYMT": {"HPAYMT"},
    "TREAT": {"TREAT"},
}
_BY_CONTENT = {"code", "dates", "instance"}


def seen(world: World) -> dict[str, State]:
    """What may be seen now, with its state; Provenances too."""
    found = {_name(item): item["states"][-1] for item in world["items"] if not item["deleted"] and sees_state(world, item, -1)}
    gone = {_name(item) for item in world["items"] if item["deleted"] and sees_deletion(world, item)}
    told = {f"Provenance/{each['id']}": each for each in world["told"] if {*each["targets"]} <= found.keys() | gone}
    return found | told


def versions(world: World) -> set[tuple[str, int]]:
    """The versions that may be seen, deletions among them; of Provenances the one that there is."""
    found = {(name, 1) for name in seen(world) if name.startswith("Provenance/")}
    for item in world["items"]:
        found |= {(_name(item), place + 1) for place in range(len(item["states"])) if sees_state(world, item, place)}
        if item["deleted"] and sees_deletion(world, item):
            found.add((_name(item), len(item["states"]) + 1))
    return found


def sees_state(world: World, item: Item, place: int) -> bool:
    """Whether a version may be seen: by its own content, and as sensitive as all that came after it."""
    view = _view(world, item["type"])
    states = item["states"][place:]
    owners = owners_of(item["type"], states[0])
    if item["type"] in POLICIES[world["policy"]].get("by_characteristic", ()):
        return bool(states[0]["whose"] == world["reader"])
    if view is None or any(owners_of(item["type"], each) != owners for each in states):
        return False
    if view.get("category") and not states[0]["category"]:
        return False
    labels = {label for each in states for label in each["secrets"]}
    return all(may_see(world, owner, item, states[0], labels) for owner in owners)


def sees_deletion(world: World, item: Item) -> bool:
    """Whether it is told that this was deleted: where it was seen, and where that needed nothing to be known of what it said."""
    view, owners = _view(world, item["type"]), owners_of(item["type"], item["states"][-1])
    asked = [rule for owner in owners for consent in _consents(world, owner) for rule in nested(consent["rule"])]
    told = view is not None and not view.get("category") and not any(_BY_CONTENT & rule.keys() for rule in asked)
    return told and sees_state(world, item, -1)


def owners_of(type: str, state: State) -> set[str]:
    """Whose it is."""
    return set(state["patients"] if type in SHARED else state["patients"][:1])


def may_see(world: World, patient: str, item: Item, state: State, labels: set[str]) -> bool:
    """Whether the reader may see such content of this patient."""
    policy = POLICIES[world["policy"]]
    if patient == world["glass"]:
        return True
    if not _tied(world, patient):
        return False
    open_to = labels if "*" in policy.get("sensitive", ()) else set(policy.get("sensitive", ()))
    if policy["consent"] == "not-asked":
        return labels <= open_to
    content = {**state, "type": item["type"], "name": _name(item), "labels": labels}
    counted = _consents(world, patient)
    words = [word for each in counted for word in _deciding(world, each["rule"], content, True, set())]
    named: set[str] = set().union(*(names for word, names in words if word == "permit"))
    verdict = "deny" if any(word == "deny" for word, _ in words) else "permit" if words else None
    if verdict is None:
        bases = [each["base"] for each in counted if each["base"] and _base_counts(world, each, content)]
        verdict = "deny" if "deny" in bases else "permit" if bases else "permit" if policy["consent"] == "opt-out" else "deny"
    return verdict == "permit" and labels <= named | open_to


def only_by_glass(world: World, patient: str) -> bool:
    """Whether the reader sees this patient for a broken glass alone: then the record is looked at, and not changed."""
    return patient == world["glass"] and not _tied(world, patient)


def _tied(world: World, patient: str) -> bool:
    """Whether cover, case, care team or consent ties the patient to the reader, or to whose caseloads they see besides, today."""
    ties, whom = POLICIES[world["policy"]]["ties"], {world["reader"], *world["team"]}
    if patient == world["offered"]:
        return True
    consents = _current(world, "Consent", patient)
    covers = [each for each in _current(world, "Coverage", patient) if each["status"] == "active" and _today(each["period"])]
    cases = [each for each in _current(world, "EpisodeOfCare", patient) if each["status"] != "cancelled" and _today(each["period"])]
    teams = [each for each in _current(world, "CareTeam", patient) if each["status"] != "inactive" and _today(each["period"])]
    return (
        ("payor" in ties and any(whom & {*each["payers"]} for each in covers))
        or ("manager" in ties and any(each["manager"] in whom for each in cases))
        or ("recipient" in ties and any(_receives(each["rule"], whom) for each in consents if each["status"] == "active"))
        or ("member" in ties and any(member["who"] in whom and _today(member["period"]) for each in teams for member in each["members"]))
    )


def _receives(rule: dict[str, Any], whom: set[str]) -> bool:
    """Whether a permission of this provision, or inside of it, names one of them now."""
    if not _today(rule.get("period")):
        return False
    own = rule.get("word") == "permit" and rule.get("actor") in whom
    return own or any(_receives(inner, whom) for inner in rule.get("rules", ()))


def _consents(world: World, patient: str) -> list[State]:
    """Those in force that are about telling somebody of the reader's kind; none where nobody asks for them."""
    policy = POLICIES[world["policy"]]
    if policy["consent"] == "not-asked" or patient == world["glass"]:
        return []
    found = _current(world, "Consent", patient)
    return [each for each in found if each["status"] == "active" and each["towards"] in (None, policy.get("kind"))]


def _current(world: World, type: str, patient: str) -> list[State]:
    several = [item["states"][-1] for item in world["items"] if item["type"] == type and not item["deleted"]]
    return [state for state in several if state["patients"] == [patient]]


def _today(period: list[int] | None) -> bool:
    return period is None or period[0] <= TODAY <= period[1]


def _view(world: World, type: str) -> dict[str, Any] | None:
    types = POLICIES[world["policy"]]["types"]
    return types.get(type, types.get("*"))


def _deciding(world: World, rule: dict[str, Any], content: dict[str, Any], sure: bool, named: set[str]) -> list[tuple[str, set[str]]]:
    """The provisions that decide: the deepest that fit."""
    fits = [_fit(world, name, rule[name], content) for name in rule]
    if "no" in fits:
        return []
    sure = sure and "perhaps" not in fits
    named = named | set(rule.get("labels", ()))
    below = [found for inner in rule.get("rules", ()) for found in _deciding(world, inner, content, sure, named)]
    if below:
        return below
    if rule.get("word") == "deny":
        return [("deny", set())]
    return [("permit", named)] if rule.get("word") == "permit" and sure else []


def _base_counts(world: World, consent: State, content: dict[str, Any]) -> bool:
    """A base policy counts wherever the outermost provision is an exception to it, else where that provision fits."""
    if "word" in consent["rule"]:
        return True
    fits = [_fit(world, name, value, content) for name, value in consent["rule"].items()]
    return "no" not in fits and (consent["base"] == "deny" or "perhaps" not in fits)


def _fit(world: World, name: str, value: Any, content: dict[str, Any]) -> str:
    if name == "dates":
        low, high = content["time"]
        if high < value[0] or low > value[1]:
            return "no"
        return "yes" if value[0] <= low and high <= value[1] else "perhaps"
    if name == "custodian":
        return "yes" if value == "us" else "perhaps"
    held = {
        "unclear": lambda: None,
        "period": lambda: _today(value),
        "actor": lambda: value == world["reader"],
        "purpose": lambda: value in _KINDS_OF[world["purpose"]],
        "action": lambda: value in ("access", "disclose", "use"),
        "types": lambda: content["type"] in value,
        "labels": lambda: bool(set(value) & content["labels"]),
        "code": lambda: value in content["codes"],
        "instance": lambda: value == content["name"],
    }
    return {True: "yes", False: "no", None: "perhaps"}[held[name]()] if name in held else "yes"


def _name(item: Item) -> str:
    return f"{item['type']}/{item['id']}"
