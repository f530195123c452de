"""What browsers are told with every answer, whichever part of the server gives it."""

from pathlib import Path
from typing import Any

import pytest
import requests

from adapter.fhir.jwks import fetch
from adapter.store.repository import Repository
from server import create_app
from server.auth.gate import Gate
from server.auth.users import User
from tests.server.auth.conftest import browser, issuer, site
from tests.server.auth.site import SECONDS, Browser, Site

from .fhir import Fhir

__all__ = ["browser", "issuer", "site"]

PROXY = {"Host": "fhir.example", "X-Forwarded-For": "192.0.2.1"}
DOORS = (
    *("/fhir/metadata", "/fhir/Patient", "/fhir/Patient/none", "/fhir/.well-known/smart-configuration", "/fhir/none/such/path"),
    *("/api/cases", "/api/openapi.json", "/api/none", "/", "/people", "/none", "/console/console.css", "/health", "/metrics"),
    *("/login", "/oauth/jwks", "/oauth/authorize", "/oauth/token", "/.well-known/openid-configuration", "/apps/p"),
)


def check(headers: Any, *, tls: bool) -> None:
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["Referrer-Policy"] in ("no-referrer", "same-origin")
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert ("Strict-Transport-Security" in headers) is tls
    # Each once: a browser that is told two policies keeps to neither as it is meant.
    names = [name.lower() for name, _ in headers.items()]
    assert len(names) == len(set(names)) or {name for name in names if names.count(name) > 1} <= {"vary", "set-cookie"}


@pytest.mark.parametrize("gated", [False, True])
def test_every_door_tells_what_is_not_to_be_made_of_its_answers(repository: Repository, tmp_path: Path, issuer: Any, gated: bool) -> None:
    gate = Gate(repository, issuer, fetch) if gated else None
    client = create_app(repository, plans=tmp_path, exports=tmp_path, gate=gate, url="https://fhir.example").test_client()
    for door in DOORS:
        for method in ("GET", "POST", "OPTIONS", "HEAD"):
            check(client.open(door, method=method).headers, tls=False)
            check(client.open(door, method=method, headers=PROXY).headers, tls=True)


def test_what_tells_of_a_patient_is_kept_by_no_cache(site: Site, browser: Browser) -> None:
    assert browser.log_in().status_code == 303
    token = site.token("system/*.cruds")
    made = site.send(token, "POST", "fhir/Patient", {"resourceType": "Patient", "name": [{"family": "Kanarifugl"}]})
    id = made.json()["id"]
    told = [made, *(site.get(token, path) for path in (f"Patient/{id}", "Patient", f"Patient/{id}/_history", f"Patient/{id}/$everything"))]
    told += [site.send(token, "PUT", f"fhir/Patient/{id}", made.json()), site.get(token, "Patient/none")]
    told += [browser.get("/people?q=Kanarifugl"), browser.get(f"/records/client/{id}"), browser.get("/login")]
    for answer in told:
        assert answer.headers["Cache-Control"] == "no-store", answer.url


def test_a_sessions_cookie_is_for_this_host_alone_and_for_no_script(repository: Repository, tmp_path: Path, issuer: Any) -> None:
    gate = Gate(repository, issuer, fetch)
    gate.registers.users.add(User("dana", "case-manager"), "a long sentence that dana knows")
    client = create_app(repository, plans=tmp_path, exports=tmp_path, gate=gate, url="https://fhir.example").test_client()
    form = {"name": "dana", "password": "a long sentence that dana knows"}
    for headers, name, secure in (
        ({**PROXY, "Origin": "https://fhir.example"}, "__Host-casebridge=", True),
        ({"Origin": "http://localhost"}, "casebridge=", False),
    ):
        [cookie] = client.post("/login", data=form, headers=headers).headers.getlist("Set-Cookie")
        assert cookie.startswith(name)
        parts = {part.strip().lower() for part in cookie.split(";")[1:]}
        assert {"httponly", "samesite=lax", "path=/"} <= parts
        assert ("secure" in parts) is secure
        assert not any(part.startswith("domain") for part in parts)


def test_a_page_of_an_allowed_origin_may_read_when_to_ask_again(repository: Repository) -> None:
    fhir = Fhir(create_app(repository, origins=["https://app.example"]).test_client())
    answer = fhir.send("GET", "Patient", Origin="https://app.example")
    assert "Retry-After" in answer.headers["Access-Control-Expose-Headers"]
    assert answer.headers["Access-Control-Allow-Origin"] == "https://app.example"


def test_on_a_real_socket_it_is_the_same(site: Site) -> None:
    check(requests.get(f"{site.fhir}/metadata", timeout=SECONDS).headers, tls=False)
