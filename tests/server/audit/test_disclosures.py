"""The accounting of disclosures on pages: told to who reads the account, in each form the same, and itself in the account."""

import csv
import re
from io import StringIO

import pytest
from msgspec import structs

from adapter.access.policy import policies
from adapter.audit.event import Asker, audit_event
from adapter.store.documents import Change
from server.auth.users import User
from tests.server.auth.site import PASSWORD, Browser

from .conftest import AUDITED, INSURER

ROLES = {"vera": "auditor", "kim": "administrator", "carl": "clinician"}


@pytest.fixture(scope="module")
def people(world):
    """Who logs in here: an auditor, an administrator, a clinician."""
    for name, role in ROLES.items():
        world.site.gate.registers.users.add(User(name, role), PASSWORD)


@pytest.fixture
def enter(site, people):
    def entered(name):
        made = Browser(site.address)
        assert made.log_in(name).status_code == 303
        return made

    return entered


@pytest.fixture
def vera(enter):
    """The auditor's browser."""
    return enter("vera")


def rows(page):
    """The cells of a page's table."""
    found = re.findall(r"<tr>(.*?)</tr>", page.text.partition("<tbody>")[2], re.DOTALL)
    return [[" ".join(re.sub("<[^>]+>", " ", cell).split()) for cell in re.split("</t[hd]>", row)[:-1]] for row in found]


def test_by_a_number_an_auditor_comes_to_who_was_told_of_a_patient(vera, site, token, told):
    assert site.get(token(INSURER), "CarePlan?status=active&_include=CarePlan:subject").status_code == 200
    assert site.get(token(INSURER), "CarePlan/plan-alma").status_code == 404
    first = vera.get("/")
    assert (first.status_code, first.headers["Location"]) == (303, "/disclosures")
    sent = vera.send(vera.get("/disclosures"), "/disclosures", identifier="number-of-river", **{"from": "2020-01-01"})
    assert sent.headers["Location"] == "/disclosures/river?from=2020-01-01"
    page = vera.get(sent.headers["Location"])
    insurers = [row for row in rows(page) if row[1] == "Organization/ins"]
    assert insurers[-1][2:6] == ["client insurer", "search-type: 1 CarePlan, 1 Patient", "HPAYMT", "insurer-reader: payor; consent opt-in"]
    assert "Kanarifugl" not in page.text
    assert "plan-alma" not in page.text
    looked = told()[-2:]
    assert [(event["name"], event["patients"]) for event in looked] == [
        ("console.disclosures-find", set()),
        ("console.disclosures-show", {"Patient/river"}),
    ]
    assert looked[0]["query"] == "POST /disclosures?identifier=number-of-river"
    assert looked[1]["agents"][0]["altId"] == "vera"
    again = rows(vera.get("/disclosures/river"))
    assert (again[-1][1], again[-1][3]) == ("user vera", "console.disclosures-show"), "the look before is told, too"


def test_the_page_the_file_the_paper_and_fhir_tell_the_same(vera, site, token, told):
    site.get(token(INSURER), "Patient/river/$everything")
    site.get(token(INSURER), "Goal/goal-river")
    place = "/disclosures/river{}?from=2020-01-01&to=2099-12-31"
    page, paper = vera.get(place.format("")), vera.get(place.format("/page"))
    head, *lines = csv.reader(StringIO(vera.get(place.format("/csv")).text, newline=""))
    found = site.get(token(AUDITED), "Patient/river/$disclosures?start=2020-01-01&end=2099-12-31").json()["entry"]
    by_page = [row[6] for row in rows(page)]
    by_file = [dict(zip(head, line, strict=True))["event"].partition("/")[2] for line in lines]
    by_fhir = [each["resource"]["id"] for each in found]
    assert by_page == by_file[: len(by_page)]
    assert by_fhir == [*by_file, *by_fhir[len(by_file) :]][: len(by_fhir)]
    assert len(by_page) > 2
    # What was read to make each of these is told by the next.
    assert len(rows(paper)) == len(by_page) + 1
    assert len(by_file) == len(by_page) + 2
    assert "from 2020-01-01 to 2099-12-31" in paper.text
    assert "style-src 'unsafe-inline'" in paper.headers["Content-Security-Policy"]
    assert [event["name"] for event in told()[2:]] == [*(f"console.disclosures-{name}" for name in ("show", "page", "csv")), "$disclosures"]


def test_a_period_leaves_out_what_was_before_and_after(vera):
    assert rows(vera.get("/disclosures/river?to=2001-01-01")) == []
    assert "Nobody was told of this patient." in vera.get("/disclosures/river?from=2099-01-01").text
    assert vera.get("/disclosures/river?from=soon").status_code == 400
    assert vera.get("/disclosures/river?from=2026-03&to=2025").status_code == 400
    assert vera.get("/disclosures/river?from=2026-03&to=2026").status_code == 200
    assert vera.get("/disclosures/river?after=nonsense").status_code == 400


def test_a_leap_second_is_told_as_it_was_written(vera, repository):
    raw = audit_event("read", Asker("north"), "2016-12-31T23:59:60Z", patients=["Patient/alma"])
    repository.commit([Change("AuditEvent", "leap", raw, 0)])
    assert [row[0] for row in rows(vera.get("/disclosures/alma"))].count("2016-12-31T23:59:60Z") == 1


def test_more_than_a_page_holds_is_told_on_the_next(vera, monkeypatch):
    monkeypatch.setattr("server.console.disclosures._PAGE", 2)
    for _ in range(3):
        vera.get("/disclosures/alma")
    page = vera.get("/disclosures/alma?from=2020-01-01")
    seen = [row[6] for row in rows(page)]
    next = re.search(r'rel="next" href="([^"]+)"', page.text)[1].replace("&amp;", "&")
    assert "from=2020-01-01" in next
    later = rows(vera.get(next))
    assert (len(seen), bool(later), {row[6] for row in later} & {*seen}) == (2, True, set())


@pytest.mark.parametrize(
    ("form", "status", "said"),
    [
        ({}, 400, "Say whose they are"),
        ({"identifier": "river", "id": "river"}, 400, "Say whose they are"),
        ({"identifier": "number-of-both"}, 409, "Several patients have this number"),
        ({"identifier": "number-of-rive"}, 404, "No patient has this number"),
        ({"id": "nobody"}, 404, "There is no patient of this id"),
        ({"id": "river", "from": "2026-02-01", "to": "2026-01-01"}, 400, "ends before it begins"),
    ],
)
def test_a_form_that_leads_nowhere_says_why_and_what_was_asked_is_kept(vera, told, form, status, said):
    page = vera.get("/disclosures")
    told()
    answer = vera.send(page, "/disclosures", **form)
    assert (answer.status_code, said in answer.text) == (status, True)
    assert all(f'value="{text}"' in answer.text for text in form.values())
    [event] = told()
    asked = [f"{name}={form[name]}" for name in ("identifier", "id") if name in form]
    assert (event["outcome"], event["query"]) == ("4", f"POST /disclosures{'?' if asked else ''}{'&'.join(asked)}")


def test_a_record_that_gave_way_or_was_deleted_has_its_accounting_still(vera, repository):
    """A person's records are led to from each other, since what was told of one is not told of the other."""
    gone, stays = "gave-way", "stays-here"
    link = [{"other": {"reference": f"Patient/{stays}"}, "type": "replaced-by"}]
    raws = {gone: {"link": link, "identifier": [{"value": "number-of-gone"}]}, stays: {}}
    repository.commit([Change("Patient", id, {"resourceType": "Patient", "id": id, **raw}, 0) for id, raw in raws.items()])
    assert vera.send(vera.get("/disclosures"), "/disclosures", identifier="number-of-gone").headers["Location"] == f"/disclosures/{gone}"
    for one, other in ((gone, stays), (stays, gone)):
        assert f'data-of="Patient/{other}" href="/disclosures/{other}?to=2099"' in vera.get(f"/disclosures/{one}?to=2099").text
    repository.commit([Change("Patient", gone, None, 1)])
    assert [row[3] for row in rows(vera.get(f"/disclosures/{gone}"))] == ["console.disclosures-show (of 2 patients)"] * 2


def test_a_reference_is_taken_for_an_id(vera):
    assert vera.send(vera.get("/disclosures"), "/disclosures", id="Patient/river").headers["Location"] == "/disclosures/river"


def test_who_keeps_the_site_reads_it_and_nobody_else(enter, browser, told):
    kim = enter("kim")
    assert kim.get("/disclosures/river").status_code == 200
    assert kim.get("/").headers["Location"] == "/disclosures"
    assert {kim.get(path).status_code for path in ("/people", "/glass/broken", "/records/client/river", "/team")} == {403}
    assert browser.log_in().status_code == 303
    told()
    for other in (browser, enter("carl")):
        for path in ("/disclosures", "/disclosures/river", "/disclosures/nobody", "/disclosures/river/csv", "/disclosures/river/page"):
            answer = other.get(path)
            assert (answer.status_code, "CarePlan" in answer.text) == (403, False), path
        assert other.send(other.get("/login"), "/disclosures", id="river").status_code == 403
    assert {event["outcome"] for event in told() if "disclosures" in event["name"]} == {"4"}


def test_a_site_may_let_those_read_it_who_work_on_cases_and_leads_them_there(browser, monkeypatch):
    assert browser.log_in().status_code == 303
    assert 'href="/disclosures"' not in browser.get("/people").text
    own = policies(None)["case-manager"]
    wider = structs.replace(own, open=(*own.open, "AuditEvent"))
    monkeypatch.setattr("adapter.store.sight.policy_for", lambda _: wider)
    assert browser.get("/disclosures/river").status_code == 200
    page = browser.get("/people").text
    assert all(f'href="{path}"' in page for path in ("/people", "/disclosures", "/account"))


def test_an_auditor_is_led_to_the_account_and_to_no_desk(vera):
    page = vera.get("/disclosures").text
    assert ('href="/glass/broken"' in page, 'href="/people"' in page, 'action="/people"' in page) == (True, False, False)
    assert ">vera</a>" in page
    assert 'href="/glass"' not in vera.get("/glass/broken").text
    missing = vera.get("/disclosures/nobody")
    assert (missing.status_code, 'href="/glass"' in missing.text) == (404, False)
