"""The account of accesses on a page: looked through by who, when and whether it was refused, the newest first."""

import re
from datetime import timedelta

import pytest

from adapter.audit.event import Asker, audit_event
from adapter.clock import instant, utc_now
from adapter.store.documents import Change
from server.auth.users import User
from tests.server.auth.site import PASSWORD, Browser

from .conftest import INSURER
from .test_disclosures import rows


@pytest.fixture(scope="module")
def users(world):
    for name, role in {"rune": "auditor", "rolf": "administrator"}.items():
        world.site.gate.registers.users.add(User(name, role), PASSWORD)


@pytest.fixture
def rune(site, users):
    """An auditor's browser."""
    made = Browser(site.address)
    assert made.log_in("rune").status_code == 303
    return made


def test_what_somebody_did_and_tried_is_found_by_who_they_are_the_newest_first(rune, site, token, told):
    for path in ("CarePlan/plan-river", "CarePlan/plan-alma", "Goal/nothing"):
        site.get(token(INSURER), path)
    ids = [row[6] for row in rows(rune.get("/account?who=insurer&as=program"))]
    assert len(ids) == len({*ids})
    last = rows(rune.get("/account?who=insurer&as=program"))[:3]
    assert [(row[1], row[2]) for row in last] == [("client insurer", "Organization/ins HPAYMT")] * 3
    assert [(row[4], row[5]) for row in last] == [("", "404 not-found"), ("", "404 withheld"), ("Patient/river", "done")]
    assert [row[3].partition(":")[0] for row in last] == ["read"] * 3
    assert "GET CarePlan/plan-alma" in last[1][3]
    refused = rows(rune.get("/account?who=insurer&as=program&refused=on"))
    assert [row[6] for row in refused[:2]] == ids[:2]
    assert "done" not in {row[5] for row in refused}
    by_place = rows(rune.get("/account?who=Organization/ins&as=record"))
    assert [row[6] for row in by_place[:3]] == ids[:3]
    own = rows(rune.get("/account?who=rune"))
    assert (own[0][1], own[0][3].partition(" ")[0]) == ("user rune", "console.account-show")
    assert rows(rune.get("/account?who=insurer")) == [], "that is no person"
    looked = told()[-1]
    assert (looked["name"], looked["query"]) == ("console.account-show", "GET /account?who=insurer")


def test_whom_the_page_names_is_in_the_account_of_the_look(rune, site, token, told):
    site.get(token(INSURER), "CarePlan/plan-river")
    told()
    page = rune.get("/account?who=insurer&as=program")
    assert 'href="/disclosures/river"' in page.text
    [looked] = told()
    assert looked["patients"] >= {"Patient/river"}


def test_without_a_period_it_reaches_a_week_back_and_further_where_that_is_asked(rune, repository):
    at = utc_now() - timedelta(days=30)
    raw = audit_event("read", Asker("insurer", user="long-ago"), instant(at), patients=["Patient/river"])
    clock, repository.clock = repository.clock, lambda: at
    try:
        repository.commit([Change("AuditEvent", "long-ago", raw, 0)])
    finally:
        repository.clock = clock
    day = at.date().isoformat()
    found = {path: [row[6] for row in rows(rune.get(f"/account?who=long-ago{path}"))] for path in ("", "&from=", f"&from={day}&to={day}")}
    assert found == {"": [], "&from=": ["long-ago"], f"&from={day}&to={day}": ["long-ago"]}
    assert f'name="from" value="{(utc_now() - timedelta(days=7)).date()}"' in rune.get("/account").text


def test_more_than_a_page_holds_is_told_on_the_next_and_the_search_stays(rune, monkeypatch):
    monkeypatch.setattr("server.console.account._PAGE", 2)
    for _ in range(3):
        rune.get("/account?refused=on&who=rune")
    page = rune.get("/account?who=rune&from=")
    next = re.search(r'rel="next" href="([^"]+)"', page.text)[1].replace("&amp;", "&")
    first, later = ([row[6] for row in rows(each)] for each in (page, rune.get(next)))
    assert (len(first), len(later), {*first} & {*later}) == (2, 2, set())
    assert 'name="who" value="rune"' in rune.get(next).text


def test_what_is_asked_amiss_is_said_beside_the_form(rune):
    for amiss in ("from=soon", "as=stranger", "after=nonsense"):
        answer = rune.get(f"/account?{amiss}")
        assert (answer.status_code, 'role="alert"' in answer.text, "Look for" in answer.text) == (400, True, True), amiss


def test_what_was_asked_is_shown_as_text_and_never_runs(rune, site, token):
    site.get(token(INSURER), "CarePlan?status=<script>alert(1)</script>")
    page = rune.get("/account?who=insurer&as=program").text
    assert "<script>alert" not in page


def test_who_keeps_the_site_sees_it_and_who_works_on_cases_does_not(site, users, browser):
    rolf = Browser(site.address)
    rolf.log_in("rolf")
    assert rolf.get("/account").status_code == 200
    assert browser.log_in().status_code == 303
    answer = browser.get("/account")
    assert (answer.status_code, "insurer" in answer.text) == (403, False)
