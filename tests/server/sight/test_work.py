"""A case manager's whole work goes on by what they see: what a step reads and writes is theirs to see."""

import re
from collections.abc import Iterator
from uuid import uuid4

import pytest

from adapter.casework.records import save
from adapter.fhir.jwks import fetch
from adapter.store.repository import Repository
from server.auth.users import User

from ..auth.site import PASSWORD, Browser, keys, opened
from ..console.conftest import Time, _until, form_of


@pytest.fixture
def repository(database) -> Repository:
    return Repository(database, Time())


@pytest.fixture
def case(repository) -> str:
    """River's, when it has come to planning."""
    return _until(repository, "2025-04-22T10:00", lambda plan: plan)


@pytest.fixture
def pages(repository, case, tmp_path) -> Iterator[Browser]:
    """Those of the case's manager, who sees the own caseload."""
    manager = repository.read("EpisodeOfCare", case).raw["careManager"]["reference"]
    with opened(repository, tmp_path, keys(tmp_path / "issuer", "RS384"), fetch, limited=True) as site:
        site.gate.registers.users.add(User("river-manager", "case-manager", None, manager), PASSWORD)
        browser = Browser(site.address)
        assert browser.log_in("river-manager").status_code == 303
        yield browser


def test_a_case_is_planned_and_put_on_hold_by_who_sees_it(pages: Browser, case: str, repository: Repository):
    """From the worklist to a plan of a template, a goal written by hand, the reasons of a service, and a step of the process."""
    assert case in pages.get("/").text
    offered = pages.get(f"/cases/{case}/plan/templates")
    path = f"/cases/{case}/plan/templates/" + re.search(rf"/cases/{case}/plan/templates/([\w-]+)\"", offered.text)[1]
    assert pages.send(pages.get(path), path, start="2025-04-22").status_code == 303
    new = f"/records/goal/new?case={case}"
    filled = {name: value for name, value in form_of(pages.get(new).text).items() if isinstance(value, str)}
    assert pages.post(new, **filled | {"description": "Kanarifugl walks to the shop"}).status_code == 303
    [service, *_] = [each.id for each in repository.scan("ServiceRequest") if each.concept == "planned_service" and not each.deleted]
    for place in (f"why/ServiceRequest/{service}", f"services/{service}/sessions", f"referrals/{service}", "timeline", "plan", "screening"):
        assert pages.get(f"/cases/{case}/{place}").status_code == 200, place
    held = pages.send(pages.get(f"/cases/{case}"), f"/cases/{case}/go", way="TR-20", reason="Kanarifugl is away", request_id=str(uuid4()))
    assert held.status_code == 303
    assert repository.read("EpisodeOfCare", case).raw["status"] == "onhold"


def test_what_is_written_with_a_slash_is_shown_to_who_sees_it(pages: Browser, case: str, repository: Repository):
    """It has the form of a reference, and is none."""
    about = {"client": repository.read("EpisodeOfCare", case).record["client"], "case": f"EpisodeOfCare/{case}"}
    save(repository, "goal", "calm", {**about, "lifecycle": "proposed", "description": "Anxiety/Depression"})
    shown = pages.get("/records/goal/calm")
    assert (shown.status_code, "Anxiety/Depression" in shown.text) == (200, True)
    assert "Anxiety" not in repository.database.list_collection_names()
