"""`casebridge dead`: what was refused, seen, sent again, given up; the remote's texts only where they are asked for."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from adapter.config import SYNTHETIC_TAG
from adapter.store.documents import Change
from adapter.sync.bridge import Bridge
from adapter.sync.remotes.remote import Remote
from tests.sync.faulty import Proxy, says

ISSUE = {"severity": "error", "code": "required", "expression": ["Patient.birthDate"], "diagnostics": "Kanarifugl has no birth date"}
REFUSED = json.dumps({"resourceType": "OperationOutcome", "issue": [ISSUE]}).encode()
LETTER = "clinic:push:Patient/refused"


@pytest.fixture
def clinic(casebridge: Any, hospital: Any, database: Any) -> Iterator[Proxy]:
    """A remote that has refused one of two patients."""
    bridge = Bridge(database)
    with Proxy(hospital.base_url) as proxy:
        bridge.remotes.add(Remote("clinic", proxy.url))
        person = {"resourceType": "Patient", "meta": {"tag": [SYNTHETIC_TAG]}, "name": [{"family": "Kanarifugl"}]}
        bridge.repository.commit([Change("Patient", id, person, 0) for id in ("refused", "taken")])
        proxy.fault(says(422, REFUSED), method="POST", body='"value":"refused"')
        assert casebridge("push", "clinic").code == 1
        yield proxy


def test_what_was_refused_is_listed_under_the_name_by_which_it_is_shown(casebridge: Any, clinic: Proxy) -> None:
    assert LETTER in casebridge("dead", "list").out
    (row,) = casebridge("dead", "list", "--json").json
    assert (row["remote"], row["direction"], row["resource"]) == ("clinic", "push", "Patient/refused")


def test_it_is_shown_with_the_remotes_issues_and_without_its_texts(casebridge: Any, clinic: Proxy) -> None:
    shown = casebridge("dead", "show", LETTER)
    assert (shown.code, "Patient.birthDate" in shown.out, "Kanarifugl" in shown.out) == (0, True, False)
    body = casebridge("dead", "show", LETTER, "--json").json
    assert body["outcome"] == [{"severity": "error", "code": "required", "expression": "Patient.birthDate"}]
    assert (body["status"], body["temporary"], body["changed_since"], "texts" in body) == (422, False, False, False)
    assert "Kanarifugl has no birth date" in casebridge("dead", "show", LETTER, "--texts").out


def test_that_it_was_changed_since_is_told(casebridge: Any, clinic: Proxy, database: Any) -> None:
    repository = Bridge(database).repository
    stored = repository.read("Patient", "refused")
    repository.commit([Change("Patient", "refused", {**stored.raw, "birthDate": "1950"}, stored.version)])
    assert "It was changed here since." in casebridge("dead", "show", LETTER).out


def test_it_is_sent_again_by_itself(casebridge: Any, clinic: Proxy, hospital: Any) -> None:
    again = casebridge("dead", "resend", LETTER)
    assert (again.code, again.out.splitlines()[-1]) == (1, "0 of 1 are no longer refused.")
    clinic.mend()
    again = casebridge("dead", "resend", "--remote", "clinic")
    assert (again.code, again.out.splitlines()[-1]) == (0, "1 of 1 are no longer refused.")
    assert casebridge("dead", "list", "--json").json == []
    assert hospital.count("Patient", {}) == 2
    assert casebridge("push", "clinic").code == 0


def test_what_is_given_up_is_sent_no_more_until_it_changes(casebridge: Any, clinic: Proxy, hospital: Any, database: Any) -> None:
    assert casebridge("dead", "drop", LETTER, answer="n\n").err.endswith("Nothing was given up.\n")
    assert casebridge("dead", "drop", LETTER, "--yes").code == 0
    clinic.mend()
    assert casebridge("push", "clinic").code == 0
    assert hospital.count("Patient", {}) == 1
    repository = Bridge(database).repository
    stored = repository.read("Patient", "refused")
    repository.commit([Change("Patient", "refused", {**stored.raw, "birthDate": "1950"}, stored.version)])
    assert casebridge("push", "clinic").code == 0
    assert hospital.count("Patient", {}) == 2


@pytest.mark.parametrize("arguments", [("show", "clinic:push:Patient/x"), ("resend",), ("drop", "--yes"), ("resend", "--remote", "nobody")])
def test_what_is_not_there_is_bad_input(casebridge: Any, arguments: tuple[str, ...]) -> None:
    assert casebridge("dead", *arguments).code == 2


def test_what_could_not_be_kept_is_read_again(casebridge: Any, clinic: Proxy, hospital: Any, database: Any) -> None:
    there = hospital.create({"resourceType": "Patient", "name": [{"family": "Kanarifugl"}]})
    state = Bridge(database).state
    body = {"remote": "clinic", "direction": "pull", "there": f"Patient/{there.id}", "reason": "too large", "at": Bridge(database).clock()}
    state.put("dead_letters", f"clinic:pull:Patient/{there.id}", body)
    assert casebridge("dead", "resend", f"clinic:pull:Patient/{there.id}").code == 0
    (stored,) = Bridge(database).repository.scan("Patient", {"links.key": f"clinic|Patient/{there.id}"})
    assert stored.born == "clinic"
