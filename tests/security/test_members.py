"""An insurer that attacks another's members: it learns no more of them than of nobody, by whatever it asks."""

import http.client
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pymongo.collection
import pytest
import requests

from adapter.store.repository import Repository
from server.api import schemas
from server.api.routes import Route, routes
from tests.server.api.test_routes import BODIES
from tests.server.auth.site import SECONDS, Site

from . import members

ATTACKS = json.loads(Path(__file__).with_name("attacks.members.json").read_text())
_TYPES = ("CarePlan", "Consent", "Coverage", "EpisodeOfCare", "Goal", "Group", "List", "Observation", "Patient", "Provenance", "Task")
_FORM = "application/x-www-form-urlencoded"
_AS_WRITTEN = "/%?&=:,;|$*{}[]._-"
_KINDS = {"PATCH": "application/json-patch+json"}
Answer = tuple[int, str]


def rows(name: str) -> Any:
    return pytest.mark.parametrize("row", ATTACKS[name], ids=[row["attack"] for row in ATTACKS[name]])


@pytest.fixture(scope="session")
def words(payers: Site, payers_folder: Path) -> dict[str, str]:
    """What stands for what in an attack."""
    page = payers.get(token(payers, "north"), "CarePlan?_count=1").json()
    following = next(link["url"] for link in page["link"] if link["relation"] == "next")
    cursor = following.partition("_cursor=")[2].partition("&")[0]
    export = members.exported(payers.gate._repository, payers_folder / "exports")
    return {"{fhir}": payers.fhir, "{cursor}": cursor, **{f"{{{name}}}": value for name, value in export.items()}}


def token(site: Site, insurer: str) -> str:
    return site.gate.registers.tokens.issue(members.reader(insurer))


def sent(site: Site, row: dict[str, Any], words: dict[str, str], bearer: str) -> Answer:
    """The answer to an attack as it is written: nothing tidies its path."""
    words = {**words, "{token}": bearer}
    method, _, path = worded(row["ask"], words).partition(" ")
    body, kind = (row["form"], _FORM) if "form" in row else (json.dumps(row["body"]), "") if "body" in row else (None, "")
    given = {name: worded(value, words) for name, value in row.get("headers", {}).items()}
    headers = {"Authorization": f"Bearer {bearer}", "Content-Type": kind or _KINDS.get(method, "application/fhir+json"), **given}
    connection = http.client.HTTPConnection(urlsplit(site.address).netloc, timeout=SECONDS)
    try:
        connection.request(method, f"/fhir/{quote(path, safe=_AS_WRITTEN)}", body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def worded(text: str, words: dict[str, str]) -> str:
    for word, meant in words.items():
        text = text.replace(word, meant)
    return text


def wrong(site: Site, row: dict[str, Any], words: dict[str, str]) -> Iterator[str]:
    """What an attack got otherwise than it must."""
    bearer = token(site, "south")
    status, text = sent(site, row, words, bearer)
    body = json.loads(text or "{}")
    if row.get("like"):
        nobody = sent(site, json.loads(json.dumps(row).replace("theirs", "nobody")), words, bearer)
        if (status, text.replace("theirs", "nobody")) != nobody:
            yield f"{status} {text}, and of nobody {nobody}"
    if status != row.get("status", status):
        yield f"{status}"
    if "finds" in row:
        found = sorted(
            f"{each['resource']['resourceType']}/{each['resource']['id']}" for each in body.get("entry", ()) if "resource" in each
        )
        if found != row["finds"]:
            yield f"{status} {found}"
    if body.get("total", row.get("total")) != row.get("total", body.get("total")):
        yield f"a total of {body['total']}"
    if "entries" in row and [each["response"]["status"] for each in body["entry"]] != row["entries"]:
        yield text
    if members.MARK in text:
        yield f"{status} {text}"


@rows("rows")
def test_of_another_s_members_an_insurer_learns_no_more_than_of_nobody(payers: Site, words: dict[str, str], row: dict[str, Any]) -> None:
    assert [*wrong(payers, row, words)] == []


def test_each_of_these_attacks_would_succeed_if_rows_were_not_limited(
    payers: Site, words: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(payers.gate, "_limited", False)
    assert [row["attack"] for row in ATTACKS["rows"] if not [*wrong(payers, row, words)]] == []


@rows("words")
def test_no_way_to_put_a_question_goes_around_it(payers: Site, words: dict[str, str], row: dict[str, Any]) -> None:
    before = _stored(payers)
    status, text = sent(payers, row, words, token(payers, "south"))
    assert status >= 400 or (status == 200 and '"search":{"mode":"match"}' not in text and text.startswith("{")), (status, text)
    assert members.MARK not in text
    assert status < 400 or "kanarifugl" not in text.casefold()
    assert _stored(payers) == before, "an attack changed what is stored"


def _stored(site: Site) -> dict[str, int]:
    """The version of each resource."""
    repository: Repository = site.gate._repository
    return {stored.reference: stored.version for type in _TYPES for stored in repository.scan(type)}


# What a route of the case API is asked with: by concept the id of something of theirs, else that of the person.
_OWN = {"case": "case-{}", "plan": "open-{}", "goal": "goal-{}", "task": "task-{}", "consent": "consent-{}", "care_team": "team-{}"}
_NAMED = {"Patient/1": "Patient/{}", "EpisodeOfCare/1": "EpisodeOfCare/case-{}", "CarePlan/1": "CarePlan/open-{}", "Goal/1": "Goal/goal-{}"}
"""By what an example names, what of theirs is named instead."""


def _ask(route: Route, whom: str) -> str:
    """Where a route is asked, and with a body that the schema takes, about theirs: else what is asked for is never looked for."""
    path = re.sub("<[a-z]+>", _OWN.get(route.concept, "{}").format(whom), route.path)
    text = json.dumps(BODIES.get((route.concept, route.name)) or schemas.example(route.body)) if route.body else ""
    for named, of_theirs in _NAMED.items():
        text = text.replace(f'"{named}"', f'"{of_theirs.format(whom)}"')
    return f"/api{path} {text}"


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_every_route_of_the_case_api_answers_to_another_s_client_as_to_nobody(
    payers: Site, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    bearer, before = payers.gate.registers.tokens.issue(members.manager()), _stored(payers)
    session = requests.Session()
    session.headers.update({"Authorization": f"Bearer {bearer}", "Content-Type": "application/json"})
    asking = [route for route in routes() if route.method == method and (method == "GET" or "theirs" in _ask(route, "theirs"))]
    # To break the glass is to see more, whoever it is of.
    asking = [route for route in asking if route.name != "break-glass"]

    def asked(route: Route, whom: str, version: int = 1) -> tuple[int, str]:
        path, body = _ask(route, whom).split(" ", 1)
        sent = session.request(method, payers.address + path, data=body or None, headers={"If-Match": f'W/"{version}"'}, timeout=SECONDS)
        return sent.status_code, sent.text.replace("theirs", "nobody")

    told = {route.path: asked(route, "theirs") for route in asking}
    assert told == {route.path: asked(route, "nobody") for route in asking}
    assert members.MARK not in str(told)
    if method != "GET":
        assert {status for status, _ in told.values()} <= {403, 404}, "refused for something else, before it was looked for"
    if method != "POST":
        monkeypatch.setattr(payers.gate, "_limited", False)
        # Of a version that there is not, so that nothing is written then either.
        otherwise = sum(asked(route, "theirs", 999) != told[route.path] for route in asking[:40])
        assert otherwise >= {"GET": 10, "PUT": 5, "DELETE": 5}[method], "without the sight it would fail"
    assert _stored(payers) == before


PROBES = [
    *("CarePlan/open-{}", "CarePlan/open-{}/_history/1", "CarePlan/open-{}/_history", "Patient/{}", "Patient/{}/$everything"),
    *("CarePlan?_id=open-{}", "CarePlan?patient={}", "CarePlan?patient={}&_summary=count", "Patient?identifier={}"),
    *("CarePlan?subject:Patient.identifier={}", "Organization?_has:Coverage:payor:identifier={}", "Patient/{}/CarePlan"),
    *("CarePlan?identifier={}&_summary=count", "Coverage?beneficiary=Patient/{}&_count=1&_total=accurate"),
]


@pytest.mark.parametrize("probe", PROBES)
def test_the_store_is_asked_as_often_whether_there_is_something_that_is_not_seen_or_nothing(
    payers: Site, monkeypatch: pytest.MonkeyPatch, probe: str
) -> None:
    """What takes longer would tell."""
    asked: list[str] = []
    for name in ("find", "count_documents", "aggregate"):
        monkeypatch.setattr(pymongo.collection.Collection, name, _counted(getattr(pymongo.collection.Collection, name), asked))
    bearer, counts = token(payers, "south"), []
    for whom in ("nobody", "theirs", "nobody", "theirs"):
        asked.clear()
        answer = requests.get(f"{payers.fhir}/{probe.format(whom)}", headers={"Authorization": f"Bearer {bearer}"}, timeout=SECONDS)
        assert answer.status_code in (200, 404)
        counts.append([*asked])
    assert counts[2] == counts[3]


def _counted(method: Any, asked: list[str]) -> Any:
    def counting(self: Any, *args: Any, **more: Any) -> Any:
        asked.append(self.name)
        return method(self, *args, **more)

    return counting
