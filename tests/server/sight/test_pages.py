"""Every page of the console, asked for what is not among one's cases: it answers as if that were not there."""

import re
from typing import Any

import pytest
import requests

from adapter.fhir.resource import dumps
from adapter.store.state import State
from adapter.sync.bridge import Bridge
from adapter.sync.people.questions import Doubt, Questions
from adapter.sync.remotes.remote import Remote
from server.console.routes import PAGES
from server.console.visitor import COOKIE

from .conftest import REASON, Hospital

ONE, MANY, NOBODYS, OWN, SYNC = "of one that is not seen", "of those that are seen", "of no client", "of who asks", "of a whole remote"
DECIDED = {
    "/": MANY,
    "/team": OWN,
    "/sign-in": OWN,
    "/people": MANY,
    "/glass": OWN,
    "/glass/broken": OWN,
    "/glass/<id>/end": ONE,
    "/disclosures": NOBODYS,
    "/account": NOBODYS,
    "/disclosures/<id>": ONE,
    "/disclosures/<id>/csv": ONE,
    "/disclosures/<id>/page": ONE,
    "/cases/new": ONE,
    "/screening/<instrument>/score": NOBODYS,
    "/records/<concept>/new": ONE,
    "/connections": MANY,
    "/connections/<name>": SYNC,
    "/connections/<name>/plan": SYNC,
    "/connections/<name>/apply": SYNC,
    "/connections/<name>/certificate": SYNC,
    "/questions": MANY,
    "/questions/<id>": ONE,
    "/conflicts": MANY,
    "/conflicts/<path:id>": ONE,
}
"""What is shown by each page that is not of one case, task or record."""


def decision(rule: str) -> str:
    """What a page is about. A new one that is about something else needs a line in the table."""
    found = DECIDED.get(rule)
    assert found or rule.startswith(("/cases/<id>", "/tasks/<id>", "/records/<concept>/<id>")), f"{rule} has no decision"
    return found or ONE


@pytest.fixture(scope="module")
def sams(hospital: Hospital) -> dict[str, str]:
    """What Sam has: ids by the name of a place in a path."""
    client, case = hospital.client("sam", "bela")
    about = {"client": client, "case": case}
    task = hospital.create("sam", "tasks", {**about, "status": "requested", "intent": "order", "owner": "Practitioner/sam"})
    return {"client": client.partition("/")[2], "case": case.partition("/")[2], "task": task["id"]}


def test_every_page_has_a_decision():
    assert {decision(rule) for _, rule, _ in PAGES} == {ONE, MANY, NOBODYS, OWN, SYNC}
    assert DECIDED.keys() <= {rule for _, rule, _ in PAGES}


def test_what_is_not_seen_answers_as_what_is_not_there(hospital: Hospital, sams):
    pages = hospital.browser("dana")
    token = re.search(r'name="csrf" value="([^"]+)"', pages.get("/glass").text)[1]
    for method, rule, _ in PAGES:
        if decision(rule) is ONE:
            there, nowhere = (_asked(pages, method, rule, ids, token) for ids in (sams, dict.fromkeys(sams, "nowhere")))
            assert there.status_code in (400, 403, 404), f"{method} {rule} {there.status_code}"
            text = there.text
            for id in sams.values():
                text = text.replace(id, "nowhere")
            assert (there.status_code, text) == (nowhere.status_code, nowhere.text), f"{method} {rule}"
            assert "bela" not in there.text


def _asked(pages: Any, method: str, rule: str, ids: dict[str, str], token: str) -> Any:
    id = ids["task" if rule.startswith("/tasks") else "client" if rule.startswith("/records") else "case"]
    names = {"<concept>": "client" if "<id>" in rule else "goal", "<id>": id, "<path:id>": f"hospital:Patient/{ids['client']}"}
    path = re.sub("<[^>]+>", "x", re.sub("<id>|<path:id>|<concept>", lambda found: names[found[0]], rule).replace("<instrument>", "phq9"))
    about = {"case": f"EpisodeOfCare/{ids['case']}", "client": f"Patient/{ids['client']}"}
    if method == "GET":
        return pages.get(f"{path}?case={about['case']}&client={about['client']}" if rule.endswith("/new") else path)
    return pages.post(path, csrf=token, **about, case_number="N", case_type="general", model="brokerage", version="1")


def test_nothing_of_whom_one_does_not_see_is_on_a_list(hospital: Hospital, sams):
    client, case = hospital.client("dana", "alma")
    pages = hospital.browser("dana")
    number = hospital.ids[f"Patient/{sams['client']}"]
    for path in (
        "/",
        "/?list=overdue",
        "/?list=urgent",
        "/people?q=bela",
        f"/people?q={number}",
        "/connections",
        "/questions",
        "/conflicts",
    ):
        text = pages.get(path).text
        assert not {each for each in (*sams.values(), "bela Kanarifugl") if each in text}, path
    assert case.partition("/")[2] in pages.get("/").text
    assert client.partition("/")[2] in pages.get("/people?q=Kanarifugl").text


def test_a_sync_is_looked_after_by_a_supervisor(hospital: Hospital):
    for who, status in (("dana", 403), ("boss", 404)):
        pages = hospital.browser(who)
        token = re.search(r'name="csrf" value="([^"]+)"', pages.get("/glass").text)[1]
        found = {
            (pages.get(path) if method == "GET" else pages.post(path, csrf=token)).status_code
            for method, rule, _ in PAGES
            if decision(rule) is SYNC
            for path in [rule.replace("<name>", "nowhere")]
        }
        assert status in found, found
        assert found <= {status, 409}, found


def test_how_a_remote_stands_is_told_to_a_supervisor(hospital: Hospital):
    remotes = Bridge(hospital.repository.database).remotes
    remotes.add(Remote("elsewhere", "https://fhir.example/elsewhere"))
    try:
        dana, boss = (hospital.browser(who).get("/connections").text for who in ("dana", "boss"))
    finally:
        remotes.remove("elsewhere")
    for told in ("elsewhere", "There was no sync yet."):
        assert (told in dana, told in boss) == (False, True)
    assert "a supervisor looks after them" in dana
    assert "/questions" in dana


def contest(hospital: Hospital, *references: str) -> None:
    """Conflicts about these, between here and a hospital that says that the language is another."""
    for reference in references:
        stored = hospital.repository.read(*reference.split("/"))
        theirs = {**stored.raw, "language": "is"}
        row = {"path": "language", "base": None, "ours": None, "theirs": "is"}
        texts = {"rows": dumps([row]), "told": "{}", "ruled": "{}", "base": dumps(stored.raw), "theirs": dumps(theirs), "reason": None}
        about = {"remote": "hospital", "reference": reference, "there": reference, "version": "1", "ours": stored.version}
        body = {**about, **texts, "status": "open", "opened": hospital.clock()}
        State(hospital.repository.database).put("conflicts", f"hospital:{reference}", body)


def ask(hospital: Hospital, *pairs: tuple[str, str]) -> tuple[Questions, list[Doubt]]:
    """Questions whether these are one."""
    questions = Questions(State(hospital.repository.database), hospital.clock)
    doubts = [Doubt(*pair, "the names are the same", "mark") for pair in pairs]
    for doubt in doubts:
        questions.ask(doubt)
    return questions, doubts


def told(hospital: Hospital, page: str) -> list[set[str]]:
    """By each AuditEvent of a page, what it names."""
    raws = [stored.raw for stored in hospital.repository.scan("AuditEvent")]
    found = [raw for raw in raws if page in {each.get("code") for each in raw["subtype"]}]
    return [{entity["what"]["reference"] for entity in raw.get("entity", ()) if "what" in entity} for raw in found]


def test_conflicts_and_questions_are_shown_to_who_sees_what_they_are_about(hospital: Hospital, sams):
    client, _ = hospital.client("dana", "ally")
    other, _ = hospital.client("dana", "anny")
    hidden = f"Patient/{sams['client']}"
    contest(hospital, client, hidden)
    questions, doubts = ask(hospital, (client, other), (client, hidden))
    pages = hospital.browser("dana")
    shown = pages.get("/conflicts").text + pages.get("/questions").text
    assert f"/questions/{doubts[0].id}" in shown
    assert shown.count('action="/conflicts/') == 1
    assert not [text for text in (sams["client"], "bela", doubts[1].id) if text in shown]
    for path, answer in ((f"/conflicts/hospital:{hidden}", {"all": "ours"}), (f"/questions/{doubts[1].id}", {"answer": "different"})):
        refused, missing = (pages.send(pages.get("/glass"), each, **answer) for each in (path, f"{path[:12]}nothing"))
        assert (refused.status_code, refused.text) == (404, missing.text)
    assert questions.get(doubts[1].id)["status"] == "open"


def test_for_a_broken_glass_nothing_is_decided(hospital: Hospital, sams):
    """A link to an own client, or what the hospital says, would last when the hour is over."""
    (own, _), (hidden, _) = hospital.client("boss", "asta"), hospital.client("sam", "bina")
    contest(hospital, hidden)
    questions, [doubt] = ask(hospital, (own, hidden))
    pages = hospital.browser("boss")
    hospital.create("boss", "glass", {"client": hidden, "reason": REASON})
    assert hospital.sees("boss", hidden)
    assert doubt.id not in pages.get("/questions").text
    assert hidden not in pages.get("/conflicts").text
    tries = ((f"/questions/{doubt.id}", {"answer": "same"}), (f"/questions/{doubt.id}", {"answer": "different"}))
    for path, form in (*tries, (f"/conflicts/hospital:{hidden}", {"all": "theirs"})):
        assert pages.send(pages.get("/glass"), path, **form).status_code == 404, path
    assert questions.get(doubt.id)["status"] == "open"
    assert hospital.repository.read(*hidden.split("/")).version == 1


def test_who_leads_whom_is_not_decided_by_those_who_work_on_cases(hospital: Hospital, sams):
    """By what a remote says of a role, or by two people or places of work that become one."""
    role, people, places = "PractitionerRole/dana", ("Practitioner/dana", "Practitioner/sam"), ("Organization/north", "Organization/south")
    contest(hospital, role)
    questions, doubts = ask(hospital, people, places)
    for who in ("dana", "boss"):
        pages = hospital.browser(who)
        assert role not in pages.get("/conflicts").text
        assert pages.send(pages.get("/glass"), f"/conflicts/hospital:{role}", all="theirs").status_code == 404
        shown = pages.get("/questions").text
        assert (doubts[0].id in shown, doubts[1].id in shown) == (False, True)
        answers = [pages.send(pages.get("/glass"), f"/questions/{doubt.id}", answer="same").status_code for doubt in doubts]
        assert answers == [404, 403]
    assert {questions.get(doubt.id)["status"] for doubt in doubts} == {"open"}
    assert "language" not in hospital.repository.read(*role.split("/")).raw


def test_that_two_clients_are_one_is_said_by_who_leads_and_every_decision_is_in_the_account(hospital: Hospital, sams):
    (client, _), (other, _) = hospital.client("dana", "abba"), hospital.client("dana", "anna")
    contest(hospital, client)
    questions, [doubt] = ask(hospital, (client, other))
    dana, boss = hospital.browser("dana"), hospital.browser("boss")
    path, conflict = f"/questions/{doubt.id}", f"/conflicts/hospital:{client}"
    assert 'value="same"' not in dana.get("/questions").text.partition(path)[2].partition("</form>")[0]
    assert 'value="same"' in boss.get("/questions").text.partition(path)[2].partition("</form>")[0]
    assert dana.send(dana.get("/glass"), path, answer="same").status_code == 403
    assert dana.send(dana.get("/glass"), conflict, all="theirs").status_code == 303
    assert hospital.repository.read(*client.split("/")).raw["language"] == "is"
    assert any(client in named for named in told(hospital, "console.connections-resolve"))
    assert boss.send(boss.get("/glass"), path, answer="same").status_code == 303
    assert questions.get(doubt.id)["status"] == "same"
    assert any({client, other} <= named for named in told(hospital, "console.questions-answer"))


def test_who_is_not_logged_in_is_nobody_on_any_page_whoever_they_say_they_are(hospital: Hospital, sams):
    """A file that is open to all and is not there has a page, too, whose head says who is at the console."""
    named = {COOKIE: f"Patient/{sams['client']}"}
    for path in ("/console/nothing.css", "/nothing", "/"):
        answer = requests.get(f"{hospital.site.address}{path}", cookies=named, timeout=30)
        assert "bela" not in answer.text, path
    answer = requests.get(f"{hospital.site.address}/console/nothing.css", cookies=named, timeout=30)
    assert (answer.status_code, "Who are you?" in answer.text) == (404, True)
