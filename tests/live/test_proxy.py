"""nginx as docs/serving.md configures it, before a real server: TLS, the address, the limits, and what its log has."""

import os
import re
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import trustme
from requests.adapters import HTTPAdapter

from adapter.store.repository import Repository
from server import create_app, running

pytestmark = pytest.mark.live

_DOCS = Path(__file__).parents[2] / "docs" / "serving.md"
# Debian keeps it where only root's path leads.
_NGINX = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
SECONDS = 30


class _ByName(HTTPAdapter):
    """Goes to the proxy's port whatever the name in the URL, and asks for that name."""

    def __init__(self, port: int, context: ssl.SSLContext) -> None:
        self._port, self._context = port, context
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, ssl_context=self._context, server_hostname="fhir.example", assert_hostname="fhir.example", **kwargs)

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        request.headers["Host"] = "fhir.example"
        request.url = request.url.replace("https://fhir.example", f"https://127.0.0.1:{self._port}", 1)
        return super().send(request, *args, **kwargs)


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "fhir.log"


@pytest.fixture
def caller(repository: Repository, tmp_path: Path, authority: trustme.CA, log: Path) -> Iterator[requests.Session]:
    """Asks https://fhir.example, which is nginx before the server."""
    if _NGINX is None:
        pytest.skip("there is no nginx")
    [config] = re.findall(r"<!-- proxy -->\n```nginx\n(.*?)```", _DOCS.read_text(), re.DOTALL)
    issued = authority.issue_cert("fhir.example")
    issued.cert_chain_pems[0].write_to_path(tmp_path / "fhir.pem")
    issued.private_key_pem.write_to_path(tmp_path / "fhir.key")
    port = _free_port()
    with running(create_app(repository, url="https://fhir.example"), threads=4) as address:
        for text, own in {
            "/etc/ssl/fhir.example.pem": str(tmp_path / "fhir.pem"),
            "/etc/ssl/fhir.example.key": str(tmp_path / "fhir.key"),
            "/var/log/nginx/fhir.error.log": str(tmp_path / "error.log"),
            "/var/log/nginx/fhir.log": str(log),
            "listen 443 ssl;": f"listen 127.0.0.1:{port} ssl;",
            "http://127.0.0.1:8080": address,
        }.items():
            assert text in config
            config = config.replace(text, own)
        kept = "".join(f"{name}_temp_path {tmp_path}/{name};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        # Started by root it would give up root's rights, and with them this folder.
        user = "user root;\n" if os.geteuid() == 0 else ""
        whole = f"{user}daemon off;\npid {tmp_path}/pid;\nevents {{}}\nhttp {{\n{kept}{config}}}\n"
        (tmp_path / "nginx.conf").write_text(whole)
        command = [_NGINX, "-p", str(tmp_path), "-e", str(tmp_path / "start.log"), "-c", str(tmp_path / "nginx.conf")]
        proxy = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        try:
            _wait_for(port, proxy)
            context = ssl.create_default_context()
            authority.configure_trust(context)
            with requests.Session() as session:
                session.mount("https://", _ByName(port, context))
                session.port = port  # type: ignore[attr-defined]
                yield session
        finally:
            proxy.terminate()
            proxy.communicate(timeout=SECONDS)


def _wait_for(port: int, proxy: subprocess.Popen[str]) -> None:
    while proxy.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=SECONDS).close()
            return
        except OSError:
            time.sleep(0.02)
    pytest.fail(proxy.communicate()[1])


@pytest.fixture
def repository(database: Any) -> Repository:
    return Repository(database)


def test_by_the_proxys_name_links_are_its_own_and_browsers_stay_with_tls(caller: requests.Session) -> None:
    made = caller.post(
        "https://fhir.example/fhir/Patient", json={"resourceType": "Patient", "name": [{"family": "Kanarifugl"}]}, timeout=SECONDS
    )
    assert made.status_code == 201
    assert made.headers["Location"].startswith("https://fhir.example/fhir/Patient/")
    assert made.headers["Strict-Transport-Security"] == "max-age=31536000"
    assert caller.get(made.headers["Location"], timeout=SECONDS).json()["id"] == made.json()["id"]


def test_probes_are_closed_and_long_links_and_bodies_pass(caller: requests.Session) -> None:
    for path in ("health", "ready", "metrics"):
        assert caller.get(f"https://fhir.example/{path}", timeout=SECONDS).status_code == 404
    assert caller.get(f"https://fhir.example/fhir/Patient?_id={'a' * 60},{'b,' * 16_000}c", timeout=SECONDS).status_code == 200
    large = caller.post(
        "https://fhir.example/fhir/Patient", data=b'{"resourceType":"Binary","data":"' + b"A" * 2**21 + b'"}', timeout=SECONDS
    )
    assert large.json()["issue"][0]["expression"] == ["resourceType"]


def test_its_log_has_no_query(caller: requests.Session, log: Path) -> None:
    assert caller.get("https://fhir.example/fhir/Patient?name=Kanarifugl", timeout=SECONDS).status_code == 200
    assert caller.get("https://fhir.example/fhir/Nothing?name=Kanarifugl", timeout=SECONDS).status_code == 404
    lines = log.read_text()
    assert "/fhir/Patient 200" in lines
    assert "Kanarifugl" not in lines


def test_old_tls_is_refused(caller: requests.Session, authority: trustme.CA) -> None:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    context.set_ciphers("AES128-SHA:@SECLEVEL=0")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with (
        socket.create_connection(("127.0.0.1", caller.port), timeout=SECONDS) as plain,  # type: ignore[attr-defined]
        pytest.raises(ssl.SSLError),
    ):
        context.wrap_socket(plain, server_hostname="fhir.example").close()
