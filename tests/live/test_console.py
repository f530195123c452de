"""The console in a real browser: accessible, quiet, usable by keyboard alone, and as wide as its window."""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from adapter.cases.story import parse
from adapter.casework.cases import open_case
from adapter.casework.desk import Actor, Desk
from adapter.casework.records import put, read
from adapter.casework.stories import load_story
from adapter.fhir.resource import parse as parse_json
from adapter.store.documents import Change
from adapter.store.repository import Repository
from adapter.sync.people.questions import Doubt
from server import create_app, running
from tests.mapping.data import FIXTURES
from tests.sync.conflicts.test_conflicts import OURS, THEIRS, contested
from tests.sync.hospital import hospital_server
from tests.sync.world import world as make_world

from .browser import NARROW, WIDE, Visitor, visitors

NOW = datetime(2025, 5, 14, 10, tzinfo=UTC)
"""River has a barrier then, and a call to answer."""
_KB = 1024


@pytest.fixture
def repository(database: Any) -> Repository:
    """River's case as it stood at NOW, and Alma's to its end."""
    made = Repository(database, lambda: NOW)
    for name in ("river", "alma"):
        raw = json.loads((FIXTURES / "cases" / f"{name}.json").read_text())
        raw["timeline"] = [entry for entry in raw["timeline"] if datetime.fromisoformat(entry["at"]) < NOW]
        raw.pop("expect", None)
        load_story(made, parse(parse_json(json.dumps(raw).encode())))
    return made


@pytest.fixture
def case(repository: Repository) -> str:
    """The id of River's case."""
    return next(stored.id for stored in repository.scan("EpisodeOfCare") if stored.record.get("case_number") == "CM-2025-0042")


@pytest.fixture
def unplanned(repository: Repository) -> str:
    """The id of a case without a plan, of somebody with long names; and there is a supervisor."""
    boss = {"names": [{"family": "Kanarifugl", "given": ["Boss"]}], "practitioner": "Practitioner/boss", "discipline": "nurse"}
    desk = Desk(repository, Actor("Practitioner/boss", "supervisor"), repository.clock)
    put(desk, "case_manager", "boss", {**boss, "role": "supervisor"})
    long = {"family": "Kanarifugl-Wolfeschlegelsteinhausenbergerdorff", "given": ["Maximiliana", "Donaudampfschifffahrtsgesellschaft"]}
    client = put(desk, "client", "long", {"names": [long], "identifiers": [{"system": "urn:example:mrn", "value": "LONG-1"}]})
    models = [{"model": "brokerage", "primary": True}]
    about = {"client": client.reference, "case_number": "CM-2025-0043", "case_type": "general", "case_manager": _dana(repository)}
    return open_case(desk, {**about, "models": models}).id


@pytest.fixture
def visitor(repository: Repository, tmp_path: Path) -> Iterator[Visitor]:
    with running(create_app(repository, plans=tmp_path / "plans")) as base:
        yield from visitors(base)


def _first(repository: Repository, type: str, **wanted: Any) -> str:
    return next(stored.id for stored in repository.scan(type) if all(stored.record.get(name) == value for name, value in wanted.items()))


def test_every_page_is_accessible_asks_nobody_else_and_fits_its_window(
    visitor: Visitor, repository: Repository, case: str, unplanned: str
) -> None:
    make_world(repository.database, "http://127.0.0.1:9/fhir").hospital.close()
    client = _first(repository, "Patient", birth_date="1994-05-17")
    goal, service = _first(repository, "Goal", kind="health_objective"), _first(repository, "ServiceRequest", kind="therapy")
    written = (
        "follow_up",
        "risk_evaluation",
        "assessment",
        "goal",
        "planned_service",
        "plan",
        "outcome",
        "encounter",
        "appointment",
        "task",
    )
    template = f"/cases/{unplanned}/plan/templates"
    pages = [
        "/sign-in", "/", "/?list=overdue", "/?list=urgent", "/people", "/people?q=Kanarifugl", "/people?q=nobody", "/connections",
        "/connections/hospital", "/conflicts", "/questions", "/account", "/disclosures", f"/disclosures/{client}",
        f"/cases/{case}", f"/cases/{case}/timeline", f"/cases/{case}/screening",
        f"/cases/{case}/screening/phq9", f"/cases/{case}/screening/ahc_hrsn", f"/cases/{case}/why/ServiceRequest/{service}",
        f"/cases/{case}/why/Goal/{goal}", f"/records/goal/{goal}", f"/records/goal/{goal}/edit", f"/records/case/{case}/edit",
        f"/cases/{case}/plan", f"/cases/{case}/services/{service}/sessions", f"/cases/{unplanned}", f"/cases/{unplanned}/plan", template,
        f"{template}/stroke_home", "/records/client/new", "/records/stakeholder/new",
        *(f"/records/{concept}/new?case={case}" for concept in written),
    ]  # fmt: skip
    visitor.go("/sign-in")
    assert visitor.violations() == []
    visitor.sign_in()
    assert _wrong(visitor, pages) == {}
    visitor.sign_in("Boss Kanarifugl")
    assert _wrong(visitor, ["/team", f"/?of={_dana(repository)}"]) == {}


def _wrong(visitor: Visitor, paths: Sequence[str]) -> dict[str, list[str]]:
    """What of these pages breaks a rule, is wider than its window, asks somebody else, or makes the browser complain."""
    found: dict[str, list[str]] = {}
    for path in paths:
        visitor.page.set_viewport_size(WIDE)  # type: ignore[arg-type]
        visitor.go(path)
        found[path] = visitor.violations()
        visitor.page.set_viewport_size(NARROW)  # type: ignore[arg-type]
        if visitor.overflows():
            found[f"{path}, narrow"] = ["is wider than its window"]
    found["asked of others"], found["complaints"] = visitor.astray, visitor.complaints
    return {path: each for path, each in found.items() if each}


def _dana(repository: Repository) -> str:
    return "Practitioner/" + _first(repository, "PractitionerRole", discipline="therapist")


def test_what_is_known_of_a_remote_is_accessible_and_fits_its_window(
    new_database: Callable[[], Any], repository: Repository, tmp_path: Path
) -> None:
    with hospital_server(new_database()) as there, running(create_app(repository, plans=tmp_path / "plans")) as base:
        world = make_world(repository.database, there, types=("Patient",))
        patient = contested(world)
        world.sync()
        [twin] = repository.commit([Change("Patient", "twin", {"resourceType": "Patient", "birthDate": OURS}, 0)])
        world.bridge.people.questions.ask(Doubt(world.here(patient).reference, twin.reference, "the birth dates are the same", "mark"))
        for visitor in visitors(base):
            visitor.sign_in()
            visitor.go("/connections/hospital")
            visitor.page.get_by_role("button", name="Make a plan").click()
            visitor.page.get_by_role("button", name="Make another plan").wait_for()
            wanted = ["/connections", "/connections/hospital", "/connections/hospital/certificate", "/conflicts", "/questions"]
            assert _wrong(visitor, wanted) == {}
        world.hospital.close()


def test_a_rule_that_is_broken_is_seen(visitor: Visitor) -> None:
    visitor.go("/sign-in")
    visitor.page.evaluate("document.querySelector('main').append(document.createElement('input'))")
    assert [each.partition(":")[0] for each in visitor.violations()] == ["label"]


def test_a_form_that_was_refused_is_accessible_too(visitor: Visitor, case: str) -> None:
    visitor.sign_in()
    visitor.go(f"/records/goal/new?case={case}")
    visitor.page.get_by_role("button", name="Save").click()
    visitor.page.get_by_role("alert").wait_for()
    assert visitor.violations() == []
    assert visitor.page.get_by_label("Description").get_attribute("aria-invalid") == "true"


def test_from_signing_in_to_a_scored_screening_and_the_next_step_by_keyboard_alone(
    visitor: Visitor, repository: Repository, case: str
) -> None:
    page, press = visitor.page, visitor.page.keyboard.press

    def follow(name: str) -> None:
        visitor.tab_to(name)
        with page.expect_navigation():
            press("Enter")

    def kept() -> tuple[int, int]:
        answered = sum(1 for _ in repository.scan("QuestionnaireResponse"))
        return answered, len(read(repository, "case", case).fields["requests"])

    visitor.go("/sign-in?to=/")
    follow("Dana")
    follow("River")
    assert page.url == f"{visitor.base}/cases/{case}"
    answered, gone = kept()
    visitor.tab_to("Screening")
    press("Enter")
    follow("Ask an instrument")
    follow("Patient Health Questionnaire 2")
    visitor.tab_to("Not at all", "radio")
    press("ArrowDown")
    page.get_by_text("1 answer is missing").wait_for()
    visitor.tab_to("Not at all", "radio")
    press("ArrowDown")
    press("ArrowDown")
    page.get_by_text("Score: 3").wait_for()
    follow("Save the answers")
    assert page.url == f"{visitor.base}/cases/{case}"
    assert kept() == (answered + 1, gone)
    follow("Go on with follow up")
    assert page.url == f"{visitor.base}/cases/{case}"
    assert kept() == (answered + 1, gone + 1)
    assert visitor.complaints == []


def test_the_bar_of_a_screening_hides_no_question_that_has_the_focus(visitor: Visitor, case: str) -> None:
    visitor.sign_in()
    for size in (WIDE, NARROW):
        visitor.page.set_viewport_size(size)  # type: ignore[arg-type]
        visitor.go(f"/cases/{case}/screening/phq9")
        for _ in range(9):
            visitor.tab_to("Not at all", "radio")
            hidden = visitor.page.evaluate(
                "document.activeElement.getBoundingClientRect().bottom - document.querySelector('.bar').getBoundingClientRect().top"
            )
            assert hidden <= 0
            visitor.page.keyboard.press("Space")


def test_a_conflict_is_decided_in_the_browser(new_database: Callable[[], Any], repository: Repository, tmp_path: Path) -> None:
    with hospital_server(new_database()) as there, running(create_app(repository, plans=tmp_path / "plans")) as base:
        world = make_world(repository.database, there, types=("Patient",))
        patient = contested(world)
        world.sync()
        for visitor in visitors(base):
            visitor.sign_in()
            visitor.go("/conflicts")
            assert visitor.violations() == []
            visitor.page.get_by_role("radio", name=THEIRS).check()
            visitor.page.get_by_role("button", name="Decide as chosen").click()
            visitor.page.get_by_text("Nothing waits for a decision").wait_for()
        assert world.here(patient).raw["birthDate"] == THEIRS != OURS
        world.hospital.close()


def test_what_the_readme_shows_is_small(visitor: Visitor, case: str, tmp_path: Path) -> None:
    """`make screenshots` keeps them: CASEBRIDGE_SCREENSHOTS names the folder."""
    folder = Path(os.environ.get("CASEBRIDGE_SCREENSHOTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    visitor.sign_in()
    visitor.page.set_viewport_size({"width": 1100, "height": 820})
    for name, path in (("worklist", "/"), ("case", f"/cases/{case}"), ("screening", f"/cases/{case}/screening/phq9")):
        visitor.go(path)
        if name == "screening":
            for legend in visitor.page.locator("fieldset.question").all():
                legend.get_by_role("radio").nth(1).check()
            visitor.page.get_by_text("Score: 9").wait_for()
            visitor.page.evaluate("window.scrollTo(0, 0)")
        visitor.page.screenshot(path=folder / f"{name}.png")
        assert (folder / f"{name}.png").stat().st_size < 150 * _KB
