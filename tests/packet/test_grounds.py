"""Why what a packet holds was allowed: each resource has its ground, and the Consents that are named are those that decide."""

from datetime import UTC, datetime, timedelta

import pytest

from adapter.access.consent import Ask, Content, compiled, decide, deciding
from adapter.access.viewer import Viewer
from adapter.packet.grounds import Ground
from adapter.packet.packet import Asked, packet
from tests.access import resources, worlds

from .scene import agreed, change, denied, insurers_sight

MOMENT = datetime(2025, 4, worlds.TODAY, 12, tzinfo=UTC)
ASK = Ask(Viewer("reader", frozenset(("Organization/ins",)), "HPAYMT"), MOMENT, "payer")


def grounds(repository):
    return packet(repository, insurers_sight(repository), Asked("river", datetime(2025, 1, 1, tzinfo=UTC))).grounds


def test_each_resource_has_its_ground(repository):
    assert grounds(repository) == {
        Ground("consent", "Consent/yes", "Consent.provision"): 11,
        Ground("open"): 3,
        Ground("target"): 1,
    }


def test_consents_that_agree_are_all_named_with_the_deepest_provision_that_says_so(repository):
    goals = {"type": "permit", "class": [{"system": "http://hl7.org/fhir/resource-types", "code": "Goal"}]}
    opt_in = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "OPTIN"}]}
    repository.commit(
        [change("Consent/yes", agreed(denied("RiskAssessment"), goals), 1), change("Consent/also", agreed(denied("RiskAssessment")))]
    )
    repository.commit([change("Consent/base", agreed(policyRule=opt_in))])
    found = grounds(repository)
    assert found[Ground("consent", "Consent/yes", "Consent.provision.provision[1]")] == 1
    assert found[Ground("consent", "Consent/yes", "Consent.provision")] == 10
    assert found[Ground("consent", "Consent/also", "Consent.provision")] == 11
    repository.commit(
        [
            change("Consent/yes", None, 2),
            change("Consent/also", None, 1),
            change("Consent/base", agreed(policyRule=opt_in, provision={}), 1),
        ]
    )
    assert grounds(repository)[Ground("consent", "Consent/base", "Consent.policyRule")] == 12


@pytest.mark.parametrize("hundred", range(0, 200, 100))
def test_what_is_named_decides(hundred):
    """Each by itself says what all come to, in the provision that is named."""
    for number in range(hundred, hundred + 100):
        _named_decides(*worlds.consented(1, number))


def _named_decides(several, state, type):
    made = {f"Consent/{number}": compiled(resources.consent(each, "")) for number, each in enumerate(several)}
    consents = {reference: consent for reference, consent in made.items() if consent}
    began = datetime(2025, 4, state["day"], tzinfo=UTC)
    codes = frozenset(f"{resources.CODED}|{code}" for code in state["codes"])
    content = Content(type, frozenset(state["secrets"]), f"{type}/t0", codes, (began, began + timedelta(days=1)))
    said = decide(consents.values(), ASK, content)
    named = deciding(consents, ASK, content)
    assert bool(named) == bool(said.word)
    for reference, path in named:
        assert decide([consents[reference]], ASK, content).word == said.word
        assert path == "Consent.policyRule" or _word(several[int(reference.partition("/")[2])]["rule"], path) == said.word


def _word(rule, path):
    """What the provision at a path says."""
    for part in path.split(".")[2:]:
        rule = rule["rules"][int(part.removeprefix("provision[").removesuffix("]"))]
    return rule.get("word")
