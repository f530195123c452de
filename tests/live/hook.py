"""A place on loopback for a server's rest-hook notifications."""

import queue
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self


class Hook(ThreadingHTTPServer):
    """Listens while the context is open. `url` is its address; `seen` gives (method, path) of each request."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Note)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.seen: queue.Queue[tuple[str, str]] = queue.Queue()

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}).start()
        return self

    def __exit__(self, *problem: object) -> None:
        self.shutdown()
        self.server_close()


class _Note(BaseHTTPRequestHandler):
    server: Hook

    def _note(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.seen.put((self.command, self.path))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_POST = do_PUT = _note

    def log_message(self, format: str, *facts: object) -> None:
        """Nothing: the address of a request would be noise in the tests' output."""
