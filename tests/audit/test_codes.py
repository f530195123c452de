"""The codes of the account can be looked up: each that is written has its meaning, in a code system that is published."""

from adapter.access.policy import policies
from adapter.access.reasons import BASES, RULES
from adapter.audit import event
from adapter.audit.codes import DETAILS, INTERACTIONS
from adapter.config import CS
from adapter.ig.package import published
from server.auth.roles import ROLES


def codes(id):
    return {concept["code"]: concept["display"] for concept in published()[f"{CS}/{id}"]["concept"]}


def test_each_interaction_that_has_a_type_of_its_own_has_a_meaning():
    assert INTERACTIONS.keys() == event._OTHERS.keys()


def test_the_codes_of_accounts_and_packets_are_published_with_what_they_mean():
    told = {"interaction": INTERACTIONS, "audit-detail": DETAILS, "disclosure-basis": BASES, "withholding-rule": RULES}
    assert {id: codes(id) for id in told} == {id: dict(meanings) for id, meanings in told.items()}
    assert {id for id in told if published()[f"{CS}/{id}"]["content"] == "fragment"} == {"interaction"}


def test_each_role_that_somebody_can_have_is_published_with_what_it_sees():
    assert codes("role").keys() == ROLES.keys()
    assert codes("role")["auditor"] == policies(None)["auditor"].title
