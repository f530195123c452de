"""A server with a gate on a real socket, and callers of it: a service that signs, an app that a person uses, a browser."""

import base64
import hashlib
import re
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import requests
from argon2 import PasswordHasher
from joserfc import jwt

from adapter.clock import utc_now
from adapter.fhir.keys import Keys, SigningKey
from adapter.store.repository import Repository
from server import create_app, running
from server.auth import users
from server.auth.clients import Client
from server.auth.gate import Gate
from server.auth.users import User

PASSWORD = "a long sentence that dana knows"
CALLBACK = "https://chart.example/back"
SECONDS = 30
WHOLE = "system/*.cruds"


@dataclass
class Site:
    """The server, and who is registered there: the service `north`, the app `chart`, and dana, a case manager."""

    gate: Gate
    address: str
    keys: Keys

    @property
    def fhir(self) -> str:
        return f"{self.address}/fhir"

    @property
    def token_url(self) -> str:
        return f"{self.address}/oauth/token"

    @property
    def key(self) -> SigningKey:
        return self.keys.all()[-1]

    def claims(self, **other: Any) -> dict[str, Any]:
        """What a good assertion of north says, with what is to be otherwise; None leaves it out."""
        expires = int(utc_now().timestamp()) + 120
        good = {"iss": "north", "sub": "north", "aud": self.token_url, "exp": expires, "jti": secrets.token_urlsafe(16)}
        return {name: value for name, value in (good | other).items() if value is not None}

    def signed(self, claims: dict[str, Any], key: SigningKey | None = None, **header: Any) -> str:
        key = key or self.key
        return jwt.encode({"alg": key.algorithm, "kid": key.kid, **header}, claims, key.key, algorithms=[key.algorithm])

    def ask(self, assertion: str | None = None, scope: str = "system/*.rs", **form: str) -> requests.Response:
        """The token endpoint's answer to north."""
        proof = {"client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}
        data = {"grant_type": "client_credentials", "scope": scope, **proof, "client_assertion": assertion or self.signed(self.claims())}
        return requests.post(self.token_url, data | form, timeout=SECONDS)

    def token(self, scope: str = "system/*.rs") -> str:
        answer = self.ask(scope=scope)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])

    def proven(self, path: str, **form: str) -> requests.Response:
        """A post of north's to another endpoint of the authorization server."""
        proof = {"client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}
        return requests.post(f"{self.address}{path}", {**proof, "client_assertion": self.signed(self.claims()), **form}, timeout=SECONDS)

    def send(self, token: str, method: str, path: str, body: Any = None, **headers: str) -> requests.Response:
        named = {"Authorization": f"Bearer {token}", "Content-Type": "application/fhir+json", **headers}
        return requests.request(method, f"{self.address}/{path}", json=body, headers=named, timeout=SECONDS)

    def get(self, token: str, path: str) -> requests.Response:
        return self.send(token, "GET", f"fhir/{path}")

    def service(self, id: str, keys: Keys, **other: Any) -> Client:
        """Another service, registered."""
        made = Client(id, id, "insurer-reader", "system/*.rs", jwks=keys.jwks())
        self.gate.registers.clients.add(replace(made, **other))
        return made


@dataclass
class Browser:
    """A person's: keeps cookies, follows no redirect by itself, and sends the forms of pages."""

    address: str
    session: requests.Session = field(default_factory=requests.Session)

    def get(self, path: str) -> requests.Response:
        return self.session.get(self.url(path), allow_redirects=False, timeout=SECONDS)

    def post(self, path: str, origin: str | None = None, **form: str) -> requests.Response:
        headers = {"Origin": origin or self.address}
        return self.session.post(self.url(path), form, headers=headers, allow_redirects=False, timeout=SECONDS)

    def url(self, path: str) -> str:
        return path if path.startswith("http") else f"{self.address}{path}"

    def send(self, page: requests.Response, path: str, **form: str) -> requests.Response:
        """Send a form of the page, with what is hidden in it."""
        return self.post(path, **(hidden(page.text) | form))

    def log_in(self, name: str = "dana", password: str = PASSWORD) -> requests.Response:
        return self.post("/login", name=name, password=password)


def hidden(html: str) -> dict[str, str]:
    return {name: unescape(value) for name, value in re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', html)}


@dataclass
class App:
    """A public app that a person uses; `verifier` is its secret for one authorization."""

    site: Site
    id: str = "chart"
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48))

    @property
    def challenge(self) -> str:
        return base64.urlsafe_b64encode(hashlib.sha256(self.verifier.encode()).digest()).decode().rstrip("=")

    def path(self, **other: str | None) -> str:
        """Where it sends the browser."""
        asked: dict[str, str | None] = {
            "response_type": "code",
            "client_id": self.id,
            "redirect_uri": CALLBACK,
            "scope": "openid fhirUser user/*.rs offline_access",
            "state": "abc-123",
            "aud": self.site.fhir,
            "code_challenge": self.challenge,
            "code_challenge_method": "S256",
        }
        return f"/oauth/authorize?{urlencode({name: value for name, value in (asked | other).items() if value is not None})}"

    def back(self, browser: Browser, path: str | None = None, **form: str) -> dict[str, str]:
        """What it is told when the person has said yes."""
        path = path or self.path()
        answer = browser.send(browser.get(path), path, decision="allow", **form)
        assert answer.status_code == 302, answer.text
        return query(answer)

    def exchange(self, code: str, **other: str | None) -> requests.Response:
        form: dict[str, str | None] = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": CALLBACK,
            "client_id": self.id,
            "code_verifier": self.verifier,
        }
        return requests.post(self.site.token_url, {k: v for k, v in (form | other).items() if v is not None}, timeout=SECONDS)

    def refresh(self, token: str, **other: str) -> requests.Response:
        form = {"grant_type": "refresh_token", "refresh_token": token, "client_id": self.id, **other}
        return requests.post(self.site.token_url, form, timeout=SECONDS)


def query(answer: requests.Response) -> dict[str, str]:
    """The parameters of the address that the browser is sent to."""
    return dict(parse_qsl(urlsplit(answer.headers["Location"]).query))


def keys(folder: Path, algorithm: str = "ES384") -> Keys:
    made = Keys(folder)
    made.make(algorithm, utc_now())
    return made


@contextmanager
def opened(
    repository: Repository, folder: Path, issuer: Keys, fetch: Any, *, limited: bool = False, subscribers: Sequence[str] = (), **ways: Any
) -> Iterator[Site]:
    """The site over a repository; `limited`: the callers see the patients that they are tied to. Notifications go to `subscribers`, `ways`
    are the gate's other settings."""
    # As argon2 asks for would be a quarter of a second each time.
    users.PasswordHasher = lambda: PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)  # type: ignore[misc,assignment]
    try:
        gate = Gate(repository, issuer, fetch, limited=limited, **ways)
    finally:
        users.PasswordHasher = PasswordHasher  # type: ignore[misc]
    app = create_app(repository, plans=folder / "plans", exports=folder / "exports", gate=gate, subscribers=subscribers)
    own = keys(folder / "north")
    gate.registers.clients.add(Client("north", "North Health", "administrator", WHOLE, "Organization/north", "HPAYMT", own.jwks()))
    scope = "openid fhirUser launch launch/patient offline_access user/*.cruds patient/*.rs"
    gate.registers.clients.add(
        Client("chart", "Growth chart", "clinician", scope, redirects=(CALLBACK,), launch_url="https://chart.example/start")
    )
    gate.registers.users.add(User("dana", "case-manager", "Organization/city", "Practitioner/dana"), PASSWORD)
    with running(app, threads=4) as address:
        yield Site(gate, address, own)
