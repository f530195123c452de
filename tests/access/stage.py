"""A store with some worlds in it, and the reader of each, who asks by every door as a request does."""

import json
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import parse_qsl, urlencode

import flask
from pymongo.database import Database
from werkzeug.test import Client

from adapter.access.viewer import Viewer
from adapter.errors import CasebridgeError
from adapter.store.documents import Change
from adapter.store.repository import Repository
from adapter.store.sight import Sight, sight_of
from server import console
from server.api import SIGHT, beside
from server.api.application import MAX_BODY
from server.api.calls import ACTOR
from server.console.visitor import COOKIE
from server.fhir.messages import Request
from server.fhir.routes import endpoint

from . import resources, rule, worlds
from .shadow import shadow

BASE = "http://test/fhir"
NOON = datetime(2025, 4, worlds.TODAY, 12, tzinfo=UTC)
FHIR, FORM = "application/fhir+json", "application/x-www-form-urlencoded"
# A transaction of the embedded store takes so many resources easily.
_AT_ONCE = 200
_MARK = re.compile(r"mark:[\w.-]+")
_ENTITY = re.compile(r'"entity":\{"reference":"Patient/([\w.-]+)"')
# When something was stored or asked, as of two worlds the one is before the other; a number that chance gave to a form; and the table of
# versions of a page, since how a world was before is not in the other.
_OWN = re.compile(r"2025-04-22T1[12]:[\d:.]+(Z|\+00:00)|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|(?s:<h2>Versions</h2>.*</table>)")
_LEAD = re.compile(r"\b[wu]\d+-")
_TYPES = (*worlds.THINGS, *worlds.OPEN, "CareTeam", "Consent", "Coverage", "EpisodeOfCare", "Patient", "Provenance")
NOBODYS = tuple(f"{type}/" for type in worlds.OPEN)
"""How what everybody sees is named."""


class Difference(AssertionError):
    """Through a door something else is found than may be seen."""


@contextmanager
def policies(folder: Path) -> Iterator[None]:
    """The site's own policies are those of the worlds' readers, while this is open."""
    (folder / "access").mkdir(parents=True, exist_ok=True)
    for name, policy in worlds.POLICIES.items():
        (folder / "access" / f"{name}.json").write_text(json.dumps(policy))
    with patch.dict(os.environ, CASEBRIDGE_CARE=str(folder)):
        yield


class Clock:
    """Goes on by a millisecond at each look."""

    def __init__(self) -> None:
        self.now = NOON - timedelta(hours=1)

    def __call__(self) -> datetime:
        self.now += timedelta(milliseconds=1)
        return self.now


class Stage:
    """Worlds, stored together and known by their numbers: none may see anything of another."""

    def __init__(self, database: Database[Any], folder: Path, several: dict[int, worlds.World]) -> None:
        self.clock, self.exported = Clock(), folder
        self.repository = Repository(database, clock=self.clock)
        for type in _TYPES:
            self.repository.collection(type)
        self.worlds = several
        self._store()
        self.clock.now = NOON
        self.answer, self.work = endpoint(self.repository, folder), _at_work(self.repository, folder)

    def told(self, number: int) -> "Told":
        return Told(self, self.worlds[number], _lead(number), _lead(number, "u"))

    def _store(self) -> None:
        several = {_lead(number): world for number, world in self.worlds.items()}
        several |= {_lead(number, "u"): shadow(world) for number, world in self.worlds.items() if world["worked"]}
        every = [(world, lead, item) for lead, world in several.items() for item in world["items"]]
        first = [
            Change(raw["resourceType"], id, raw, 0) for lead in several for id, raw in (*resources.payers(lead), *resources.staff(lead))
        ]
        for lead, world in several.items():
            first += [Change("Provenance", f"{lead}{told['id']}", resources.provenance(told, lead), 0) for told in world["told"]]
        self._commit(first)
        for place in range(max(len(item["states"]) for _, _, item in every)):
            self._commit(
                [
                    Change(item["type"], f"{lead}{item['id']}", resources.resource(world, item, place, lead), place)
                    for world, lead, item in every
                    if place < len(item["states"]) and item["states"][place]
                ]
            )
        gone = [(lead, item) for _, lead, item in every if item["deleted"]]
        self._commit([Change(item["type"], f"{lead}{item['id']}", None, len(item["states"])) for lead, item in gone])

    def _commit(self, changes: list[Change]) -> None:
        for start in range(0, len(changes), _AT_ONCE):
            self.repository.commit(changes[start : start + _AT_ONCE])


def _at_work(repository: Repository, folder: Path) -> Client:
    """Who asks the case API, and the console beside it, with the sight that the environment of a request says."""
    app = flask.Flask("casebridge.worlds", static_folder=None)
    console.install(app, repository, folder)
    app.before_request(lambda: setattr(flask.g, "sight", flask.request.environ[SIGHT]))
    return Client(beside(app.wsgi_app, repository, MAX_BODY), use_cookies=False)


def _lead(number: int, kind: str = "w") -> str:
    return f"{kind}{number}-"


@dataclass(frozen=True)
class Answered:
    """What was answered."""

    status: int
    text: str
    location: str | None

    @property
    def body(self) -> dict[str, Any]:
        return json.loads(self.text) if self.text else {}


class Told:
    """A world that is stored, asked of as its reader. Items go by `Type/id`, without the world's lead."""

    def __init__(self, stage: Stage, world: worlds.World, lead: str, shadow: str = "") -> None:
        self.stage, self.world, self.lead, self.shadow = stage, world, lead, shadow
        self.policy = worlds.POLICIES[world["policy"]]
        self.items = {f"{item['type']}/{item['id']}": item for item in world["items"]}
        self.seen, self.versions = rule.seen(world), rule.versions(world)
        self._shown = {resources.mark(lead, name.partition("/")[2], version) for name, version in self.versions}
        self.viewer = Viewer(
            role=world["policy"],
            references=frozenset((resources.whom(world["reader"], lead),)),
            purpose=world["purpose"],
            team=frozenset(resources.whom(name, lead) for name in world["team"]),
            **{name: frozenset((f"Patient/{lead}{world[name]}",)) for name in ("glass", "offered") if world[name]},
        )
        hidden = {element for view in self.policy["types"].values() for element in view.get("withheld", ())}
        self._withheld = re.compile("|".join(f'"{element}":' for element in sorted(hidden)) or "(?!)")
        self._grouped = "by_characteristic" in self.policy
        self._people = {f"{lead}{name.partition('/')[2]}" for name in self.seen if name.startswith("Patient/")}
        self._site = frozenset((resources.whom("us", lead),))

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> Answered:
        """The answer to a request, whatever it is; it bears no mark of what may not be seen, and nothing that is withheld."""
        found = self._clean(self._sent(method, path, body, headers), f"{method} {path}")
        if self._grouped and (strange := {*_ENTITY.findall(found.text)} - self._people):
            raise Difference(f"{method} {path} tells {sorted(strange)}, who are in a Group")
        return found

    def work(self, method: str, path: str, body: Any = None, **headers: str) -> Answered:
        """What the case API or the console answers, which is clean as `send` has it, and names nothing of another world."""
        found = self._clean(self._worked(self.viewer, self.lead, method, path, body, headers), f"{method} /{path}")
        if strange := {*_LEAD.findall(found.text)} - {self.lead}:
            raise Difference(f"{method} /{path} tells of {sorted(strange)}")
        return found

    def as_alone(self, path: str, found: Answered) -> None:
        """Raise Difference where they answer otherwise than if there were nothing but what the reader sees."""
        alone = self._shadowed(path)
        self.same((alone.status, _OWN.sub("", alone.text)), (found.status, _OWN.sub("", found.text)), path)

    def _shadowed(self, path: str) -> Answered:
        """What they answer in a world in which there is only what the reader sees; in the names of this one."""
        people = frozenset(f"Patient/{self.shadow}{name}" for name in worlds.PEOPLE)
        references = frozenset((resources.whom(self.world["reader"], self.shadow),))
        viewer = Viewer("whole", references, self.world["purpose"], offered=people)
        found = self._worked(viewer, self.shadow, "GET", path.replace(self.lead, self.shadow), None, {})
        return Answered(found.status, found.text.replace(self.shadow, self.lead), None)

    def _worked(self, viewer: Viewer, lead: str, method: str, path: str, body: Any, headers: dict[str, str]) -> Answered:
        who = resources.whom(self.world["reader"], lead)
        named = {ACTOR: who, "Cookie": f"{COOKIE}={who}", **{name.replace("_", "-"): value for name, value in headers.items()}}
        sight = sight_of(self.stage.repository.database, viewer, self.stage.clock(), self._site)
        answer = self.stage.work.open(f"/{path}", method=method, json=body, headers=named, environ_overrides={SIGHT: sight})
        return Answered(answer.status_code, answer.text, answer.location)

    def _clean(self, found: Answered, asked: str) -> Answered:
        if stray := {*_MARK.findall(found.text)} - self._shown:
            raise Difference(f"{asked} tells {sorted(stray)}")
        if told := self._withheld.search(found.text):
            raise Difference(f"{asked} tells {told[0]}, which is withheld")
        return found

    def sight(self) -> Sight:
        """What the reader sees now."""
        return sight_of(self.stage.repository.database, self.viewer, self.stage.clock(), self._site)

    def _sent(self, method: str, path: str, body: Any, headers: dict[str, str]) -> Answered:
        path, _, query = path.partition("?")
        named = {"content-type": FHIR, **{name.replace("_", "-"): value for name, value in headers.items()}}
        try:
            answer = self.stage.answer(Request(method, path, BASE, parse_qsl(query), named, body or b"", sight=self.sight()))
        except CasebridgeError as error:
            return Answered(error.status, error.text, None)
        text = b"".join(answer.stream.pieces).decode() if answer.stream else answer.text or ""
        return Answered(answer.status, text, answer.location)

    def get(self, path: str, **headers: str) -> Answered:
        return self.send("GET", path, **headers)

    def post(self, path: str, body: Any, **headers: str) -> Answered:
        return self.send("POST", path, body, **headers)

    def batch(self, paths: Sequence[str], kind: str = "batch") -> list[tuple[int, dict[str, Any]]]:
        """Status and resource of each of several GETs in one Bundle."""
        entries = [{"request": {"method": "GET", "url": path}} for path in paths]
        answer = self.post("", {"resourceType": "Bundle", "type": kind, "entry": entries})
        self.same(200, answer.status, f"a {kind}")
        return [(int(each["response"]["status"][:3]), each.get("resource", {})) for each in answer.body["entry"]]

    def page(self, way: str, path: str) -> dict[str, Any]:
        """The first page of a search, asked for in some way."""
        if way in ("batch", "transaction"):
            [(status, body)] = self.batch([path], way)
        elif way == "form":
            type, _, query = path.partition("?")
            answer = self.post(f"{type}/_search".lstrip("/"), urlencode(parse_qsl(query)).encode(), content_type=FORM)
            status, body = answer.status, answer.body if answer.status == 200 else {}
        else:
            answer = self.get(path)
            status, body = answer.status, answer.body if answer.status == 200 else {}
        self.same(200, status, f"{way} {path}")
        return body

    def pages(self, path: str, way: str = "GET") -> Iterator[dict[str, Any]]:
        """The pages of a search or a history, to the last."""
        following: str | None = path
        while following is not None:
            page = self.page(way, following)
            yield page
            links = {link["relation"]: link["url"] for link in page.get("link", ())}
            following, way = links["next"].removeprefix(f"{BASE}/") if "next" in links else None, "GET"

    def found(self, path: str, way: str = "GET", mode: str = "match") -> set[str]:
        """The names of what a search finds or includes on all its pages, each once; what is nobody's is left out."""
        entries = [entry for page in self.pages(path, way) for entry in page.get("entry", ()) if entry["search"]["mode"] == mode]
        names = [self.name_of(entry["resource"]) for entry in entries]
        if mode == "match":
            self.same(len({*names}), len(names), f"{way} {path}, found once each")
        return {name for name in names if not name.startswith(NOBODYS)}

    def name_of(self, raw: dict[str, Any]) -> str:
        """The name of a resource that was told."""
        return f"{raw['resourceType']}/{raw['id'].removeprefix(self.lead)}"

    def local(self, name: str) -> str:
        """The reference of an item."""
        return resources.local(name, self.lead)

    def same(self, expected: Any, found: Any, asked: str) -> None:
        """Raise Difference where something else was found than is expected."""
        if found != expected:
            more = f"too much {sorted(found - expected)}, missing {sorted(expected - found)}" if isinstance(found, set) else f"{found!r}"
            raise Difference(f"{asked}: {more}, expected {expected if not isinstance(expected, set) else len(expected)}")
