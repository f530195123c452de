"""A whole case lived by the console alone, in a real browser: from somebody new to the end of the case."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from adapter.casework.desk import Actor, Desk
from adapter.casework.records import put
from adapter.fhir.resource import Raw
from adapter.store.repository import Repository
from server import create_app, running

from .browser import Visitor, visitors

DANA = "Practitioner/dana"
LICENCE = {"kind": "RN", "number": "1", "active": True, "unrestricted": True, "period": {"start": "2020-01-01"}}


class Time:
    """A clock that is set, and goes on by a millisecond whenever it is looked at."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 2, 9, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.now += timedelta(milliseconds=1)
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def repository(database: Any, time: Time) -> Repository:
    """An office with one case manager, a nurse with a licence, and nobody else."""
    made = Repository(database, time)
    dana = {"names": [{"family": "Kanarifugl", "given": ["Dana"]}], "practitioner": DANA, "discipline": "nurse", "credentials": [LICENCE]}
    put(Desk(made, Actor(DANA), time), "case_manager", "dana", {**dana, "role": "case_manager"})
    return made


@pytest.fixture
def dana(repository: Repository, tmp_path: Path) -> Iterator["CaseManager"]:
    with running(create_app(repository, plans=tmp_path / "plans")) as base:
        for visitor in visitors(base):
            visitor.sign_in()
            yield CaseManager(visitor)


class CaseManager:
    """Somebody at the console who follows links, fills in forms by what stands in them, and minds what the page says."""

    def __init__(self, visitor: Visitor) -> None:
        self.visitor, self.page = visitor, visitor.page

    def follow(self, name: str, within: str = "main") -> None:
        """Press the link or button of this name, the first in that part of the page; the next page must say nothing is wrong."""
        place = self.page.locator(within)
        wanted = place.get_by_role("link", name=name).or_(place.get_by_role("button", name=name)).first
        with self.page.expect_navigation():
            wanted.click()
        alert = self.page.get_by_role("alert")
        assert not alert.count(), f"after {name}: {alert.first.inner_text()}"

    def write(self, **fields: Any) -> None:
        """Fill in fields by the ends of their names: a word chosen where there are words, a box ticked where there are boxes."""
        for name, value in fields.items():
            found = self.page.locator(f'[name="{name}"]')
            kind = found.first.evaluate("(each) => each.tagName === 'SELECT' ? 'select' : each.type")
            if kind == "select":
                found.first.select_option(value)
            elif kind in ("radio", "checkbox"):
                self.page.locator(f'[name="{name}"][value="{value}"]').check()
            else:
                found.first.fill(value)

    def every(self, start: str, choose: Callable[[Any], None]) -> None:
        """Do the same with each field whose name begins so."""
        for each in self.page.locator(f'[name^="{start}"]').all():
            choose(each)

    def goes_on(self, step: str) -> None:
        """The case's page says that all is there for the step, and leads to it."""
        assert self.page.locator("section.next .todo").all_inner_texts() == []
        self.follow(f"Go to {step}", "section.next")
        assert self.page.locator(".steps [aria-current=step]").inner_text().lower().replace("-", " ") == step


def test_a_case_is_lived_from_somebody_new_to_its_end_by_the_console_alone(dana: CaseManager, repository: Repository, time: Time) -> None:
    page = dana.page
    # Somebody is referred: written down, and the case opened.
    dana.visitor.go("/people")
    dana.follow("Somebody new")
    dana.write(**{"names[0].given": "Wren", "names[0].family": "Kanarifugl", "birth_date": "1958-03-02", "identifiers[0].value": "W-1"})
    dana.follow("Save")
    dana.follow("Open a case")
    dana.write(case_number="CM-1", model="clinical", assigned_by=DANA)
    dana.follow("Open the case")
    case = page.url.rpartition("/")[2]
    dana.follow("Referral", "section.next")
    dana.write(source="hospital", **{"reasons[0]": "A fall at home"})
    dana.follow("Save")
    dana.goes_on("screening")

    # Screening, scored as it is answered.
    dana.follow("Ask an instrument", "section.next")
    dana.follow("Patient Health Questionnaire 9")
    dana.write(sources="medical_records", summary="Kanarifugl: a fall, sleeps badly", disposition="proceed")
    for domain in ("medical", "financial", "living", "social"):
        dana.write(**{f"domain-{domain}": "reviewed"})
    for question in page.locator("fieldset.question").all():
        question.get_by_role("radio").nth(1).check()
    page.get_by_text("Score: 9").wait_for()
    dana.follow("Save the answers")
    dana.goes_on("assessment")

    # Assessment: a meeting, and what it brought.
    dana.follow("Meeting", "section.next")
    dana.follow("Save")
    dana.follow("Assessment", "section.next")
    for part in ("medical_condition", "circumstances"):
        dana.write(**{f"{part}.summary": "Kanarifugl: alone since the winter"})
    for part in ("insurance", "support_systems", "treatment_history"):
        dana.write(**{f"{part}.not_available_reason": "not told yet"})
    dana.write(summary="Kanarifugl: wants to stay at home")
    dana.follow("Save")
    dana.goes_on("risk evaluation")

    # Risk: blood pressure measured, levels looked over.
    dana.follow("Blood pressure", "section.next")
    dana.write(**{"components[0].value.quantity.value": "118", "components[1].value.quantity.value": "76"})
    dana.follow("Save")
    dana.follow("Risk evaluation", "section.next")
    kinds = [each.input_value() for each in page.locator('select[name^="factors["][name$="].kind"]').all()]
    for place, kind in enumerate(kinds):
        if kind in ("existing_conditions", "finances"):
            dana.write(**{f"factors[{place}].level": "low"})
            page.locator(f'[name="factors[{place}].evidence"][value^="ClinicalImpression/"]').check()
    dana.write(**{"potential_for_change.rationale": "Kanarifugl: willing to practise"})
    dana.follow("Save")
    dana.follow("Answer it with a task")
    dana.write(description="Kanarifugl: talk about these thoughts today", due="2026-03-02T18:00")
    dana.follow("Save")
    dana.goes_on("planning")

    # The plan: from a template, made this client's own, arranged, accepted.
    dana.follow("Begin with a template", "section.next")
    dana.follow("Rehabilitation after a brain injury")
    dana.follow("Make the draft")
    for left in ("Leave out Living costs", "Leave out Income, sick pay", "Leave out Attention, memory"):
        dana.follow(left)
    dana.follow("Add a goal")
    dana.write(description="Kanarifugl: bakes for the grandchildren again", kind="personal")
    dana.follow("Save")
    dana.follow("Circumstances and resources")
    dana.write(
        no_resource_applicable="true",
        **{
            "social_situation.summary": "Kanarifugl lives alone",
            "social_situation.none_identified": "true",
            "medical_necessity.summary": "Kanarifugl falls",
            "medical_necessity.services_determined": "true",
        },
    )
    dana.follow("Save")
    dana.follow("A provider who is not in the list")
    dana.write(kind="rehab_facility", name="Kanarifugl Rehabilitation")
    dana.follow("Save")
    dana.visitor.go(f"/cases/{case}/plan")
    dana.every("performers:", lambda each: each.select_option(label="Kanarifugl Rehabilitation"))
    dana.every("necessity:", lambda each: each.select_option("necessary"))
    dana.every("why:", lambda each: each.fill("Kanarifugl falls"))
    dana.follow("Keep this")
    dana.follow("Accepted")
    page.get_by_text("Nothing is missing.").wait_for()
    dana.visitor.go(f"/cases/{case}")
    dana.goes_on("implementation")

    # A service is booked, its sessions a week apart.
    dana.follow("Book sessions of a service", "section.next")
    dana.follow("Book sessions of Practice of washing")
    for each, day in zip(page.locator('[name="first"]').all(), ("2026-03-09", "2026-03-11"), strict=True):
        each.fill(f"{day}T10:00")
    dana.follow("Book all sessions")
    dana.goes_on("follow up")

    # A contact, which reviews every goal that the plan pursues.
    time.now += timedelta(days=20)
    dana.follow("Contact", "section.next")
    assert page.locator('select[name$="].achievement"]').count() >= 4
    for place in range(4):
        dana.write(**{f"goal_reviews[{place}].achievement": "achieved"})
    dana.write(treatment_working="yes", next_contact_due="2026-04-20T09:00", note="Kanarifugl: baked yesterday")
    dana.follow("Save")
    dana.goes_on("outcome evaluation")

    # The outcome, and the end.
    dana.follow("Outcome", "section.next")
    dana.write(
        transition="not_applicable",
        **{
            "well_being.final": "Kanarifugl: well",
            "well_being.scale": "self-rated",
            "well_being.change": "improved",
            "finances.change": "same",
            "care_appropriateness.rating": "appropriate",
            "readmission.within_30_days": "not_applicable",
        },
    )
    dana.follow("Save")
    dana.follow("Go to closed", "section.next")
    stored = repository.read("EpisodeOfCare", case)
    assert (stored.record["step"], stored.raw["status"]) == ("closed", "finished")
    assert [each.record["status"] for each in repository.scan("CarePlan")] == ["completed"]
    assert {_who(each.raw) for each in repository.scan("Provenance")} == {DANA}
    assert dana.visitor.complaints == dana.visitor.astray == []


def _who(provenance: Raw) -> str:
    return str(provenance["agent"][0]["who"]["reference"])
