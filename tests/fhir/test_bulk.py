"""Exports over the wire: what is asked, what is understood, and files that are read to their end whatever happens on the way."""

import gzip
import json
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from requests.auth import HTTPBasicAuth

from adapter.errors import RemoteFatal, RemoteGone, RemoteTemporary, RemoteUnauthorised
from adapter.fhir.bulk import Bulk, File, Manifest, Running, manifest
from adapter.fhir.exchange import Exchange
from adapter.fhir.ndjson import Line, Place
from adapter.fhir.retry import RetryPolicy
from tests.sync.bulk_server import BulkServer, Made, ndjson
from tests.sync.faulty import Proxy, drops, says

NOWHERE = "http://127.0.0.1:9/fhir"


def patients(count: int) -> list[dict[str, Any]]:
    return [{"resourceType": "Patient", "id": f"p{number}", "name": [{"family": "Kanarifugl"}]} for number in range(count)]


TEN = ndjson(patients(10))
END = [f"p{number}" for number in range(10)]


@pytest.fixture
def server() -> Iterator[BulkServer]:
    with BulkServer(Proxy(NOWHERE)) as made:
        made.files = [Made("Patient", TEN)]
        yield made


def bulk(base_url: str, **settings: Any) -> Bulk:
    exchange = Exchange(
        auth=HTTPBasicAuth("casebridge", "secret"),
        timeout=(2, 2),
        retry=RetryPolicy(attempts=3, base=0.001),
        sleep=lambda _: None,
        session=requests.Session(),
    )
    return Bulk(base_url, exchange, **settings)


@pytest.fixture
def client(server: BulkServer) -> Bulk:
    return bulk(server.url)


def done(client: Bulk, url: str) -> Manifest:
    found = client.status(url)
    assert isinstance(found, Manifest)
    return found


def begun(client: Bulk) -> File:
    """The one file of an export that is done."""
    return done(client, client.begin("", {})).output[0]


def ids(lines: list[Line]) -> list[str | None]:
    return [line.raw["id"] if line.raw else None for line in lines]


def read(client: Bulk, file: File, place: Place | None = None, *, token: bool = True) -> list[Line]:
    return list(client.lines(file, place or Place(), token=token))


def test_an_export_is_asked_for_with_its_level_and_parameters(server: BulkServer, client: Bulk) -> None:
    url = client.begin("Group/g1", {"_type": "Patient,Goal", "_typeFilter": ["Goal?status=a", "Patient?active=true"]})
    assert url == f"{server.url}/export-status/0"
    assert server.levels == ["Group/g1/"]
    [asked] = server.begun
    assert asked == {
        "_outputFormat": ["application/fhir+ndjson"],
        "_type": ["Patient,Goal"],
        "_typeFilter": ["Goal?status=a", "Patient?active=true"],
    }


def test_a_server_that_answers_a_kick_off_at_once_does_not_export(server: BulkServer, client: Bulk) -> None:
    server.fault(says(200, b'{"resourceType": "Bundle"}'), path="$export")
    with pytest.raises(RemoteFatal, match="does not export"):
        client.begin("", {})


def test_an_export_that_runs_says_how_far_it_is_and_when_to_look_again(server: BulkServer, client: Bulk) -> None:
    url = client.begin("", {})
    server.fault(says(202, b"", X_Progress="[half]\tdone", Retry_After="120"), path="export-status", times=1)
    assert client.status(url) == Running("halfdone", 120.0)
    assert client.status(url) == manifest(done(client, url).raw)


@pytest.mark.parametrize("status", [429, 503])
def test_a_server_that_asks_for_rest_is_an_export_that_runs(server: BulkServer, client: Bulk, status: int) -> None:
    url = client.begin("", {})
    server.fault(says(status, Retry_After="7"), path="export-status")
    assert client.status(url) == Running("", 7.0, rest=True)


@pytest.mark.parametrize(("status", "error"), [(404, RemoteGone), (410, RemoteGone), (500, RemoteGone), (502, RemoteTemporary)])
def test_an_export_that_is_lost_or_failed_is_gone_and_a_bad_moment_is_not(
    server: BulkServer, client: Bulk, status: int, error: Any
) -> None:
    url = client.begin("", {})
    server.fault(says(status), path="export-status")
    with pytest.raises(error):
        client.status(url)


NONE = {
    "it is no manifest": {"resourceType": "OperationOutcome"},
    "its time is none": {"transactionTime": "yesterday"},
    "a file has no address": {"output": [{"type": "Patient"}]},
    "a file's type is none": {"output": [{"type": "../x", "url": "u"}]},
    "it is in parts": {"link": [{"relation": "next", "url": "u"}]},
}


@pytest.mark.parametrize("broken", NONE.values(), ids=NONE.keys())
def test_a_manifest_that_cannot_be_read_is_refused(broken: dict[str, Any]) -> None:
    whole = {"transactionTime": "2025-04-22T13:00:00Z", "output": []}
    assert manifest(whole).output == ()
    with pytest.raises(RemoteFatal, match="manifest"):
        manifest(broken if "resourceType" in broken else whole | broken)


def test_a_file_is_read_line_by_line(client: Bulk) -> None:
    lines = read(client, begun(client))
    assert ids(lines) == END
    assert [line.place.lines for line in lines] == list(range(1, 11))
    assert lines[-1].place.bytes == len(TEN)


@pytest.mark.parametrize("packed", ["transfer", "file"])
def test_a_packed_file_is_unpacked(server: BulkServer, client: Bulk, packed: str) -> None:
    server.packed = packed
    lines = read(client, begun(client))
    assert ids(lines) == END
    assert {line.place.packed for line in lines} == {packed == "file"}
    assert server.reads[0][2] < len(TEN)


def test_a_file_packed_in_several_parts_and_once_more_for_its_transfer_is_unpacked(server: BulkServer, client: Bulk) -> None:
    half = len(TEN) // 2
    server.files, server.packed = [Made("Patient", gzip.compress(TEN[:half]) + gzip.compress(TEN[half:]))], "transfer"
    assert ids(read(client, begun(client))) == END


def test_blank_lines_do_not_count_and_a_last_line_needs_no_end(server: BulkServer, client: Bulk) -> None:
    server.files = [Made("Patient", b"\xef\xbb\xbf" + TEN.replace(b"\n", b"\r\n\r\n").rstrip())]
    lines = read(client, begun(client))
    assert ids(lines) == END
    assert ids(read(client, begun(client), lines[4].place)) == END[5:]


def test_a_bad_line_is_named_and_the_others_are_read(server: BulkServer, client: Bulk) -> None:
    first, second = patients(2)
    texts: list[Any] = [
        first,
        '{"resourceType": "Patient", "id": Kanarifugl}',
        "[1]",
        json.dumps({**first, "text": "Kanarifugl" * 40}),
        second,
    ]
    server.files = [Made("Patient", ndjson(texts) + b'{"resourceType": "Pati')]
    lines = read(bulk(server.url, limit=300), begun(client))
    assert ids(lines) == ["p0", None, None, None, "p1", None]
    assert [line.fault for line in lines if line.fault] == [
        *["a line is not a resource"] * 2,
        "a line is over the limit",
        "a line is not a resource",
    ]
    assert lines[-1].place.bytes == len(server.files[0].text)


@pytest.mark.parametrize("packed", ["", "transfer", "file"])
@pytest.mark.parametrize("ranges", [True, False])
@pytest.mark.parametrize("at", range(10))
def test_reading_goes_on_behind_any_place(server: BulkServer, client: Bulk, at: int, ranges: bool, packed: str) -> None:
    server.ranges, server.packed = ranges, packed
    file = begun(client)
    place = read(client, file)[at].place
    server.reads.clear()
    lines = read(client, file, place)
    assert ids(lines) == END[at + 1 :]
    assert [line.place.lines for line in lines] == list(range(at + 2, 11))
    if ranges and at and packed != "file":
        [(_, asked, size, _)] = server.reads
        assert (asked, size) == (f"bytes={place.bytes - place.length}-", len(TEN) - place.bytes + place.length)


@pytest.mark.parametrize("packed", ["", "transfer", "file"])
@pytest.mark.parametrize("ranges", [True, False])
def test_a_file_that_is_cut_off_is_read_on_from_where_it_broke(server: BulkServer, client: Bulk, ranges: bool, packed: str) -> None:
    server.ranges, server.packed = ranges, packed
    file = begun(client)
    cut = server.fault(server.cuts(len(TEN) // 2 if not packed else 60), path="export-files", times=2)
    assert ids(read(client, file)) == END
    assert cut.struck == 2


def test_a_file_that_ends_too_soon_without_having_promised_a_length_is_read_on(server: BulkServer, client: Bulk) -> None:
    file = begun(client)
    server.fault(server.fades(len(TEN) // 2 + 9), path="export-files", times=1)
    assert ids(read(client, file)) == END


def test_a_file_that_always_breaks_is_a_failure_for_now_and_what_was_read_is_kept(server: BulkServer, client: Bulk) -> None:
    server.ranges = False
    file = begun(client)
    server.fault(server.cuts(len(TEN) // 2), path="export-files")
    lines = client.lines(file, Place(), token=True)
    got = [next(lines) for _ in range(4)]
    with pytest.raises(RemoteTemporary, match="cut off"):
        got.extend(lines)
    assert 0 < len(got) < 10


def test_a_server_that_closes_the_connection_is_asked_again(server: BulkServer, client: Bulk) -> None:
    file = begun(client)
    server.fault(drops, path="export-files", times=2)
    assert ids(read(client, file)) == END


CHANGED = {
    "another line": ndjson([*patients(4), {"resourceType": "Patient", "id": "Q4", "name": [{"family": "Kanarifugl"}]}, *patients(10)[5:]]),
    "a shorter file": ndjson(patients(3)),
    "an empty file": b"",
}


@pytest.mark.parametrize("ranges", [True, False])
@pytest.mark.parametrize("text", CHANGED.values(), ids=CHANGED.keys())
def test_a_file_that_is_another_now_is_gone(server: BulkServer, client: Bulk, text: bytes, ranges: bool) -> None:
    server.ranges = ranges
    file = begun(client)
    place = read(client, file)[4].place
    server.exports["0"] = [Made("Patient", text)]
    with pytest.raises(RemoteGone):
        read(client, file, place)


def test_a_file_that_is_no_longer_there_is_gone(server: BulkServer, client: Bulk) -> None:
    file = begun(client)
    server.expire()
    with pytest.raises(RemoteGone):
        read(client, file)


def test_our_credentials_go_where_the_manifest_asks_for_them_and_nowhere_else(server: BulkServer, client: Bulk) -> None:
    file = begun(client)
    assert [line.raw for line in read(client, file)] == [line.raw for line in read(client, file, token=False)]
    assert [bool(credentials) for *_, credentials in server.reads] == [True, False]


def test_another_host_gets_our_credentials_only_where_its_user_says_so(server: BulkServer) -> None:
    with BulkServer(Proxy(NOWHERE), files=server.files) as elsewhere:
        elsewhere.exports["0"] = server.files
        server.host = elsewhere.url
        name = elsewhere.url.split("/")[2]
        file = begun(bulk(server.url))
        with pytest.raises(RemoteFatal, match="export_hosts"):
            read(bulk(server.url), file)
        assert elsewhere.reads == []
        assert ids(read(bulk(server.url), file, token=False)) == END
        assert ids(read(bulk(server.url, hosts=[name]), file)) == END
        assert [bool(credentials) for *_, credentials in elsewhere.reads] == [False, True]


def test_a_status_on_another_host_is_not_asked_for_with_our_credentials(client: Bulk) -> None:
    with pytest.raises(RemoteFatal, match="export_hosts"):
        client.status("http://127.0.0.2:9/export-status/0")


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/files/0", "file:///etc/hostname"])
def test_an_export_leads_to_no_address_without_encryption(url: str) -> None:
    with pytest.raises(RemoteFatal, match="without encryption"):
        read(bulk("https://127.0.0.1:9/fhir"), File("Patient", url, None), token=False)


def test_a_link_that_is_a_permission_by_itself_can_lapse(server: BulkServer, client: Bulk) -> None:
    file = begun(client)
    server.fault(says(403), path="export-files")
    with pytest.raises(RemoteGone):
        read(client, file, token=False)
    with pytest.raises(RemoteUnauthorised):
        read(client, file)


def test_a_web_page_is_no_file(server: BulkServer, client: Bulk) -> None:
    file = begun(client)
    server.fault(says(200, b"<html>Kanarifugl</html>", "text/html"), path="export-files")
    with pytest.raises(RemoteFatal, match="web page"):
        read(client, file)


def test_a_line_of_any_length_is_passed_over_in_bounded_memory(server: BulkServer) -> None:
    """100 MB that a small packed file holds: a line of nearly all of it, and ten that can be read."""
    long = b'{"resourceType": "Patient", "id": "' + b"7" * 100_000_000 + b'"}\n'
    server.files, server.packed = [Made("Patient", gzip.compress(long + TEN, 1))], "transfer"
    client = bulk(server.url, limit=1_000_000)
    file = begun(client)
    tracemalloc.start()
    try:
        assert ids(read(client, file)) == [None, *END]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 20_000_000


def test_an_export_is_ended_at_the_remote_and_that_it_does_not_listen_is_no_failure(server: BulkServer, client: Bulk) -> None:
    url = client.begin("", {})
    client.cancel(url)
    client.cancel(url)
    assert server.cancelled == ["0", "0"]
