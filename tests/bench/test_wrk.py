import json
import shutil
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.bench.figures import Broken
from tests.bench.wrk import CONNECTIONS, Ask, measure

pytestmark = pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not here. On Debian: apt-get install wrk")

BODY = json.dumps({"note": 'Kanarifugl "quoted" \\ back\nnext, søster'}, ensure_ascii=False)
ASKS = [Ask("Patient?name=a%20b"), Ask("Patient", "POST", BODY), Ask("Patient/1")]


class Recorder(BaseHTTPRequestHandler):
    """Answers 404 for what is named `gone`, else 200, and keeps what was asked."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        self.server.asked.append((self.command, self.path, body, self.headers["Cache-Control"]))
        self.send_response(404 if "gone" in self.path else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_POST = do_GET

    def log_message(self, format, *arguments):
        pass


@pytest.fixture
def recorder():
    with ThreadingHTTPServer(("127.0.0.1", 0), Recorder) as server:
        server.asked = []
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server, f"http://127.0.0.1:{server.server_port}/fhir"
        finally:
            server.shutdown()
            thread.join()


def test_every_request_is_asked_again_and_again_as_it_is_written(recorder):
    server, url = recorder
    rate = measure(url, ASKS, 1)
    assert rate.fault is None
    assert rate.per_second > 0
    assert rate.p95 > 0
    expected = {(ask.method, f"/fhir/{ask.path}", ask.body or "", "no-cache") for ask in ASKS}
    assert set(server.asked) == expected
    counts = [server.asked.count(each) for each in expected]
    assert max(counts) - min(counts) <= CONNECTIONS


def test_an_answer_that_is_no_success_makes_the_figure_invalid(recorder):
    _, url = recorder
    rate = measure(url, [*ASKS, Ask("gone")], 1)
    assert rate.refused > 0
    assert "refused" in rate.fault


def test_a_server_that_is_not_there_is_no_figure():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        with pytest.raises(Broken, match="unable to connect"):
            measure(f"http://127.0.0.1:{taken.getsockname()[1]}/fhir", ASKS, 1)
