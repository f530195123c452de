"""Random work on a few cases: whatever people do in whatever order, what is stored stays true."""

import itertools
import os

import hypothesis
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule, run_state_machine_as_test

from adapter.cases.case import STEPS
from adapter.cases.facts import moment
from adapter.cases.succession import ROLE
from adapter.cases.workflow import HELD, PROCESS, STATUS_OF_STEP, TERMINAL, TRANSITIONS
from adapter.casework import cases
from adapter.casework.desk import Actor, Desk
from adapter.casework.facts import open_cases, places
from adapter.casework.records import read
from adapter.errors import CasebridgeError, Forbidden, RuleViolated
from tests.casework.conftest import case, client, person
from tests.casework.work import done

LIMITS = {"dana": 2, "sam": 3}
MODELS = ("brokerage", "intensive", "clinical")
WAYS = sorted({row.id for row in TRANSITIONS} | set(STEPS))
# To the last step there are two ways, of which one is named.
NEXT = dict(itertools.pairwise(STEPS[:9])) | {"follow_up": "TR-13"}
_WORLDS = itertools.count()


class Work(RuleBasedStateMachine):
    """Two case managers, one of them licensed, their supervisor, and three clients. The store is asked after each step."""

    case_ids = Bundle("cases")

    def __init__(self, repository, time):
        super().__init__()
        self.repository, self.time, self.world = repository, time, f"w{next(_WORLDS)}"
        licence = {"kind": "LCSW", "active": True, "unrestricted": True}
        for name, limit in LIMITS.items():
            person(repository, self.who(name), caseload_limit=limit, **({"credentials": [licence]} if name == "sam" else {}))
        person(repository, self.who("boss"), "supervisor")
        for number in range(3):
            client(repository, f"{self.world}-c{number}")
        self.seen = {}
        self.overridden = set()
        self.numbers = itertools.count()

    def who(self, name):
        return f"{self.world}-{name}"

    def desk(self, name):
        return Desk(self.repository, Actor(f"Practitioner/{self.who(name)}", "supervisor" if name == "boss" else "case_manager"), self.time)

    def tried(self, work):
        """What came of it; None where a rule forbids it."""
        try:
            return work()
        except (Forbidden, RuleViolated):
            return None

    def goes_over(self, actor, reason, manager):
        if actor == "boss" and reason:
            self.overridden.add(f"Practitioner/{self.who(manager)}")

    @rule(
        target=case_ids,
        client=st.integers(0, 2),
        manager=st.sampled_from(sorted(LIMITS)),
        model=st.sampled_from(MODELS),
        actor=st.sampled_from(("dana", "boss")),
        reason=st.sampled_from((None, "short of people")),
    )
    def opened(self, client, manager, model, actor, reason):
        self.goes_over(actor, reason, manager)
        models = [{"model": model, "primary": True, "assigned_by": f"Practitioner/{self.who('boss')}"}]
        fields = case(f"Patient/{self.world}-c{client}", case_manager=f"Practitioner/{self.who(manager)}", models=models)
        number = f"{self.world}-{next(self.numbers)}"
        made = self.tried(lambda: cases.open_case(self.desk(actor), fields | {"case_number": number}, reason=reason))
        return made.id if made else multiple()

    @rule(id=case_ids, disposition=st.sampled_from(("proceed", "proceed", "monitor", "not_eligible")))
    def step_done(self, id, disposition):
        kept = read(self.repository, "case", id)
        self.tried(lambda: done(self.desk("boss"), kept, disposition))

    @rule(id=case_ids, actor=st.sampled_from(("dana", "boss")), reason=st.sampled_from((None, "asked for")), way=st.sampled_from(WAYS))
    def moved(self, id, actor, reason, way):
        self.goes_over(actor, reason, self.manager_of(id))
        self.tried(lambda: cases.transit(self.desk(actor), id, way, reason=reason))

    @rule(id=case_ids, steps=st.integers(1, 6))
    def goes_on(self, id, steps):
        """The way that a case mostly goes: done, and to the next step; by a request that is sent twice."""
        for _ in range(steps):
            kept = read(self.repository, "case", id)
            if kept.fields["step"] not in NEXT:
                return
            way, request = NEXT[kept.fields["step"]], f"r{next(self.numbers)}"
            first = self.tried(lambda kept=kept, way=way, request=request: self.stepped(kept, way, request))
            if first is None:
                return
            assert cases.transit(self.desk("boss"), id, way, request_id=request).version == first.version

    def stepped(self, kept, way, request):
        done(self.desk("boss"), kept)
        return cases.transit(self.desk("boss"), kept.id, way, request_id=request)

    @rule(
        id=case_ids,
        manager=st.sampled_from(sorted(LIMITS)),
        actor=st.sampled_from(("dana", "boss")),
        reason=st.sampled_from((None, "holidays")),
    )
    def handed_over(self, id, manager, actor, reason):
        self.goes_over(actor, reason, manager)
        self.tried(lambda: cases.assign(self.desk(actor), id, f"Practitioner/{self.who(manager)}", reason=reason))

    @rule(id=case_ids, model=st.sampled_from(MODELS))
    def led_otherwise(self, id, model):
        self.tried(lambda: cases.follow_models(self.desk("dana"), id, [{"model": model, "primary": True}]))

    @rule(id=consumes(case_ids))
    def left_alone(self, id):
        """Nobody works on the case any more; it counts all the same."""

    def manager_of(self, id):
        return read(self.repository, "case", id).fields["case_manager"].rpartition("-")[2]

    def all_cases(self):
        for number in range(3):
            for stored in self.repository.scan("EpisodeOfCare", {"fhir.index._key": f"Patient/{self.world}-c{number}"}):
                yield stored.reference, stored.version, stored.record | stored.local

    @invariant()
    def every_case_is_in_a_step_that_it_may_be_in_and_its_history_is_whole(self):
        for reference, version, fields in self.all_cases():
            history = fields["status_history"]
            assert fields["status"] == STATUS_OF_STEP[fields["step"]] == history[-1]["status"]
            assert "end" not in history[-1]["period"]
            for before, after in itertools.pairwise(history):
                assert before["period"]["end"] == after["period"]["start"]
                assert may(before["step"], after["step"], history)
            known = self.seen.get(reference, [])
            assert [starts(stretch) for stretch in history[: len(known)]] == [starts(stretch) for stretch in known]
            assert ("closed_at" in fields) == (fields["step"] in TERMINAL)
            self.seen[reference] = history
            assert {stored.version for stored in self.repository.versions(*reference.split("/"))} == set(range(1, version + 1))

    @invariant()
    def every_open_case_has_one_case_manager_at_every_instant(self):
        for _, _, fields in self.all_cases():
            seats = []
            for team in fields.get("team", []):
                seats += read(self.repository, "care_team", team.partition("/")[2]).fields["participants"]
            led = sorted((seat for seat in seats if seat["roles"] == [ROLE]), key=lambda seat: moment(seat["period"]["start"]))
            for before, after in itertools.pairwise(led):
                assert before["period"]["end"] == after["period"]["start"]
            assert not led or (led[-1]["member"], led[-1]["period"].get("end")) == (fields["case_manager"], None)

    @invariant()
    def no_caseload_is_over_its_limit_but_by_an_override_and_no_client_has_a_case_twice(self):
        for name, limit in LIMITS.items():
            manager = f"Practitioner/{self.who(name)}"
            load = places(open_cases(self.repository, manager), self.desk("boss").now())
            assert load <= limit or manager in self.overridden
        for number in range(3):
            assert len(open_cases(self.repository, f"Patient/{self.world}-c{number}")) <= 1


def starts(stretch):
    return stretch["step"], stretch["period"]["start"], stretch.get("reason")


def may(before, after, history):
    """Whether the table of transitions has a way from the one step to the other."""
    held = [stretch["step"] for stretch in history if stretch["step"] in PROCESS]
    ways = {row.target for row in TRANSITIONS if before in row.sources}
    return after in ways or (HELD in ways and after in held)


@pytest.mark.slow
def test_whatever_people_do_what_is_stored_stays_true(repository, time):
    """C-02, C-09, V-01, V-03, V-04, P-27"""
    number = int(os.environ.get("CASEBRIDGE_LAW_EXAMPLES", 6))
    settings = hypothesis.settings(
        max_examples=number, stateful_step_count=20, deadline=None, suppress_health_check=list(hypothesis.HealthCheck), print_blob=False
    )
    run_state_machine_as_test(lambda: Work(repository, time), settings=settings)


def test_the_work_of_each_step_is_enough_to_go_through_all_seven(desk, boss):
    """P-01, C-02: else the machine above would never get far."""
    opened = cases.open_case(desk, case())
    for step in STEPS[1:9]:
        done(boss, read(desk.repository, "case", opened.id))
        if step == "closed":
            cases.transit(boss, opened.id, "TR-19")
            cases.transit(boss, opened.id, "TR-13")
        cases.transit(boss, opened.id, NEXT[STEPS[STEPS.index(step) - 1]])
    closed = read(desk.repository, "case", opened.id)
    assert (closed.fields["step"], closed.fields["status"]) == ("closed", "finished")
    [plan] = [stored.record for stored in desk.repository.scan("CarePlan")]
    assert plan["status"] == "completed"
    with pytest.raises(CasebridgeError):
        cases.transit(boss, opened.id, "TR-08")
    assert cases.transit(boss, opened.id, "TR-23").fields["step"] == "screening"
