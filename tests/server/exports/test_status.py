"""How far an export is, what it came to, who is told, and how it ends. http://hl7.org/fhir/uv/bulkdata/STU2/export.html#bulk-data-status-request"""

import itertools
import re
import stat
from dataclasses import replace
from datetime import timedelta
from email.utils import parsedate_to_datetime

import pytest

from adapter.store.repository import Repository
from adapter.store.state import State
from adapter.sync.exporting import files
from adapter.sync.exporting.exports import LIFE, Exports
from adapter.sync.exporting.turns import task
from adapter.sync.workers import jobs
from server import create_app
from server.fhir.messages import Request
from server.fhir.routes import endpoint

from ..fhir import Fhir, assert_outcome
from .conftest import below
from .people import PEOPLE, group, member, of


@pytest.fixture
def stored(scene, make):
    make(*(raw for id in PEOPLE for raw in of(id)))
    return scene


def write_pieces(scene, number):
    """Write so many pieces of what is asked for, as a process that is asked to end then."""
    looks = itertools.count()
    [(id, _)] = State(scene.repository.database).all("jobs")
    own = Repository(scene.repository.database, scene.repository.clock)
    jobs.perform(task(scene.root), own, id, ending=lambda: next(looks) >= number)


def test_what_waits_says_so_and_what_is_done_tells_its_files(stored):
    begun = stored.kick_off("$export?_type=Patient")
    assert begun.data == b""
    waiting = stored.status(begun)
    assert (waiting.status_code, waiting.headers["X-Progress"], waiting.headers["Retry-After"]) == (202, "waiting to begin", "1")
    stored.write()
    done = stored.status(begun)
    assert (done.status_code, done.content_type) == (200, "application/json")
    told = done.json
    [file] = told.pop("output")
    assert (file.keys(), file["type"], file["count"]) == ({"type", "url", "count"}, "Patient", 3)
    time = told.pop("transactionTime")
    assert time.endswith("Z")
    assert told == {"request": "http://localhost/fhir/$export?_type=Patient", "requiresAccessToken": False, "deleted": [], "error": []}
    remaining = parsedate_to_datetime(done.headers["Expires"]) - stored.repository.clock()
    assert timedelta(hours=23) < remaining <= LIFE


@pytest.mark.parametrize("turns", [False, True])
def test_an_export_of_parts_holds_what_these_refer_to_in_one_turn_or_in_many(stored, turns):
    begun = stored.kick_off("Patient/$export?_elements=Patient.generalPractitioner")
    exports = Exports(stored.repository)
    [export] = exports.all()
    for _ in range(30 * turns):
        write_pieces(stored, 2)
    assert bool(exports.find(export.id).finished) is turns
    stored.write()
    told = {file["type"]: file["count"] for file in stored.status(begun).json["output"]}
    roles = dict.fromkeys(("CarePlan", "Observation", "Patient", "PractitionerRole", "Provenance"), 3)
    assert told == roles, "who practises is left out of the roles, so no Practitioner is referred to"


def test_progress_is_work_done_of_work_counted(stored, monkeypatch):
    monkeypatch.setattr("adapter.sync.exporting.write._NAMED", 2)
    begun, told = stored.kick_off(), []
    for number in range(1, 4):
        write_pieces(stored, number)
        app = create_app(stored.repository, exports=stored.root)
        told.append(Fhir(app.test_client()).send("GET", below(begun.headers["Content-Location"])).headers["X-Progress"])
    counts = [tuple(map(int, re.findall(r"\d+", each))) for each in told]
    assert counts == [(100 * done // 18, done, 18) for _, done, _ in counts]
    assert [done for _, done, _ in counts] == sorted({done for _, done, _ in counts})
    assert counts[-1][1] < 18
    stored.write()
    assert sum(file["count"] for file in stored.status(begun).json["output"]) == 18


def test_who_asks_again_sooner_than_told_is_told_to_wait(stored):
    begun = stored.kick_off()
    assert stored.status(begun).status_code == 202
    soon = stored.status(begun)
    assert_outcome(soon, 429, "throttled")
    assert int(soon.headers["Retry-After"]) >= 1
    stored.write()
    assert stored.status(begun).status_code == 200


def test_of_one_asker_only_some_exports_are_under_way_at_once(stored):
    begun = [stored.kick_off() for _ in range(10)]
    refused = stored.kick_off()
    assert_outcome(refused, 429, "throttled")
    assert refused.headers["Retry-After"] == "60"
    stored.fhir.send("DELETE", below(begun[0].headers["Content-Location"]))
    assert stored.kick_off().status_code == 202


def test_of_one_asker_only_some_exports_are_kept(stored, monkeypatch):
    monkeypatch.setattr("server.fhir.operations.export.KEPT", 2)
    begun = [stored.kick_off("$export?_type=Patient") for _ in range(2)]
    stored.write()
    assert "DELETE" in assert_outcome(stored.kick_off(), 429, "throttled")["diagnostics"]
    stored.fhir.send("DELETE", below(begun[0].headers["Content-Location"]))
    assert stored.kick_off().status_code == 202


def test_an_export_that_is_ended_is_gone_with_its_files(stored):
    begun = stored.kick_off()
    stored.write()
    told = stored.status(begun).json
    address = below(begun.headers["Content-Location"])
    assert stored.fhir.send("DELETE", address).status_code == 202
    for answer in (stored.fhir.send("GET", address), stored.fhir.send("DELETE", address)):
        assert_outcome(answer, 404, "not-found")
    assert_outcome(stored.fhir.send("GET", below(told["output"][0]["url"])), 404, "not-found")
    files.sweep(stored.root, (export.id for export in Exports(stored.repository).all()))
    assert not [*stored.root.iterdir()]


def test_an_export_that_is_ended_while_it_is_written_writes_nothing_more(stored, piecemeal):
    begun = stored.kick_off()
    places = piecemeal(8, lambda: stored.fhir.send("DELETE", below(begun.headers["Content-Location"])))
    stored.write()
    assert len(places) == 8
    assert not [*State(stored.repository.database).all("jobs")]
    assert_outcome(stored.status(begun), 404, "not-found")


def test_an_export_can_be_read_for_a_day(stored):
    begun = stored.kick_off()
    stored.write()
    clock = stored.repository.clock
    stored.repository.clock = lambda: clock() + LIFE - timedelta(minutes=1)
    assert stored.status(begun).status_code == 200
    stored.repository.clock = lambda: clock() + LIFE
    assert_outcome(stored.status(begun), 404, "not-found")
    Exports(stored.repository).sweep()
    assert not [*Exports(stored.repository).all()]


def test_an_export_that_cannot_be_done_says_so(stored, make):
    make({"resourceType": "Group", "id": "g", "type": "person", "actual": True})
    begun = stored.kick_off("Group/g/$export")
    stored.fhir.send("DELETE", "Group/g")
    stored.write()
    issue = assert_outcome(stored.status(begun), 500, "exception")
    assert "was deleted" in issue["diagnostics"]


@pytest.mark.parametrize("left", ["waiting", "failed"])
def test_an_export_that_is_done_stays_done_where_its_job_was_not_known_to_be(stored, make, left):
    """Its writer was killed just before it said so, and then the Group was deleted."""
    make(group(member("river")))
    begun = stored.kick_off("Group/g/$export?_kind=x", Prefer="respond-async, handling=lenient")
    state, [export] = State(stored.repository.database), Exports(stored.repository).all()
    job = state.get("jobs", export.job)
    stored.write()
    done = stored.status(begun).json
    stored.fhir.send("DELETE", "Group/g")
    state.put("jobs", export.job, {**job, "status": left, "error": "killed"})
    stored.write()
    assert state.get("jobs", export.job)["status"] == ("failed" if left == "failed" else "done")
    assert stored.status(begun).json == done
    assert [len(stored.lines(file)) for file in (*done["output"], *done["error"])] == [1] * 7


@pytest.mark.parametrize("harm", [lambda path: path.unlink(), lambda path: path.write_bytes(path.read_bytes()[:-1])], ids=["none", "cut"])
def test_a_file_that_is_not_here_in_full_is_not_told_in_part(stored, harm):
    [file] = stored.manifest("$export?_type=Patient")["output"]
    [path] = stored.root.rglob("*.ndjson")
    harm(path)
    for headers in ({}, {"Range": "bytes=0-9"}):
        assert_outcome(stored.fhir.send("GET", below(file["url"]), **headers), 404, "not-found")


def test_an_asker_is_told_nothing_of_the_exports_of_another(stored):
    answer = endpoint(stored.repository, stored.root)

    def ask(asker, method, path):
        return answer(Request(method, path, "http://localhost/fhir", headers={"prefer": "respond-async"}, asker=asker))

    status = ask("payer-a", "GET", "$export").location
    stored.write()
    told = ask("payer-a", "GET", status)
    assert '"requiresAccessToken":true' in told.text
    file = re.search(r"\$export-file/[^\"]+", told.text)[0]
    for asker in ("payer-b", None):
        for method, path in (("GET", status), ("DELETE", status), ("GET", file)):
            with pytest.raises(Exception, match="no such export") as raised:
                ask(asker, method, path)
            assert raised.value.status == 404
    assert ask("payer-a", "GET", file).status == 200


def test_only_this_user_can_read_the_files(stored):
    stored.manifest()
    modes = {stat.S_IMODE(path.stat().st_mode) for path in [stored.root, *stored.root.rglob("*")] if path.is_dir()}
    assert modes == {0o700}
    assert {stat.S_IMODE(path.stat().st_mode) for path in stored.root.rglob("*.ndjson")} == {0o600}


def test_two_who_write_the_same_export_never_write_one_file(stored):
    begun = stored.kick_off("$export?_type=Patient")
    exports = Exports(stored.repository)
    [export] = exports.all()
    first = exports.take_up(export.id)
    with files.Written(stored.root, first) as written:
        written.add("output", "Patient", ['{"resourceType":"Patient","id":"river"}'])
        kept = exports.put(first, replace(first, files=written.whole(())))
        stored.write()
        written.add("output", "Patient", ["what comes too late"])
        with pytest.raises(Exception, match="taken over"):
            exports.put(kept, replace(kept, files=written.whole(kept.files)))
    several = [raw for file in stored.status(begun).json["output"] for raw in stored.lines(file)]
    assert sorted(raw["id"] for raw in several) == sorted(PEOPLE)


RANGES = {
    "bytes=0-9": (206, 0, 10),
    "bytes=10-": (206, 10, None),
    "bytes=-7": (206, -7, None),
    "bytes=5-999999": (206, 5, None),
    "bytes=-999999": (206, 0, None),
    "bytes=9-5": (200, 0, None),
    "bytes=0-1,5-6": (200, 0, None),
    "lines=0-1": (200, 0, None),
}


@pytest.mark.parametrize("asked", RANGES)
def test_a_part_of_a_file_can_be_read(stored, asked):
    [file] = stored.manifest("$export?_type=Patient")["output"]
    whole = stored.fhir.send("GET", below(file["url"])).data
    status, start, end = RANGES[asked]
    answer = stored.fhir.send("GET", below(file["url"]), Range=asked)
    part = whole[start:end]
    assert (answer.status_code, answer.data) == (status, part)
    assert answer.headers["Content-Length"] == str(len(part))
    first = start % len(whole)
    assert answer.headers.get("Content-Range") == (f"bytes {first}-{first + len(part) - 1}/{len(whole)}" if status == 206 else None)


def test_a_part_behind_the_end_of_a_file_is_none(stored):
    [file] = stored.manifest("$export?_type=Patient")["output"]
    size = len(stored.fhir.send("GET", below(file["url"])).data)
    answer = stored.fhir.send("GET", below(file["url"]), Range=f"bytes={size}-")
    assert (answer.status_code, answer.headers["Content-Range"]) == (416, f"bytes */{size}")
    assert stored.fhir.send("GET", below(file["url"]), Range="bytes=0-1", If_Range='"x"').status_code == 200


@pytest.mark.parametrize("name", ["none.ndjson", "..%2f..%2fpasswd", ".."])
def test_a_file_is_found_by_its_name_alone(stored, name):
    [file] = stored.manifest("$export?_type=Patient")["output"]
    assert stored.fhir.send("GET", f"{below(file['url']).rpartition('/')[0]}/{name}").status_code == 404


@pytest.mark.parametrize("kind", ["batch", "transaction"])
def test_a_file_is_not_answered_in_a_bundle(stored, kind):
    [file] = stored.manifest("$export?_type=Patient")["output"]
    asked = {"request": {"method": "GET", "url": below(file["url"])}}
    [entry] = stored.fhir.send("POST", "", {"resourceType": "Bundle", "type": kind, "entry": [asked]}).json["entry"]
    assert entry["response"]["status"] == "400 Bad Request"


def test_the_head_of_a_file_tells_its_size(stored):
    [file] = stored.manifest("$export?_type=Patient")["output"]
    head, whole = (stored.fhir.send(method, below(file["url"])) for method in ("HEAD", "GET"))
    assert (head.data, head.headers["Content-Length"]) == (b"", str(len(whole.data)))
