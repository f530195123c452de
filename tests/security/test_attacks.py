"""The attacks of attacks.json, each a test: what they try, with what, and what they must not get."""

import base64
import hmac
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from joserfc import jwt
from joserfc.jwk import RSAKey

from adapter.clock import utc_now
from server.auth.clients import Client
from server.auth.principal import Principal
from tests.server.auth.site import CALLBACK, SECONDS, App, Browser, Site, keys, query

ATTACKS = json.loads(Path(__file__).with_name("attacks.json").read_text())


def attacks(*names: str) -> Any:
    rows = [row for name in names for row in ATTACKS[name]]
    return pytest.mark.parametrize("row", rows, ids=[row["attack"] for row in rows])


def granted() -> Iterator[Any]:
    for name, group in ATTACKS.items():
        for row in group["rows"] if isinstance(group, dict) else ():
            yield pytest.param(group, row, id=f"{name}: {row['attack']}")


def unsigned(text: str, part: int, value: Any) -> str:
    parts = text.split(".")
    parts[part] = base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=") if value is not None else ""
    return ".".join(parts)


def forged(site: Site, row: dict[str, Any], folder: Path) -> str:
    """The assertion of an attack."""
    words = {"{fhir}": site.fhir, "{token}/more": f"{site.token_url}/more", "{long}": "x" * 300}
    now = int(utc_now().timestamp())
    claims = site.claims(
        **{
            name: now + value["seconds"]
            if isinstance(value, dict) and "seconds" in value
            else words.get(value, value)
            if isinstance(value, str)
            else value
            for name, value in row.get("claims", {}).items()
        }
    )
    header, sign = row.get("header", {}), row.get("sign")
    stranger = keys(folder / "stranger").all()[-1]
    if "text" in row:
        return str(row["text"])
    if sign == "none":
        return unsigned(unsigned(site.signed(claims), 0, {"alg": "none", "kid": site.key.kid}), 2, None)
    if sign == "cut":
        return unsigned(site.signed(claims), 2, None)
    if sign == "public-key-as-secret":
        # By hand: the library refuses to make such a one.
        text = unsigned(site.signed(claims), 0, {"alg": "HS256", "kid": site.key.kid}).rpartition(".")[0]
        digest = hmac.digest(site.key.key.as_pem(private=False), text.encode(), "sha256")
        return f"{text}.{base64.urlsafe_b64encode(digest).decode().rstrip('=')}"
    if sign == "RS256":
        return jwt.encode({"alg": "RS256", "kid": site.key.kid}, claims, RSAKey.generate_key(2048), algorithms=["RS256"])
    if sign == "own-key-in-header":
        return site.signed(claims, stranger, kid=site.key.kid, jwk=stranger.public())
    if sign == "other-client":
        made = keys(folder / "south")
        site.service("south", made)
        return site.signed(claims, made.all()[-1])
    return site.signed(claims, stranger if sign == "stranger" else None, **({"kid": site.key.kid} if sign == "stranger" else {}), **header)


@attacks("assertion")
def test_a_forged_proof_gives_no_token(site: Site, tmp_path: Path, row: dict[str, Any]) -> None:
    text = forged(site, row, tmp_path)
    if row.get("twice"):
        assert site.ask(text).status_code == 200
    answer = site.ask(text, **row.get("form", {}))
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client")
    assert "access_token" not in answer.text


@attacks("token")
def test_a_request_that_is_not_in_order_gives_no_token(site: Site, row: dict[str, Any]) -> None:
    answer = (
        site.ask(**row["form"])
        if "client_assertion" not in row["form"]
        else requests.post(site.token_url, {"grant_type": "client_credentials", "scope": "system/*.rs", **row["form"]}, timeout=SECONDS)
    )
    assert (answer.status_code, answer.json()["error"]) == (400, row["error"])


@attacks("authorize")
def test_an_app_that_asks_otherwise_than_it_may_gets_no_code(app: App, dana: Browser, row: dict[str, Any]) -> None:
    answer = dana.get(app.path(**row["ask"]))
    if row.get("stays"):
        assert (answer.status_code, "Location" in answer.headers) == (400, False)
        return
    assert answer.headers["Location"].startswith(CALLBACK)
    assert query(answer)["error"] == row["error"]
    assert "code" not in query(answer)


@attacks("exchange")
def test_a_code_is_for_who_asked_for_it_and_once(site: Site, app: App, dana: Browser, row: dict[str, Any]) -> None:
    site.gate.registers.clients.add(Client("other", "Other", "clinician", "user/*.rs", redirects=(CALLBACK,)))
    words = {"{other}": App(site).verifier, "{challenge}": app.challenge}
    code = app.back(dana)["code"]
    first = app.exchange(code).json()["access_token"] if row.get("twice") else None
    answer = app.exchange(**{"code": code, **{name: words.get(value, value) for name, value in row.get("form", {}).items()}})
    assert (answer.status_code, answer.json()["error"]) == (400, row["error"])
    if first:
        assert site.get(first, "Patient").status_code == 401, "what came of the first use ends too"


@attacks("credentials")
def test_what_is_no_good_token_lets_nobody_in(site: Site, app: App, dana: Browser, row: dict[str, Any]) -> None:
    words = {"assertion": site.signed(site.claims()), "token": site.token(), "refresh": "", "session": dana.session.cookies["casebridge"]}
    if "{refresh}" in str(row):
        words["refresh"] = app.exchange(app.back(dana)["code"]).json()["refresh_token"]
    headers = {name: value.format(**words) for name, value in row["headers"].items()}
    prepared = requests.Request("GET", f"{site.address}/", headers=headers).prepare()
    # As it is written: requests would tidy a path.
    prepared.url = f"{site.address}/{row.get('path', 'fhir/Patient').format(**words)}"
    answer = requests.Session().send(prepared, timeout=SECONDS)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer ")
    assert answer.json().get("resourceType", "problem") in ("OperationOutcome", "problem")


@pytest.mark.parametrize(("group", "row"), [*granted()])
def test_a_token_is_good_for_what_it_was_granted_and_nothing_else(target: Site, group: dict[str, Any], row: dict[str, Any]) -> None:
    method, _, path = row["ask"].partition(" ")
    kind = {"PATCH": "application/json-patch+json"}.get(method, "application/fhir+json")
    form = "application/x-www-form-urlencoded" if path.endswith("_search") else kind
    token, before = _token(target, group), _stored(target)
    answer = target.send(token, method, f"fhir/{path}", row.get("body"), **{"Content-Type": form, **row.get("headers", {})})
    assert answer.status_code == row.get("status", 200), answer.text
    body = json.loads(answer.text or "{}")
    if answer.status_code >= 400:
        assert body.get("resourceType", "OperationOutcome") == "OperationOutcome"
        assert "kanarifugl" not in answer.text.casefold()
    found = [each["resource"] for each in body.get("entry", ()) if "resource" in each]
    if "finds" in row:
        assert sorted(f"{each['resourceType']}/{each['id']}" for each in found) == row["finds"]
    if "total" in row:
        assert body["total"] == row["total"]
    if "entries" in row:
        assert [each["response"]["status"] for each in body["entry"]] == row["entries"]
    assert not row.get("silent") or answer.text == ""
    assert _stored(target) == before, "an attack changed what is stored"


def _token(site: Site, group: dict[str, Any]) -> str:
    """A service's with the scope of a group of attacks, or that of an app that was started for a patient."""
    if "patient" in group:
        return site.gate.registers.tokens.issue(Principal("chart", "clinician", "patient/*.rs", user="dana", patient=group["patient"]))
    return site.token(group["scope"])


def _stored(site: Site) -> dict[str, int]:
    """The version of each resource."""
    whole = site.gate.registers.tokens.issue(Principal("north", "administrator", "system/*.rs"))
    bundle = site.get(whole, "?_type=Patient,Goal,Observation,CarePlan,Subscription&_count=1000").json()
    return {f"{raw['resourceType']}/{raw['id']}": raw["meta"]["versionId"] for raw in (each["resource"] for each in bundle["entry"])}
