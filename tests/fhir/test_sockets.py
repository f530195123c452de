"""Faults below HTTP, made by a real socket: what a mock of requests cannot show."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from adapter.errors import RemoteTemporary
from adapter.fhir.client import FhirClient

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/fhir+json\r\n"
HALF = b'{"resourceType": "Patient", "id": "1", "name": [{"family": "Kana'

Serve = Callable[..., FhirClient]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Makes a loopback server that answers each request with these bytes and hangs up, or hangs on."""
    ended = threading.Event()
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        clients: list[FhirClient] = []
        threads: list[threading.Thread] = []

        def answer(text: bytes, hang: bool) -> None:
            while not ended.is_set():
                connection, _ = server.accept()
                with connection:
                    connection.recv(65536)
                    connection.sendall(text)
                    if hang:
                        ended.wait(0.5)

        def start(text: bytes, *, hang: bool = False) -> FhirClient:
            threads.append(threading.Thread(target=answer, args=(text, hang), daemon=True))
            threads[0].start()
            host, port = server.getsockname()
            clients.append(FhirClient(f"http://{host}:{port}/fhir", timeout=(2, 0.2), sleep=lambda seconds: None))
            return clients[0]

        yield start
        ended.set()
        clients[0].close()
        with closing(socket.create_connection(server.getsockname())) as last:
            last.sendall(b"end")
            threads[0].join(5)
        assert not threads[0].is_alive()


@pytest.mark.parametrize(
    "framing",
    [
        b"Content-Length: 5000\r\n\r\n" + HALF,
        b"Transfer-Encoding: chunked\r\n\r\n1388\r\n" + HALF,
        b"Connection: close\r\n\r\n" + HALF,
    ],
    ids=["length", "chunks", "close"],
)
def test_a_body_cut_off_is_temporary_however_it_was_framed(serve: Serve, framing: bytes) -> None:
    with pytest.raises(RemoteTemporary, match="cut off") as caught:
        serve(HEAD + framing).read("Patient", "1")
    assert "Kana" not in caught.value.text


@pytest.mark.parametrize(
    "text", [b"", HEAD, HEAD + b"Content-Length: 5000\r\n\r\n" + HALF], ids=["at once", "in its headers", "in its body"]
)
def test_a_server_that_falls_silent_is_temporary(serve: Serve, text: bytes) -> None:
    with pytest.raises(RemoteTemporary, match="did not answer in time"):
        serve(text, hang=True).read("Patient", "1")


def test_a_server_that_stops_in_the_midst_of_a_line_is_temporary(serve: Serve) -> None:
    with pytest.raises(RemoteTemporary):
        serve(b"HTTP/1.1 2").read("Patient", "1")


def test_a_port_where_nobody_listens_is_temporary() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        host, port = server.getsockname()
    client = FhirClient(f"http://{host}:{port}/fhir", sleep=lambda seconds: None)
    with client, pytest.raises(RemoteTemporary, match="cannot be reached"):
        client.capability()
