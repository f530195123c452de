"""A-09: an insurer's service sees the plans of its own members, by their consent, and nothing else."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from adapter.fhir.jwks import fetch
from adapter.fhir.keys import Keys
from adapter.store.documents import Change
from adapter.store.repository import Repository

from .site import Site, keys, opened

OPT_IN = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "OPTIN"}]}
PRIVACY = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}]}


def record(name: str, insurer: str, *, agreed: bool = True) -> Iterator[dict[str, Any]]:
    """A client with a plan, who is a member of an insurer's and has agreed that it is told, or has not been asked."""
    whom = {"reference": f"Patient/{name}"}
    yield {"resourceType": "Patient", "id": name, "name": [{"family": "Kanarifugl"}]}
    yield {"resourceType": "CarePlan", "id": f"plan-{name}", "status": "active", "intent": "plan", "subject": whom}
    payor = [{"reference": f"Organization/{insurer}"}]
    yield {"resourceType": "Coverage", "id": f"cover-{name}", "status": "active", "beneficiary": whom, "payor": payor}
    if agreed:
        consent = {"status": "active", "scope": PRIVACY, "category": [{"text": "privacy"}], "patient": whom, "policyRule": OPT_IN}
        yield {"resourceType": "Consent", "id": f"consent-{name}", **consent}


@pytest.fixture
def site(repository: Repository, tmp_path: Path, issuer: Keys) -> Iterator[Site]:
    raws = [*record("river", "ins"), *record("alma", "other"), *record("noor", "ins", agreed=False)]
    repository.commit([Change(raw["resourceType"], raw["id"], raw, 0) for raw in raws])
    with opened(repository, tmp_path, issuer, fetch, limited=True) as made:
        yield made


@pytest.fixture
def insurer(site: Site, tmp_path: Path) -> Callable[[str], Any]:
    """Asks as the insurer's service."""
    own = keys(tmp_path / "insurer")
    site.service("insurer", own, organisation="Organization/ins")
    key = own.all()[-1]
    answer = site.ask(site.signed(site.claims(iss="insurer", sub="insurer"), key))
    assert answer.status_code == 200, answer.text
    token = str(answer.json()["access_token"])
    return lambda path: site.get(token, path)


def plans(bundle: dict[str, Any]) -> list[str]:
    return [entry["resource"]["id"] for entry in bundle.get("entry", ()) if entry["resource"]["resourceType"] == "CarePlan"]


def test_an_insurer_reads_the_plans_of_its_own_members_who_agreed_and_no_others(insurer: Callable[[str], Any]) -> None:
    """A-09"""
    assert plans(insurer("CarePlan?_total=accurate").json()) == ["plan-river"]
    assert insurer("CarePlan?_summary=count").json()["total"] == 1
    assert insurer("CarePlan/plan-river").status_code == 200
    assert [insurer(f"CarePlan/plan-{name}").status_code for name in ("alma", "noor", "nobody")] == [404, 404, 404]
    assert plans(insurer("CarePlan?patient=Patient/alma").json()) == []
    assert plans(insurer("Patient/river/$everything").json()) == ["plan-river"]
    assert insurer("Patient/alma/$everything").status_code == 404


def test_what_an_insurer_may_see_ends_with_the_cover_and_with_the_consent(insurer: Callable[[str], Any], repository: Repository) -> None:
    """A-09"""
    ended = {"period": {"start": "2020-01-01", "end": "2021-01-01"}}
    for type, id, change in (("Consent", "consent-river", {"status": "inactive"}), ("Coverage", "cover-river", ended)):
        stored = repository.find(type, id)
        assert stored is not None
        assert insurer("CarePlan/plan-river").status_code == 200
        repository.commit([Change(type, id, {**stored.raw, **change}, stored.version)])
        assert insurer("CarePlan/plan-river").status_code == 404
        now = repository.find(type, id)
        assert now is not None
        repository.commit([Change(type, id, stored.raw, now.version)])
