"""Exports over real sockets: streamed, packed, read by our own client, and by who reads slowly."""

import socket
import time
from contextlib import ExitStack, closing
from dataclasses import replace
from threading import Event
from urllib.parse import urlsplit

import pytest
import requests

from adapter.fhir.resource import dumps
from adapter.sync.bridge import Bridge
from adapter.sync.exporting import files
from adapter.sync.exporting.asked import SYSTEM, Asked
from adapter.sync.exporting.exports import Exports
from adapter.sync.exporting.turns import exporting
from adapter.sync.remotes.remote import Remote
from server import create_app, running

from .people import PEOPLE, of

PATIENCE = 60
THREADS = 2


@pytest.fixture
def address(scene):
    """The FHIR endpoint of a server that writes what is asked for beside its requests."""
    app = create_app(scene.repository, exports=scene.root)
    with exporting(scene.repository, scene.root), running(app, threads=THREADS) as url:
        yield f"{url}/fhir"


@pytest.fixture
def stored(scene, make):
    make(*(raw for id in PEOPLE for raw in of(id)))
    return scene


def done(address, path="$export"):
    """The manifest of an export, asked about as often as it says."""
    begun = requests.get(f"{address}/{path}", headers={"Prefer": "respond-async"}, timeout=PATIENCE)
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        answer = requests.get(begun.headers["Content-Location"], timeout=PATIENCE)
        if answer.status_code == 200:
            return answer.json()
        assert answer.status_code == 202, answer.text
        time.sleep(float(answer.headers["Retry-After"]))
    raise TimeoutError


def test_an_export_comes_to_its_end_by_itself(stored, address):
    assert sum(file["count"] for file in done(address)["output"]) == 18


def kept(bridge):
    """All that a side holds, but for the moments at which it was written."""
    found = {}
    for type in bridge.repository.types():
        for stored in bridge.repository.scan(type):
            raw = {name: value for name, value in stored.raw.items() if name != "meta"}
            found[stored.reference] = (dumps(raw), stored.links, stored.born, stored.outbox, stored.deleted)
    return found


def test_another_casebridge_pulls_by_export_what_it_pulls_by_search(stored, address, new_database):
    sides = {"export": Bridge(new_database()), "search": Bridge(new_database())}
    for way, bridge in sides.items():
        bridge.remotes.add(Remote("first", address, first_load=way))
        certificate = bridge.sync("first", push=False, say=lambda _: None)
        assert certificate.clean, certificate.to_json()
        assert sum(row["created"] for _, row, _ in certificate.rows()) == 18
    assert kept(sides["export"]) == kept(sides["search"])
    assert not [*Exports(stored.repository).all()], "what was read to its end is ended here"
    stored.fhir.send("DELETE", "CarePlan/plan-river")
    again = sides["export"].sync("first", push=False, export=True, since="last", say=lambda _: None)
    assert again.clean, again.to_json()
    assert [stored.deleted for stored in sides["export"].repository.scan("CarePlan")].count(True) == 1


@pytest.fixture
def large(scene):
    """A file of 40 MB, of an export that is done."""
    exports = Exports(scene.repository)
    export = exports.take_up(exports.begin(Asked(SYSTEM, "https://x.example/fhir/$export")).id)
    line = '{"resourceType":"Basic","id":"b","language":"' + "x" * 1000 + '"}'
    with files.Written(scene.root, export) as written:
        written.add("output", "Basic", [line] * 40_000)
        exports.finish(replace(export, files=written.whole(())))
    [made] = exports.find(export.id).files
    return f"$export-file/{export.id}/{made.name}", made.bytes


def test_a_file_is_packed_for_who_takes_that_and_whole_for_who_does_not(large, address):
    path, size = large
    for encoding, told in (("gzip", "gzip"), ("identity", None)):
        answer = requests.get(f"{address}/{path}", headers={"Accept-Encoding": encoding}, timeout=PATIENCE)
        assert (answer.headers.get("Content-Encoding"), answer.headers["Content-Type"]) == (told, "application/fhir+ndjson")
        assert len(answer.content) == size
    assert answer.headers["Content-Length"] == str(size)


def test_who_reads_a_file_slowly_keeps_nobody_waiting(large, address):
    """More of them than there are threads for requests, each of them stopped in the midst."""
    path, size = large
    host, port = urlsplit(address).hostname, urlsplit(address).port
    with ExitStack() as stack:
        for _ in range(2 * THREADS):
            reader = stack.enter_context(closing(socket.create_connection((host, port), timeout=PATIENCE)))
            reader.sendall(f"GET /fhir/{path} HTTP/1.1\r\nHost: {host}:{port}\r\nAccept-Encoding: identity\r\n\r\n".encode())
            assert reader.recv(1000).startswith(b"HTTP/1.1 200")
        assert requests.get(f"{address}/metadata", timeout=PATIENCE).status_code == 200
        rest = requests.get(f"{address}/{path}", headers={"Range": f"bytes={size - 5}-", "Accept-Encoding": "identity"}, timeout=PATIENCE)
        assert (rest.status_code, rest.content) == (206, b'xxx"}\n'[-5:])


def test_what_is_ended_makes_room_while_another_is_written(stored, monkeypatch):
    """The first is written for as long as the test says."""
    stored.manifest("$export?_type=Patient")
    [ended] = (exports := Exports(stored.repository)).all()
    begun, stopping = Event(), Event()

    def write(*_):
        begun.set()
        assert stopping.wait(PATIENCE)

    monkeypatch.setattr("adapter.sync.exporting.turns.write_export", write)
    exports.begin(Asked(SYSTEM, "https://x.example/fhir/$export"))
    with exporting(stored.repository, stored.root):
        try:
            assert begun.wait(PATIENCE)
            assert (stored.root / ended.id).is_dir()
            exports.end(ended)
            end = time.monotonic() + PATIENCE
            while (stored.root / ended.id).exists():
                assert time.monotonic() < end
                time.sleep(0.01)
        finally:
            stopping.set()
