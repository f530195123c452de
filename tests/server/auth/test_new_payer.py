"""Payer to payer through the gate: a service that may read alone asks for its members, and begins their export."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adapter.fhir.jwks import fetch
from adapter.fhir.keys import Keys
from adapter.store.documents import Change
from adapter.store.repository import Repository

from ..exports.insurers import consent, coverage
from ..fhir import patient
from .site import Site, keys, opened

PLAN = "https://old.example/members"
PEOPLE = ("river", "alma")


def person(id: str) -> dict[str, Any]:
    return patient(id, id=id, birthDate="1994-05-06")


def insured(id: str) -> dict[str, Any]:
    return coverage(id, "old", identifier=[{"system": PLAN, "value": id}])


@pytest.fixture
def site(repository: Repository, tmp_path: Path, issuer: Keys) -> Iterator[Site]:
    """River lets the new insurer read, and Alma does not."""
    raws = [raw for id in PEOPLE for raw in (person(id), insured(id))] + [consent("river", "new")]
    repository.commit([Change(raw["resourceType"], raw["id"], raw, 0) for raw in raws])
    with opened(repository, tmp_path, issuer, fetch, limited=True) as made:
        yield made


def token(site: Site, folder: Path, role: str) -> str:
    own = keys(folder / role)
    site.service(role, own, role_name=role, organisation="Organization/new")
    answer = site.ask(site.signed(site.claims(iss=role, sub=role), own.all()[-1]))
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])


def bundle(id: str) -> dict[str, Any]:
    parts = {"MemberPatient": person(id), "CoverageToMatch": insured(id), "Consent": consent(id, "new")}
    return {"name": "MemberBundle", "part": [{"name": name, "resource": raw} for name, raw in parts.items()]}


def test_a_new_insurer_s_service_is_told_of_whom_let_it_and_begins_their_export(site: Site, tmp_path: Path) -> None:
    body = {"resourceType": "Parameters", "parameter": [*map(bundle, PEOPLE)]}
    new = token(site, tmp_path, "new-payer")
    answer = site.send(new, "POST", "fhir/Group/$bulk-member-match", body)
    assert answer.status_code == 200, answer.text
    found = {each["name"]: each["resource"] for each in answer.json()["parameter"]}
    assert [each["entity"]["reference"] for each in found["MatchedMembers"]["member"]] == ["Patient/river"]
    group = f"Group/{found['MatchedMembers']['id']}"
    assert [entry["resource"]["id"] for entry in site.get(new, "Patient").json()["entry"]] == ["river"]
    begun = site.send(new, "GET", f"fhir/{group}/$davinci-data-export", Prefer="respond-async")
    assert begun.status_code == 202, begun.text
    assert site.send(new, "POST", "fhir/Group", {"resourceType": "Group", "type": "person", "actual": True}).status_code == 403
    other = token(site, tmp_path, "insurer-reader")
    assert site.send(other, "POST", "fhir/Group/$bulk-member-match", body).status_code == 403
    assert site.get(other, "Patient").json().get("entry") is None
