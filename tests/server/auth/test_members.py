"""A-09: an insurer's service sees the plans of its own members, by their consent, and nothing else."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from adapter.config import Settings
from adapter.errors import Invalid
from adapter.fhir.jwks import fetch
from adapter.fhir.keys import Keys
from adapter.store.documents import Change
from adapter.store.repository import Repository
from server.auth.users import User

from .site import PASSWORD, App, Browser, Site, keys, opened

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
    here, hooks = frozenset(("Organization/city",)), ("https://hooks.example/",)
    with opened(repository, tmp_path, issuer, fetch, limited=True, site=here, subscribers=hooks) as made:
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


def test_who_logs_in_chooses_apps_and_people_among_those_they_see(site: Site) -> None:
    for name in ("ins", "other"):
        site.gate.registers.users.add(User(name, "insurer-reader", f"Organization/{name}"), PASSWORD)
    other, ours, path = Browser(site.address), Browser(site.address), App(site).path(scope="launch/patient patient/*.rs")
    for browser, name in ((other, "other"), (ours, "ins")):
        assert browser.log_in(name).status_code == 303
    found = [browser.send(browser.get(path), path, decision="find", q="Kanari").text for browser in (other, ours)]
    assert ['value="river"' in text for text in found] == [False, True]
    assert ['value="alma"' in text for text in found] == [True, False]
    assert not any('value="noor"' in text for text in found), "who has not been asked is found by nobody"
    chosen = other.send(other.get(path), path, decision="allow", patient="river")
    assert (chosen.status_code, "Choose a patient first" in chosen.text) == (200, True)
    assert [browser.get("/apps/river").status_code for browser in (other, ours)] == [404, 200]
    started = other.send(other.get("/apps/alma"), "/apps/river", client="chart")
    assert (started.status_code, "Kanarifugl" in started.text) == (404, False)


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


@pytest.mark.parametrize(("role", "status"), [("case-manager", 201), ("supervisor", 201), ("administrator", 403), ("insurer-reader", 201)])
def test_nobody_of_limited_sight_changes_who_is_told_and_who_sees_no_plans_is_told_of_none(
    site: Site, repository: Repository, tmp_path: Path, role: str, status: int
) -> None:
    channel = {"type": "rest-hook", "endpoint": "https://hooks.example/in", "payload": "application/fhir+json"}
    told = {"resourceType": "Subscription", "status": "requested", "reason": "all", "criteria": "CarePlan", "channel": channel}
    repository.commit([Change("Subscription", "known", told, 0)])
    own = keys(tmp_path / role)
    site.service(role, own, role_name=role, scope="system/*.cruds", organisation="Organization/city")
    token = site.ask(site.signed(site.claims(iss=role, sub=role), own.all()[-1]), scope="system/*.cruds").json()["access_token"]
    assert site.send(token, "POST", "fhir/Subscription", told).status_code == status
    changed = site.send(token, "PUT", "fhir/Subscription/known", {**told, "id": "known", "criteria": "Patient"})
    assert changed.status_code == 403
    assert site.get(token, "Subscription/known").status_code == 404
    assert site.send(token, "DELETE", "fhir/Subscription/known").status_code in (204, 403)
    known = repository.find("Subscription", "known")
    assert known is not None
    assert known.version == 1
    owners = {row.id: row.owner and row.owner["name"] for row in repository.subscribed()}
    assert (owners.pop("known"), [*owners.values()]) == (None, [role] if status == 201 else [])


@pytest.mark.parametrize(("custodian", "status"), [("city", 200), ("other", 404)])
def test_a_consent_that_names_its_custodian_is_about_the_site_of_that_name(
    insurer: Callable[[str], Any], repository: Repository, custodian: str, status: int
) -> None:
    role = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-RoleClass", "code": "CST"}]}
    provision = {"type": "permit", "actor": [{"role": role, "reference": {"reference": f"Organization/{custodian}"}}]}
    whom = {"reference": "Patient/noor"}
    consent = {"resourceType": "Consent", "status": "active", "scope": PRIVACY, "category": [{"text": "privacy"}], "patient": whom}
    repository.commit([Change("Consent", "consent-noor", {**consent, "provision": provision}, 0)])
    assert insurer("CarePlan/plan-noor").status_code == status


def test_the_site_s_setting_is_organisations() -> None:
    named = Settings.from_env({"CASEBRIDGE_SITE": "Organization/city Organization/county"}).site
    assert named == {"Organization/city", "Organization/county"}
    assert Settings.from_env({}).site == frozenset()
    for wrong in ("city", "Patient/river", "Organization/a,Organization/b"):
        with pytest.raises(Invalid, match="CASEBRIDGE_SITE"):
            Settings.from_env({"CASEBRIDGE_SITE": wrong})
