"""The insurance of a case on its page."""

from html import unescape
from re import findall, search

import pytest

from adapter.casework.records import read
from tests.server.console.conftest import words


@pytest.fixture
def page(stranger, halfway, dana):
    """Dana at River's case, whose services were authorised before."""
    dana()
    return f"/cases/{halfway}"


def section(stranger, page):
    text = stranger.get(page).text
    return text[text.index('<h2 id="insurance">') : text.index('<h2 id="seven">')]


def forms(html, step):
    """The fields of each form of this step, as a browser would send them."""
    found = []
    for form in findall(r'<form method="post" action="[^"]*/insurance".*?</form>', html, flags=16):
        hidden = {name: unescape(value) for name, value in findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', form)}
        found += [hidden] if hidden["step"] == step else []
    return found


def test_a_case_shows_what_its_insurer_said_and_what_stands(stranger, page):
    """C-22"""
    told = words(section(stranger, page))
    for text in ("Example Health Plan", "therapy: must be authorised, visit 60", "number AUTH-7781, until 22 Oct 2025", "costs 18000 USD"):
        assert text in told
    assert "need not be authorised" not in told.casefold()


def test_an_authorisation_is_asked_for_denied_and_appealed_by_forms(stranger, page, repository):
    """C-22, P-25"""
    asked = forms(section(stranger, page), "ask_authorisation")[0]
    service = asked["of"]
    answer = stranger.post(f"{page}/insurance", **asked)
    assert (answer.status_code, answer.location) == (303, f"{page}#insurance")
    waits = forms(section(stranger, page), "answer_authorisation")[0]
    for strange in ({"status": "cancelled"}, {}):
        assert stranger.post(f"{page}/insurance", **waits, **strange).status_code == 400
    assert read(repository, "authorisation", waits["of"].partition("/")[2]).fields["status"] == "requested"
    denial = {"status": "denied", "denial_reason": "Kanarifugl is not covered"}
    assert stranger.post(f"{page}/insurance", **waits, **denial).status_code == 303
    assert "number AUTH-7783, until 22 Oct 2025, asked for again: denied" in words(section(stranger, page))
    appeal = forms(section(stranger, page), "appeal")[0]
    word = {"issue": "Kanarifugl needs it", "action": "Kanarifugl's letter", "due": "2099-01-31"}
    assert stranger.post(f"{page}/insurance", **appeal, **word).status_code == 303
    assert (
        read(repository, "authorisation", waits["of"].partition("/")[2]).fields.items()
        >= {"status": "appealed", "service": service}.items()
    )
    withdrawn = forms(section(stranger, page), "withdraw")[0]
    assert stranger.post(f"{page}/insurance", **withdrawn).status_code == 303
    assert read(repository, "authorisation", waits["of"].partition("/")[2]).fields["status"] == "denied"


def test_an_answer_about_eligibility_is_kept_by_a_form(stranger, page, repository):
    """C-22"""
    asked = forms(section(stranger, page), "ask_eligibility")[0]
    stranger.post(f"{page}/insurance", **asked)
    waits = forms(section(stranger, page), "answer_eligibility")[0]
    assert stranger.post(f"{page}/insurance", **waits).status_code == 400
    assert stranger.post(f"{page}/insurance", **waits, required="no").status_code == 303
    service = read(repository, "planned_service", asked["of"].partition("/")[2]).fields
    assert service["authorisation_required"] == "no"


def test_a_step_that_there_is_not_is_refused(stranger, page):
    answer = stranger.post(f"{page}/insurance", step="sell")
    assert answer.status_code == 400
    assert search("no such step", answer.text)
