"""Each access and each refusal is in the account, with who, whom, what, why and from where; what cannot be written down is refused."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import requests
from pymongo.errors import PyMongoError

from adapter.config import CS
from adapter.errors import StoreUnavailable
from adapter.store import trail
from adapter.store.documents import Change
from adapter.store.published import publish
from adapter.store.repository import Repository
from adapter.store.state import State
from adapter.sync.exporting.turns import task
from adapter.sync.workers import jobs
from server.auth.principal import Principal
from server.auth.tokens import hashed
from server.auth.users import User
from tests.server.auth.site import PASSWORD, SECONDS, App, Browser, query

from .conftest import AUDITED, INSURER

DANA = Principal("chart", "case-manager", "user/*.cruds", user="dana", fhir_user="Practitioner/dana")
KEEPER = Principal("city", "administrator", "system/*.cruds")


@pytest.fixture
def insurer(site, token):
    given = token(INSURER)
    return lambda path: site.get(given, path)


def test_a_read_says_who_was_told_of_whom_and_by_which_rule(insurer, told):
    assert insurer("CarePlan/plan-river").status_code == 200
    [event] = told()
    assert (event["name"], event["outcome"], event["patients"], event["named"]) == ("read", "0", {"Patient/river"}, {"CarePlan/plan-river"})
    first, behind = event["agents"]
    assert (first["who"]["identifier"]["value"], first["network"]["address"]) == ("insurer", "127.0.0.1")
    assert (behind["who"], event["purpose"]) == ({"reference": "Organization/ins"}, ["HPAYMT"])
    assert event["details"]["rule"] == "insurer-reader: payor; consent opt-in"
    assert event["details"]["count"] == "1"
    assert event["details"]["scope"] == "system/*.rs"


def test_a_search_says_what_was_asked_and_each_resource_that_was_told(insurer, told):
    assert insurer("CarePlan?status=active&_include=CarePlan:subject").status_code == 200
    [event] = told()
    assert (event["name"], event["patients"]) == ("search-type", {"Patient/river"})
    assert event["query"] == "GET CarePlan?status=active&_include=CarePlan%3Asubject"
    assert (set(event["details"]["told"].split()), event["details"]["count"]) == ({"CarePlan/plan-river", "Patient/river"}, "2")


def test_a_search_that_is_posted_and_each_entry_of_a_batch_say_what_they_ask(site, token, told):
    given = token(INSURER)
    form = {"Authorization": f"Bearer {given}", "Content-Type": "application/x-www-form-urlencoded"}
    assert requests.post(f"{site.fhir}/CarePlan/_search", "status=active", headers=form, timeout=SECONDS).status_code == 200
    entries = [{"request": {"method": "GET", "url": url}} for url in ("CarePlan/plan-river", "CarePlan/plan-alma", "Goal?status=active")]
    assert site.send(given, "POST", "fhir/", {"resourceType": "Bundle", "type": "batch", "entry": entries}).status_code == 200
    posted, batch, refused = told()
    assert (refused["name"], refused["outcome"], refused["said"]) == ("transaction", "4", "1 x 400 invalid, 1 x 404 withheld")
    assert refused["query"].splitlines() == ["404 withheld: GET CarePlan/plan-alma", "400 invalid: GET Goal?status=active"]
    assert refused["named"] == {"CarePlan/plan-alma"}
    assert posted["query"] == "POST CarePlan/_search?status=active"
    assert batch["query"].splitlines()[1:] == ["GET CarePlan/plan-river", "GET CarePlan/plan-alma", "GET Goal?status=active"]
    assert batch["patients"] == {"Patient/river"}


@pytest.mark.parametrize("kind", ["batch", "transaction"])
def test_a_person_who_is_read_in_a_bundle_is_in_the_account(site, token, told, kind):
    read = {"request": {"method": "GET", "url": "Patient/river"}}
    answer = site.send(token(INSURER), "POST", "fhir/", {"resourceType": "Bundle", "type": kind, "entry": [read, read]})
    # The same version has its address once: bdl-7.
    assert [each.get("fullUrl") for each in answer.json()["entry"]] == [f"{site.fhir}/Patient/river", None]
    [event] = told()
    assert (event["patients"], event["details"]["told"], event["details"]["count"]) == ({"Patient/river"}, "Patient/river", "1")


def test_what_a_bundle_asks_besides_what_it_writes_is_in_the_account(site, token, told, repository):
    given = token(replace(DANA, fhir_user="Practitioner/lone"))
    person = {"resourceType": "Patient", "id": "lone"}
    member = [{"member": {"reference": "Practitioner/lone"}}]
    team = {"resourceType": "CareTeam", "status": "active", "subject": {"reference": "Patient/lone"}, "participant": member}
    repository.commit([Change("Patient", "lone", person, 0), Change("CareTeam", "team-lone", team, 0)])
    write = {"resource": {**person, "gender": "other"}, "request": {"method": "PUT", "url": "Patient/lone"}}
    place = {"resource": {"resourceType": "Location"}, "request": {"method": "POST", "url": "Location"}}
    urls = ("Patient/lone", "Goal?lifecycle-status=planned", f"Goal?_elements={'status,' * 700}status", "Goal?lifecycle-status=active")
    reads = [{"request": {"method": "GET", "url": url}} for url in urls]
    told()
    for kind, entries in (("batch", [write, *reads]), ("transaction", [place, *reads])):
        answer = site.send(given, "POST", "fhir/", {"resourceType": "Bundle", "type": kind, "entry": entries})
        assert [each["response"]["status"][:3] for each in answer.json()["entry"]] == ["200" if kind == "batch" else "201", *["200"] * 4]
        _, event = told()
        assert event["patients"] == {"Patient/lone"}
        first, second, long, last = event["query"].splitlines()[-4:]
        assert [first, second, last] == [f"GET {url}" for url in (*urls[:2], urls[3])]
        assert long.endswith(" [cut here]")


def test_entries_of_a_bundle_that_are_refused_are_in_the_account_together(site, token, told):
    given = token(Principal("insurer", "insurer-reader", "system/CarePlan.rs system/Patient.rs", organisation="Organization/ins"))
    urls = ("Patient/alma", "CarePlan/plan-alma", "CarePlan/nothing", "Goal/goal-river", "CarePlan/plan-river")
    entries = [{"request": {"method": "GET", "url": url}} for url in urls]
    site.send(given, "POST", "fhir/", {"resourceType": "Bundle", "type": "batch", "entry": [*entries, "Kanarifugl"]})
    done, refused = told()
    assert (done["outcome"], done["patients"]) == ("0", {"Patient/river"})
    assert refused["said"] == "1 x 400 invalid, 1 x 403 forbidden, 1 x 404 not-found, 2 x 404 withheld"
    assert (refused["patients"], refused["named"]) == ({"Patient/alma"}, {"CarePlan/plan-alma", "CarePlan/nothing", "Goal/goal-river"})
    assert refused["query"].splitlines()[0] == "404 withheld: GET Patient/alma"
    site.send(given, "POST", "fhir/", {"resourceType": "Bundle", "type": "transaction", "entry": entries[:3]})
    _, refused = told()
    assert refused["said"] == "1 x 404 not-found, 2 x 404 withheld"


def test_a_write_that_wrote_nothing_and_tells_what_is_there_is_a_read(site, token, told):
    place = {"resourceType": "Location", "status": "active", "identifier": [{"system": "urn:example:l", "value": "1"}]}
    given, only = token(KEEPER), {"If-None-Exist": "identifier=urn:example:l|1"}
    assert site.send(given, "POST", "fhir/Location", place).status_code == 201
    assert site.send(given, "POST", "fhir/Location", place, **only).status_code == 200
    assert site.send(given, "POST", "fhir/Location", place, **only, Prefer="return=minimal").status_code == 200
    assert [(event["name"], event["action"]) for event in told()] == [("create", "C"), ("create", "R"), ("create", "R")]


def test_everything_says_whom_it_told_of(insurer, told):
    assert insurer("Patient/river/$everything").status_code == 200
    [event] = told()
    assert (event["name"], event["patients"]) == ("$everything", {"Patient/river"})
    assert "CarePlan/plan-river" in event["details"]["told"].split()


def test_what_is_withheld_is_told_as_not_there_and_known_as_withheld(insurer, told):
    assert [insurer(f"CarePlan/{id}").status_code for id in ("plan-alma", "nothing")] == [404, 404]
    withheld, nothing = told()
    assert (withheld["outcome"], withheld["said"], withheld["named"]) == ("4", "404 withheld", {"CarePlan/plan-alma"})
    assert (nothing["outcome"], nothing["said"]) == ("4", "404 not-found")


def test_who_brings_no_good_token_or_asks_beyond_it_is_in_the_account(site, token, told):
    requests.get(f"{site.fhir}/Patient/river", timeout=SECONDS)
    site.get("no-such-token", "Patient/river")
    site.get(token(Principal("insurer", "insurer-reader", "system/Goal.rs")), "Patient/river")
    requests.get(f"{site.address}/api/clients", timeout=SECONDS)
    events = told()
    assert [event["said"] for event in events] == ["401 login", "401 login", "403 forbidden", "401 login"]
    assert ["who" in event["agents"][0] for event in events] == [False, False, True, False]


def test_what_is_open_to_all_is_not_accounted_for(site, told):
    for path in ("fhir/metadata", "fhir/.well-known/smart-configuration", "oauth/jwks", "login", "health", "ready", "metrics"):
        assert requests.get(f"{site.address}/{path}", timeout=SECONDS).status_code == 200
    assert told() == []


def test_a_write_and_its_account_are_one_transaction(site, token, told, repository, monkeypatch):
    given = token(KEEPER)
    place = {"resourceType": "Location", "name": "Kanarifugl"}
    made = site.send(given, "POST", "fhir/Location", place)
    assert made.status_code == 201
    [event] = told()
    assert (event["name"], event["named"]) == ("create", {f"Location/{made.json()['id']}"})
    refused = site.send(given, "PUT", f"fhir/Location/{made.json()['id']}", {**place, "id": made.json()["id"]}, **{"If-Match": 'W/"9"'})
    assert refused.status_code == 412
    [event] = told()
    assert (event["outcome"], event["said"]) == ("4", "412 conflict")
    commit, seen, before = Repository._commit, [], len([*repository.scan("Location")])

    def failing(self, changes, *rest):
        seen.append({change.type for change in changes})
        commit(self, changes, *rest)
        raise PyMongoError("the store went away")

    def gone(*_):
        raise PyMongoError("the store is away")

    monkeypatch.setattr(Repository, "_commit", failing)
    monkeypatch.setattr(Repository, "_by_itself", gone)
    assert site.send(given, "POST", "fhir/Location", place).status_code == 503
    monkeypatch.undo()
    assert seen[0] == {"Location", "AuditEvent"}
    assert (told(), len([*repository.scan("Location")])) == ([], before)


def test_a_write_names_whom_it_is_about_and_a_deletion_too(site, token, told):
    given = token(Principal("chart", "case-manager", "user/*.cruds", user="dana", fhir_user="Practitioner/dana"))
    client = {"names": [{"family": "Kanarifugl"}], "identifiers": [{"system": "urn:example:mrn", "value": "1"}]}
    made = site.send(given, "POST", "api/clients", client, **{"Content-Type": "application/json"})
    assert made.status_code == 201, made.text
    [event] = told()
    assert (event["name"], event["patients"]) == ("api-create", {f"Patient/{made.json()['id']}"})
    assert event["agents"][0]["who"] == {"reference": "Practitioner/dana"}


def test_reading_by_the_case_api_and_at_the_console_is_in_the_account(site, browser, token, told, repository):
    assert site.send(token(DANA), "GET", "api/clients").status_code == 200
    assert browser.log_in().status_code == 303
    assert browser.get("/").status_code == 200
    listed, entered, page = told()
    assert (listed["name"], listed["query"]) == ("api-list", "GET /api/clients")
    assert (entered["name"], entered["agents"][0]["altId"], entered["query"]) == ("login", "dana", None)
    assert (page["name"], page["agents"][0]["who"]) == ("console.worklist-show", {"reference": "Practitioner/dana"})


def test_logging_in_and_failing_to_are_in_the_account_and_names_that_nobody_has_are_not(site, browser, told):
    assert browser.log_in(password="a wrong sentence of theirs").status_code == 401
    assert Browser(site.address).log_in("kanarifugl").status_code == 401
    failed, nobody = told()
    assert (failed["name"], failed["outcome"], failed["agents"][0]["altId"]) == ("login", "4", "dana")
    assert ("who" in nobody["agents"][0], "altId" in nobody["agents"][0]) == (False, False)


def test_a_token_that_is_given_and_one_that_is_refused_are_in_the_account(site, told):
    site.token()
    assert site.ask(site.signed(site.claims(aud="https://other.example"))).status_code in (400, 401)
    given, refused = told()
    assert (given["name"], given["outcome"], given["agents"][0]["who"]["identifier"]["value"]) == ("token", "0", "north")
    assert (refused["outcome"], refused["agents"][0]["who"]["identifier"]["value"]) == ("4", "north")


def test_who_asks_about_a_token_or_revokes_it_is_in_the_account_with_whose_it_is_and_no_secret(site, token, told, repository):
    own, theirs = site.token(), token(replace(DANA, patient="river"))
    told()
    for secret in (own, theirs, "no-such-token"):
        assert site.proven("/oauth/introspect", token=secret).status_code == 200
    assert site.proven("/oauth/revoke", token=theirs).status_code == 400
    assert site.proven("/oauth/revoke", token=own).status_code == 200
    assert site.proven("/oauth/introspect", token=own).json() == {"active": False}
    app = {"client_id": "chart", "token": theirs}
    assert requests.post(f"{site.address}/oauth/revoke", app, timeout=SECONDS).status_code == 200
    assert requests.post(f"{site.address}/oauth/introspect", app, timeout=SECONDS).status_code == 400
    events = told()
    of_own, of_theirs = {"token": "access", "token_client": "north"}, {"token": "access", "token_client": "chart", "token_user": "dana"}
    assert [(event["name"], event["outcome"], event["said"], event["details"]) for event in events] == [
        ("introspect", "0", None, of_own | {"active": "true"}),
        ("introspect", "0", None, of_theirs | {"active": "true", "count": "1", "told": "Patient/river"}),
        ("introspect", "0", None, {"token": "unknown", "active": "false"}),
        ("revoke", "4", "400 invalid", of_theirs),
        ("revoke", "0", None, of_own),
        ("introspect", "0", None, {"token": "unknown", "active": "false"}),
        ("revoke", "0", None, of_theirs),
        ("introspect", "4", "400 invalid", {}),
    ]
    # Who only says a name is not asked further, so it is not known whether anybody has it.
    asked = [event["agents"][0].get("who", {}).get("identifier", {}).get("value") for event in events]
    assert asked == [*["north"] * 6, "chart", None]
    assert events[1]["patients"] == {"Patient/river"}
    kept = "".join(stored.text for stored in repository.scan("AuditEvent"))
    assert not [each for each in (own, theirs, hashed(own), hashed(theirs)) if each in kept]


def test_what_is_looked_for_by_a_form_is_in_the_account_and_nothing_else_of_the_form(site, browser, told):
    assert browser.log_in().status_code == 303
    page = browser.get("/people")
    told()
    assert browser.send(page, "/people", q=" kanari fugl&x ").status_code == 200
    assert browser.get("/people?q=kanari").status_code == 200
    assert browser.send(page, "/glass", identifier="number-of-nobody", reason="She fell in the hall, and was alone.").status_code == 404
    found, read, broken, tried = told()
    assert (found["name"], found["query"]) == ("console.people-find", "POST /people?q=kanari+fugl%26x")
    assert read["query"] == "GET /people?q=kanari"
    assert {event["query"] for event in (broken, tried)} == {None, "POST /glass?identifier=number-of-nobody"}


def test_whom_a_person_who_lets_an_app_act_looks_for_and_finds_is_in_the_account_and_no_address_of_the_app(site, browser, told):
    site.gate.registers.users.add(User("ina", "insurer-reader", "Organization/ins"), PASSWORD)
    assert browser.log_in("ina").status_code == 303
    path = App(site).path(scope="launch/patient patient/*.rs")
    page = browser.get(path)
    told()
    for decision in ("find", "allow"):
        assert browser.send(page, path, decision=decision, q="kanari").status_code == 200
        [event] = told()
        assert (event["query"], event["patients"]) == ("POST /oauth/authorize?q=kanari", {"Patient/river"})


def test_the_page_that_names_for_whom_an_app_was_started_is_in_the_account_as_told_of_them(site, browser, told):
    site.gate.registers.users.add(User("ivo", "insurer-reader", "Organization/ins"), PASSWORD)
    assert browser.log_in("ivo").status_code == 303
    started = browser.send(browser.get("/apps/river"), "/apps/river", client="chart")
    told()
    page = browser.get(App(site).path(scope="launch patient/*.rs", launch=query(started)["launch"]))
    assert "It was started for" in page.text
    [event] = told()
    assert (event["name"], event["patients"]) == ("auth.ask", {"Patient/river"})


def test_an_access_that_cannot_be_written_down_is_refused_and_tells_nothing(site, token, monkeypatch, told):
    given = token(INSURER)

    def away(*_):
        raise PyMongoError("the store went away")

    monkeypatch.setattr(site.gate.account._repository, "commit", away)
    for path in ("fhir/CarePlan", "fhir/CarePlan/plan-river", "fhir/CarePlan/plan-alma", "api/clients"):
        answer = site.send(given, "GET", path)
        assert (answer.status_code, "river" in answer.text) == (503, False)
    monkeypatch.undo()
    assert told() == []


def test_an_export_is_in_the_account_when_it_is_written_and_whom_each_file_tells_of_when_it_is_sent(world, token, told):
    given, site, repository = token(INSURER), world.site, world.repository
    begun = site.send(given, "GET", "fhir/Patient/$export?_type=Patient,CarePlan", Prefer="respond-async")
    assert begun.status_code == 202, begun.text
    [(id, _)] = [*_jobs(repository)]
    jobs.perform(task(world.exports), Repository(repository.database), id)
    manifest = requests.get(begun.headers["Content-Location"], headers={"Authorization": f"Bearer {given}"}, timeout=SECONDS).json()
    asked, written, status = told()
    assert (asked["name"], status["name"]) == ("$export", "export-status")
    assert (written["name"], written["details"]["count"], written["agents"][0]["who"]["identifier"]["value"]) == (
        "export-written",
        "2",
        "insurer",
    )
    given_by = {"Authorization": f"Bearer {given}"}
    for file in manifest["output"]:
        answer = requests.get(file["url"], headers={"Authorization": f"Bearer {given}"}, timeout=SECONDS)
        assert [json.loads(line)["resourceType"] for line in answer.text.splitlines()] == [file["type"]]
        sent, whom = told()
        assert (sent["name"], sent["query"].rpartition("/")[2]) == ("export-file", file["url"].rpartition("/")[2])
        assert (whom["name"], whom["patients"]) == ("export-file", {"Patient/river"})
        # In the midst of the id, which is in a reference of the plan and stands alone in the Patient.
        cut, parts = answer.content.index(b"river") + 3, []
        for asked in (f"bytes=0-{cut - 1}", f"bytes={cut}-{cut + 1}", f"bytes={cut + 2}-"):
            parts.append(requests.get(file["url"], headers={**given_by, "Range": asked}, timeout=SECONDS).content)
            assert [event["patients"] for event in told()] == [set(), {"Patient/river"}]
        assert b"".join(parts) == answer.content


def _jobs(repository):
    return State(repository.database).all("jobs", {"task": "export"})


def test_who_is_audited_does_not_see_the_account_and_an_auditor_does(site, token, insurer, told):
    insurer("CarePlan/plan-river")
    assert insurer("AuditEvent").json().get("entry") is None
    assert insurer("Patient/river/$disclosures").status_code == 403
    found = site.get(token(AUDITED), "AuditEvent?patient=Patient/river&outcome=0&subtype=read").json()["entry"]
    assert {each["resource"]["entity"][0]["what"]["reference"] for each in found} == {"Patient/river"}
    disclosed = site.get(token(AUDITED), "Patient/river/$disclosures?start=2020-01-01").json()["entry"]
    assert {each["resource"]["id"] for each in found} <= {each["resource"]["id"] for each in disclosed}


def test_what_the_codes_of_the_account_mean_is_looked_up_by_who_reads_it(site, token, insurer, repository):
    publish(repository)
    kept = site.get(token(AUDITED), "CodeSystem/interaction").json()["concept"]
    assert {"code": "introspect", "display": "It is asked what a token is good for"} in kept
    asked = f"CodeSystem/$lookup?system={CS}/audit-detail&code=rule"
    [shown] = [each["valueString"] for each in site.get(token(AUDITED), asked).json()["parameter"] if each["name"] == "display"]
    assert shown == "By which role, ties and consents it was allowed"
    assert insurer("CodeSystem/withholding-rule").status_code == 200


def test_no_record_of_a_patient_holds_the_account_of_who_read_it(repository, insurer, fhir):
    insurer("CarePlan/plan-river")
    assert fhir.ids("AuditEvent?patient=Patient/river")
    kinds = {each["resource"]["resourceType"] for each in fhir.send("GET", "Patient/river/$everything").json["entry"]}
    assert kinds >= {"Patient", "CarePlan"}
    assert "AuditEvent" not in kinds


def test_the_account_holds_whatever_was_asked(site, token, insurer, repository):
    for path in ("CarePlan", "Patient/river/$everything", "CarePlan/plan-alma", "CarePlan?_count=1&_total=accurate"):
        insurer(path)
    site.send(token(KEEPER), "POST", "fhir/Location", {"resourceType": "Location"})
    assert [*trail.verify(repository.database)] == []


def test_readers_at_the_same_time_are_each_in_the_account_and_it_holds(site, token, told, repository):
    given = token(INSURER)
    with ThreadPoolExecutor(8) as pool:
        assert {*pool.map(lambda _: site.get(given, "CarePlan/plan-river").status_code, range(40))} == {200}
    assert [event["name"] for event in told()] == ["read"] * 40
    assert [*trail.verify(repository.database)] == []


def test_of_a_file_nothing_goes_out_before_it_is_written_down_whom_it_tells_of(world, token, monkeypatch):
    given, site, repository = token(INSURER), world.site, world.repository
    begun = site.send(given, "GET", "fhir/Patient/$export?_type=CarePlan", Prefer="respond-async")
    [(id, _)] = [each for each in _jobs(repository) if each[1]["status"] == "waiting"]
    jobs.perform(task(world.exports), Repository(repository.database), id)
    headers = {"Authorization": f"Bearer {given}"}
    [file] = requests.get(begun.headers["Content-Location"], headers=headers, timeout=SECONDS).json()["output"]
    commit, times = type(site.gate.account)._commit, []

    def second(self, event):
        times.append(event)
        if len(times) > 1:
            raise StoreUnavailable("the store went away")
        commit(self, event)

    monkeypatch.setattr(type(site.gate.account), "_commit", second)
    try:
        told = requests.get(file["url"], headers=headers, timeout=SECONDS).content
    except requests.RequestException:
        told = b""
    assert (len(times), b"river" in told) == (2, False)
