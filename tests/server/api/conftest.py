"""The case API around a store of its own, with people who act."""

import json

import pytest

DANA, SAM, BOSS = "Practitioner/dana", "Practitioner/sam", "Practitioner/boss"


class CaseApi:
    """Speaks JSON to the case API as somebody."""

    def __init__(self, client, actor=DANA):
        self.client, self.actor = client, actor

    def as_(self, actor):
        return CaseApi(self.client, actor)

    def send(self, method, path, body=None, **headers):
        """The answer; header names are written with underscores."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.actor and method not in ("GET", "HEAD"):
            named.setdefault("Casebridge-Actor", self.actor)
        data = body if body is None or isinstance(body, str | bytes) else json.dumps(body)
        if body is not None:
            named.setdefault("Content-Type", "application/json")
        return self.client.open(f"/api/{path}", method=method, data=data, headers=named)

    def get(self, path, **headers):
        answer = self.send("GET", path, **headers)
        assert answer.status_code == 200, answer.text
        return answer.json

    def create(self, path, body, **headers):
        answer = self.send("POST", path, body, **headers)
        assert answer.status_code == 201, answer.text
        return answer.json

    def put_new(self, path, body):
        answer = self.send("PUT", path, body, If_None_Match="*")
        assert answer.status_code == 201, answer.text
        return answer.json

    def put(self, path, body, version=None):
        """The record with these fields, against the version that `body` says it has."""
        told = body["meta"]["version"] if version is None else version
        return self.send("PUT", path, body, If_Match=f'W/"{told}"')


def person(id, **fields):
    names = [{"family": "Kanarifugl", "given": [id]}]
    return {"names": names, "practitioner": f"Practitioner/{id}", "discipline": "nurse"} | fields


@pytest.fixture
def api(client):
    """The API with Dana and Sam, and Boss who is a supervisor."""
    found = CaseApi(client)
    for id in ("dana", "sam"):
        found.as_(f"Practitioner/{id}").put_new(f"case-managers/{id}", person(id))
    found.as_(BOSS).put_new("case-managers/boss", person("boss", role="supervisor"))
    return found


@pytest.fixture
def alma(api):
    """A client."""
    return new_client(api, "alma")


def new_client(api, id):
    fields = {"identifiers": [{"system": "urn:example:mrn", "value": id}], "names": [{"family": "Kanarifugl", "given": [id]}]}
    return api.put_new(f"clients/{id}", fields)["meta"]["reference"]


def case(client="Patient/alma", **fields):
    """The fields that a new case needs."""
    models = [{"model": "brokerage", "primary": True}]
    return {"client": client, "case_number": f"N-{client[8:]}", "case_type": "general", "models": models, "case_manager": DANA} | fields


def problem(answer, status):
    """The problem that is told, which says nothing of what was sent."""
    assert (answer.status_code, answer.content_type) == (status, "application/problem+json"), answer.text
    assert answer.json["status"] == status
    assert "kanarifugl" not in answer.text.casefold()
    return answer.json
