"""`casebridge access`: the glasses that were broken."""

from datetime import timedelta

import pytest

from adapter.casework.records import save
from adapter.store import teams
from adapter.store.documents import Change
from adapter.store.glass import Glass
from adapter.store.repository import Repository

REASON = "Kanarifugl fell in the hall."


@pytest.fixture
def broken(database):
    """Dana broke one that counts, and one that is over."""
    repository = Repository(database)
    repository.commit([Change("Patient", "alma", {"resourceType": "Patient", "id": "alma"}, 0)])
    kept = Glass(repository)
    return [kept.break_("Practitioner/dana", "Patient/alma", REASON, timedelta(hours=hours)).id for hours in (1, 0)]


def test_what_was_broken_is_listed_with_who_whom_and_why(casebridge, broken):
    assert {row["id"] for row in casebridge("access", "breaks", "--json").json} == {*broken}
    [row] = casebridge("access", "breaks", "--held", "--json").json
    assert (row["id"], row["who"], row["patient"], row["reason"]) == (broken[0], "Practitioner/dana", "Patient/alma", REASON)
    assert REASON in casebridge("access", "breaks").out


def test_one_is_ended_at_once_and_stays_listed(casebridge, broken, database):
    assert casebridge("access", "end", broken[0]).code == 0
    assert casebridge("access", "breaks", "--held", "--json").json == []
    [row] = [row for row in casebridge("access", "breaks", "--json").json if row["id"] == broken[0]]
    assert row["ended_by"].startswith("operator ")
    last = max((stored.raw for stored in Repository(database).scan("AuditEvent")), key=lambda raw: raw["recorded"])
    assert last["agent"][0]["altId"] == row["ended_by"]


def test_what_was_never_broken_is_not_ended(casebridge):
    ran = casebridge("access", "end", "nothing")
    assert (ran.code, len(ran.err.splitlines())) == (2, 1)


def test_who_works_on_cases_is_written_down_by_the_operator(casebridge, database):
    new = ("access", "staff", "dana", "--family", "Kanarifugl", "--discipline", "nurse")
    assert casebridge(*new, "--organisation", "Organization/north").code == 0
    assert casebridge("access", "staff", "dana", "--role", "supervisor").code == 0
    repository = Repository(database)
    role, person = (repository.read(type, "dana") for type in ("PractitionerRole", "Practitioner"))
    assert role.record["role"] == "supervisor"
    assert (role.raw["organization"], role.raw["practitioner"]) == (
        {"reference": "Organization/north"},
        {"reference": "Practitioner/dana"},
    )
    assert person.raw["name"][0]["family"] == "Kanarifugl"
    assert teams.organisations(repository, "Practitioner/dana", repository.clock()) == {"Organization/north"}


def test_what_is_said_of_a_name_leaves_the_rest_of_it_and_the_other_names(casebridge, database):
    repository = Repository(database)
    born, usual = {"use": "old", "family": "Before"}, {"use": "usual", "family": "Kanarifugl", "given": ["Dana"], "text": "Dana Kanarifugl"}
    save(repository, "case_manager", "dana", {"names": [born, usual], "discipline": "nurse", "practitioner": "Practitioner/dana"})
    assert casebridge("access", "staff", "dana", "--family", "Kanarifugl-New").code == 0
    names = repository.read("Practitioner", "dana").raw["name"]
    assert sorted(names, key=lambda name: name["use"]) == [born, {"use": "usual", "family": "Kanarifugl-New", "given": ["Dana"]}]


def test_who_somebody_is_was_written_by_the_operator_and_not_by_themselves(casebridge, database):
    assert casebridge("access", "staff", "dana", "--family", "Kanarifugl", "--discipline", "nurse", "--role", "supervisor").code == 0
    [made] = [stored.raw for stored in Repository(database).scan("Provenance")]
    [agent] = made["agent"]
    assert agent["who"].keys() == {"display"}
    assert agent["who"]["display"].startswith("operator ")


def test_somebody_new_has_a_name_and_a_training(casebridge):
    ran = casebridge("access", "staff", "dana", "--role", "supervisor")
    assert (ran.code, "names" in ran.err, "discipline" in ran.err) == (2, True, True)
