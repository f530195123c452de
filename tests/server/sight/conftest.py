"""Case management at a hospital behind the gate, once for a module: Dana and Boss work at north, Sam at south, with clients of theirs."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import requests

from adapter.casework.records import save
from adapter.clock import utc_now
from adapter.fhir.jwks import fetch
from adapter.fhir.keys import Keys
from adapter.store.documents import Change
from adapter.store.repository import Repository
from server.auth.principal import Principal
from server.auth.users import User

from ..auth.site import PASSWORD, Browser, Site, keys, opened

ROLES = {"dana": "case-manager", "sam": "case-manager", "boss": "supervisor", "ada": "auditor"}
PLACES = {"dana": "north", "boss": "north", "sam": "south"}
REASON = "She fell in the hall, and her allergies are asked for."
JSON = {"Content-Type": "application/json"}


@dataclass
class Clock:
    """The time of day, put ahead where a test says so."""

    ahead: timedelta = timedelta()

    def __call__(self) -> Any:
        return utc_now() + self.ahead


@dataclass
class Hospital:
    """The server, and who works there."""

    site: Site
    repository: Repository
    clock: Clock
    ids: dict[str, str] = field(default_factory=dict)

    def ask(self, who: str, method: str, path: str, body: Any = None, **headers: str) -> requests.Response:
        """Something of the case API, or of FHIR, with a token of theirs."""
        made = Principal("chart", ROLES[who], "user/*.cruds", user=who, fhir_user=f"Practitioner/{who}")
        token = self.site.gate.registers.tokens.issue(made)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        kind = {} if path.startswith("fhir/") else JSON
        return self.site.send(token, method, path if path.startswith("fhir/") else f"api/{path}", body, **kind, **named)

    def get(self, who: str, path: str) -> Any:
        answer = self.ask(who, "GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def create(self, who: str, path: str, body: Any) -> Any:
        answer = self.ask(who, "POST", path, body)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def sees(self, who: str, client: str) -> bool:
        """Whether the case API shows them the client."""
        answer = self.ask(who, "GET", f"clients/{client.partition('/')[2]}")
        assert answer.status_code in (200, 404), answer.text
        return answer.status_code == 200

    def client(self, who: str, given: str, **case: Any) -> tuple[str, str]:
        """A client whom they registered, and the case that they opened: references."""
        number = uuid4().hex
        names = [{"family": "Kanarifugl", "given": [given]}]
        client = self.create(who, "clients", {"names": names, "identifiers": [{"system": "urn:example:mrn", "value": number}]})
        self.ids[client["meta"]["reference"]] = number
        fields = {"case_number": f"N-{number}", "case_type": "general", "models": [{"model": "brokerage", "primary": True}]}
        opened = {"client": client["meta"]["reference"], "case_manager": f"Practitioner/{who}", **fields, **case}
        named = {name: value for name, value in opened.items() if value is not None}
        return client["meta"]["reference"], self.create(who, "cases", named)["meta"]["reference"]

    def browser(self, who: str) -> Browser:
        """Theirs, logged in."""
        made = Browser(self.site.address)
        assert made.log_in(who).status_code == 303
        return made

    def role(self, who: str, place: str, **more: Any) -> None:
        """That they work somewhere, as the record of case managers says."""
        names = [{"family": "Kanarifugl", "given": [who]}]
        told = {"names": names, "practitioner": f"Practitioner/{who}", "discipline": "nurse", "organization": f"Organization/{place}"}
        save(self.repository, "case_manager", who, told | ({"role": "supervisor"} if who == "boss" else {}) | more)


@pytest.fixture(scope="module")
def hospital(store, tmp_path_factory) -> Iterator[Hospital]:
    clock = Clock()
    repository = Repository(store[f"test_{uuid4().hex}"], clock)
    issuer: Keys = keys(tmp_path_factory.mktemp("issuer") / "issuer", "RS384")
    with opened(repository, tmp_path_factory.mktemp("site"), issuer, fetch, limited=True) as site:
        for place in ("north", "south"):
            raw = {"resourceType": "Organization", "id": place, "name": place}
            repository.commit([Change("Organization", place, raw, 0)])
        made = Hospital(site, repository, clock)
        for who, place in PLACES.items():
            made.role(who, place)
        users = site.gate.registers.users
        for who in ("sam", "boss", "ada"):
            users.add(User(who, ROLES[who], None, f"Practitioner/{who}" if who in PLACES else None), PASSWORD)
        yield made


def shown(answer: requests.Response) -> str:
    """What an answer says, as a text."""
    return json.dumps(answer.json()) if "json" in answer.headers.get("Content-Type", "") else answer.text
