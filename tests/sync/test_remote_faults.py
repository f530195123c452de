"""A remote on a bad day: each fault is one clear line and its exit code, and when it has passed, a re-run finishes the work.

The faults are made by a proxy on loopback in front of this project's own server. Only the waits between attempts are shortened.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from urllib.parse import urlsplit

import pytest

from adapter.config import OWN_ID
from adapter.fhir.client import FhirClient
from adapter.fhir.retry import RetryPolicy
from adapter.store.documents import Change
from adapter.sync.bridge import Bridge
from adapter.sync.remotes.remote import Remote
from tests.cli import conftest as commands
from tests.cli.conftest import Casebridge, Ran, casebridge, hospital  # noqa: F401
from tests.sync.faulty import Exchange, Proxy, changes, commits_and_drops, cuts_off, drops, hangs, says

PATIENCE = 0.4
"""Seconds that the remote is given for an answer."""
BOTH = 5
"""Resources made on each side."""
REFUSED = json.dumps({"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "processing"}]}).encode()
PAGE = b"<html>Kanarifugl is logged out</html>"


as_for_commands = commands.environment


@pytest.fixture
def environment(as_for_commands: dict[str, str]) -> dict[str, str]:  # noqa: F811
    """Nothing but what a person is told."""
    return {**as_for_commands, "CASEBRIDGE_LOG": "ERROR"}


@dataclass
class Scene:
    """Patients here and there, not yet in step, and a proxy between the two."""

    bridge: Bridge
    hospital: FhirClient
    proxy: Proxy
    casebridge: Casebridge
    born_there: list[str] = field(default_factory=list)
    born_here: int = 0

    def make(self, number: int = 1) -> None:
        """So many patients on each side."""
        person = {"resourceType": "Patient", "name": [{"family": "Kanarifugl"}]}
        ids = [f"made-here-{self.born_here + each}" for each in range(number)]
        self.bridge.repository.commit([Change("Patient", id, person, 0) for id in ids])
        self.born_here += number
        self.born_there += [self.hospital.create(person).id for _ in ids]

    def sync(self) -> Ran:
        return self.casebridge("sync", "hospital")

    def here(self) -> list[Any]:
        return list(self.bridge.repository.scan("Patient", {"fhir.deleted": False}))

    def there(self) -> list[dict[str, Any]]:
        return [raw for page in self.hospital.search("Patient", {}) for raw in page.entries]

    def assert_a_rerun_finishes(self) -> None:
        """The fault is over: one more run brings both sides into step, with an account that holds."""
        self.proxy.mend()
        last = self.casebridge("sync", "hospital", "--json")
        assert (last.code, last.json["holds"], last.json["clean"]) == (0, True, True), last
        assert all(row["adds up"] for row in last.json["pull"].values())

    def assert_nothing_is_lost_or_doubled(self) -> None:
        """After a run that finishes: each patient is once on either side."""
        self.assert_a_rerun_finishes()
        here, there = self.here(), self.there()
        assert Counter(stored.link("hospital").reference for stored in here) == Counter(f"Patient/{raw['id']}" for raw in there)
        assert set(self.born_there) <= {raw["id"] for raw in there}
        own = Counter(item["value"] for raw in there for item in raw.get("identifier", ()) if item["system"] == OWN_ID)
        assert own == Counter(stored.id for stored in here if stored.born is None)
        assert self.casebridge("verify").code == 0


@pytest.fixture
def scene(database: Any, hospital: FhirClient, casebridge: Casebridge, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:  # noqa: F811
    def quick(self: Remote, kind: Callable[..., FhirClient] = FhirClient, **options: Any) -> FhirClient:
        brief = {"timeout": (self.timeout, self.timeout), "page_size": self.page_size, "retry": RetryPolicy(attempts=2, base=0.01)}
        return kind(self.url, **(options | brief))

    monkeypatch.setattr(Remote, "client", quick)
    bridge = Bridge(database)
    with Proxy(hospital.base_url) as proxy:
        bridge.remotes.add(Remote("hospital", proxy.url, types=("Patient",), page_size=2, bundle_size=2, timeout=PATIENCE))
        made = Scene(bridge, hospital, proxy, casebridge)
        made.make(BOTH)
        yield made


def line(ran: Ran) -> str:
    """The one line that tells a person why it failed."""
    told = [line for line in ran.err.splitlines() if line.startswith("casebridge: ")]
    assert told == ran.err.splitlines()[-1:], ran.err
    assert "?" not in told[0].replace("base URL right?", ""), "a query can hold a name"
    return told[0]


DOWN = {
    "it closes the connection": (drops, 3, "the remote cannot be reached"),
    "it is slow": (hangs, 3, "the remote did not answer in time"),
    "its answer is cut off": (cuts_off, 3, "the answer was cut off"),
    "it answers a web page": (says(200, PAGE, "text/html"), 4, "the answer is text/html, not FHIR JSON; is the base URL right?"),
    "it answers broken JSON": (says(200, b'{"resourceType": Kanarifugl}'), 4, "the answer is broken"),
    "it redirects": (says(302, Location="https://ehr.example/login?user=Kanarifugl"), 4, r"the remote redirects \(302\)"),
    "it answers 401": (says(401, REFUSED), 4, r"the remote answered 401 \(error processing\)"),
    "it answers 403": (says(403, PAGE, "text/html"), 4, "the remote answered 403$"),
    "it answers 404": (says(404, PAGE, "text/html"), 4, "the remote answered 404$"),
    "it answers 429": (says(429, Retry_After="0"), 3, "the remote answered 429$"),
    "it answers 500": (says(500, PAGE, "text/html"), 3, "the remote answered 500$"),
    "it answers 503": (says(503, REFUSED, Retry_After="0"), 3, r"the remote answered 503 \(error processing\)"),
}


@pytest.mark.parametrize("path", ["", "_sort"], ids=["from the first request on", "in the midst of a pull"])
def test_a_remote_that_fails_is_one_line_and_a_rerun_finishes(scene: Scene, path: str) -> None:
    for fault, (act, code, text) in DOWN.items():
        scene.make()
        scene.proxy.fault(act, method="GET", path=path)
        ran = scene.sync()
        assert re.search(text, line(ran)), (fault, ran.err)
        assert ran.code == code, fault
        *_, (_, certificate) = scene.bridge.state.all("certificates")
        assert not certificate["holds"]
        assert f"casebridge: {certificate['failure']}" == line(ran)
        scene.assert_a_rerun_finishes()
    scene.assert_nothing_is_lost_or_doubled()


def test_a_remote_that_is_no_fhir_server_is_one_line_and_a_rerun_finishes(scene: Scene) -> None:
    scene.proxy.fault(says(200, REFUSED), method="GET")
    ran = scene.sync()
    assert (ran.code, "its metadata is not a CapabilityStatement" in line(ran)) == (4, True)
    scene.assert_a_rerun_finishes()


def test_a_search_that_answers_no_bundle_is_one_line_and_a_rerun_finishes(scene: Scene) -> None:
    scene.proxy.fault(says(200, REFUSED), method="GET", path="_sort")
    ran = scene.sync()
    assert (ran.code, "the remote answered with OperationOutcome, not Bundle" in line(ran)) == (4, True)
    scene.assert_a_rerun_finishes()


def test_a_remote_that_is_down_is_one_line_and_a_rerun_finishes(scene: Scene) -> None:
    scene.proxy.__exit__()
    ran = scene.sync()
    assert (ran.code, "the remote cannot be reached" in line(ran)) == (3, True)
    with Proxy(scene.hospital.base_url, port=urlsplit(scene.proxy.url).port or 0) as again:
        scene.proxy = again
        scene.assert_a_rerun_finishes()


def test_a_remote_that_dies_midway_loses_nothing(scene: Scene) -> None:
    for requests in range(1, 9):
        scene.make(2)
        scene.proxy.fault(drops, skip=requests)
        ran = scene.sync()
        assert (ran.code, "the remote cannot be reached" in line(ran)) == (3, True)
        if requests % 2:
            scene.assert_a_rerun_finishes()
    scene.assert_nothing_is_lost_or_doubled()


def test_what_fails_once_is_asked_again_in_the_same_run(scene: Scene) -> None:
    for status in (429, 500, 503):
        scene.make()
        scene.proxy.faults = [scene.proxy.fault(says(status, Retry_After="0"), method=method, times=1) for method in ("GET", "POST")]
        assert scene.sync().code == 0
        assert [fault.struck for fault in scene.proxy.faults] == [1, 1]
    scene.assert_nothing_is_lost_or_doubled()


@pytest.mark.parametrize("status", [400, 404, 409, 412, 422])
def test_what_a_remote_refuses_is_kept_to_be_seen_and_is_sent_again(scene: Scene, status: int) -> None:
    scene.proxy.fault(says(status, REFUSED), method="POST", body="made-here")
    ran = scene.sync()
    assert ran.code == 1
    assert ran.out.splitlines()[-1] == f"Not in step with hospital: {BOTH} refused (`casebridge dead list`)."
    assert f"the remote answered {status} (error processing)" in scene.casebridge("dead", "list").out
    scene.assert_nothing_is_lost_or_doubled()
    assert not list(scene.bridge.state.all("dead_letters"))


def test_one_resource_that_a_remote_refuses_does_not_keep_the_others(scene: Scene) -> None:
    refused = scene.proxy.fault(says(422, REFUSED), method="POST", body="made-here-3")
    assert scene.sync().code == 1
    assert refused.struck == 2  # in its bundle, and by itself
    [(_, letter)] = scene.bridge.state.all("dead_letters")
    assert letter["reference"] == "Patient/made-here-3"
    assert len(scene.there()) == 2 * BOTH - 1
    scene.assert_nothing_is_lost_or_doubled()


LOST = {"the answer never comes": commits_and_drops, "the answer is cut off": cuts_off}


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("lost", LOST)
def test_a_create_whose_answer_is_lost_is_found_again(scene: Scene, lost: str, times: int) -> None:
    """Once: the same run finds out. As often as it tries: the next run does."""
    scene.proxy.fault(LOST[lost], method="POST", body="made-here", times=times)
    assert scene.sync().code == (0 if times == 1 else 3)
    scene.assert_nothing_is_lost_or_doubled()
    assert {raw["meta"]["versionId"] for raw in scene.there()} == {"1"}


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("lost", LOST)
def test_an_update_whose_answer_is_lost_is_made_once(scene: Scene, lost: str, times: int) -> None:
    assert scene.sync().code == 0
    for stored in scene.here():
        scene.bridge.repository.commit([Change("Patient", stored.id, {**stored.raw, "birthDate": "1950-11"}, stored.version)])
    scene.proxy.fault(LOST[lost], method="POST", body="birthDate", times=times)
    assert scene.sync().code in ((0,) if times == 1 else (0, 3))
    scene.assert_nothing_is_lost_or_doubled()
    assert {(raw["birthDate"], raw["meta"]["versionId"]) for raw in scene.there()} == {("1950-11", "2")}


@pytest.mark.parametrize("times", [1, 2])
def test_a_deletion_whose_answer_is_lost_is_done(scene: Scene, times: int) -> None:
    assert scene.sync().code == 0
    stored = scene.bridge.repository.read("Patient", "made-here-0")
    scene.bridge.repository.commit([Change("Patient", stored.id, None, stored.version)])
    scene.proxy.fault(commits_and_drops, method="DELETE", times=times)
    assert scene.sync().code == (0 if times == 1 else 3)
    scene.assert_nothing_is_lost_or_doubled()
    assert len(scene.there()) == 2 * BOTH - 1


def endless(numbers: Iterator[int]) -> Callable[[Exchange], None]:
    """Says that one more page follows, forever: the same page by another name."""

    def act(exchange: Exchange) -> None:
        exchange.path = re.sub(r"&again=\d+", "", exchange.path)
        more = f"http://{exchange.headers['Host']}{exchange.path}&again={next(numbers)}"
        changes(lambda raw: raw.update(link=[{"relation": "next", "url": more}]))(exchange)

    return act


def circle(exchange: Exchange) -> None:
    """The page that follows is the page itself."""
    here = f"http://{exchange.headers['Host']}{exchange.path}"
    changes(lambda raw: raw.update(link=[{"relation": "next", "url": here}]))(exchange)


@pytest.mark.parametrize("act", [circle, endless(count())], ids=["a circle", "new names forever"])
def test_next_links_without_an_end_are_given_up(scene: Scene, act: Callable[[Exchange], None]) -> None:
    scene.proxy.fault(act, method="GET", path="_sort")
    ran = scene.sync()
    assert (ran.code, "its next links go round in a circle" in line(ran)) == (4, True)
    assert len(scene.proxy.seen) < 50
    scene.assert_nothing_is_lost_or_doubled()


def as_basic(raw: dict[str, Any]) -> None:
    for entry in raw.get("entry", ()):
        entry["resource"]["resourceType"] = "Basic"


def test_resources_of_a_wrong_type_are_not_taken_and_those_of_the_right_one_are_asked_for_by_id(scene: Scene) -> None:
    scene.proxy.fault(changes(as_basic), method="GET", path="_sort")
    ran = scene.sync()
    assert ran.code == 0
    assert "5 × skip: a Basic among Patient" in ran.out
    assert not list(scene.bridge.repository.scan("Basic"))
    scene.assert_nothing_is_lost_or_doubled()


def test_a_page_that_expired_is_asked_for_again_from_the_start(scene: Scene) -> None:
    gone = scene.proxy.fault(says(410, REFUSED), method="GET", path="_cursor", times=1)
    assert scene.sync().code == 0
    assert gone.struck == 1
    scene.assert_nothing_is_lost_or_doubled()


def test_pages_that_always_expire_are_a_failure_for_now(scene: Scene) -> None:
    scene.proxy.fault(says(410, REFUSED), method="GET", path="_cursor")
    ran = scene.sync()
    assert (ran.code, "a page expired on the remote (410)" in line(ran)) == (3, True)
    scene.assert_nothing_is_lost_or_doubled()


def test_what_changes_while_it_is_read_is_counted_once(scene: Scene) -> None:
    """The one read first is changed before the last page is asked for, and comes again on it."""
    first = scene.born_there[0]

    def changed(exchange: Exchange) -> None:
        now = scene.hospital.read("Patient", first)
        scene.hospital.update({**now.raw, "gender": "other"}, if_match=str(now.version))
        exchange.answer(exchange.forward())

    scene.proxy.fault(changed, method="GET", path="_cursor", times=1)
    assert scene.sync().code == 0
    assert [stored.raw.get("gender") for stored in scene.here() if stored.link("hospital").reference == f"Patient/{first}"] == ["other"]
    scene.assert_nothing_is_lost_or_doubled()
