"""A case management office, set up and led through its case API alone."""

import itertools
from dataclasses import dataclass, field
from typing import Any

from server.api.paths import path_of
from tests.casework.work import needed
from tests.server.api.conftest import BOSS, DANA, CaseApi, person

# The way that a case goes where nothing comes between: the transition out of each step.
NEXT = {
    "referred": "TR-01",
    "screening": "TR-02",
    "assessment": "TR-05",
    "risk_evaluation": "TR-06",
    "planning": "TR-08",
    "implementation": "TR-10",
    "follow_up": "TR-13",
    "outcome_evaluation": "TR-17",
}
READY = (
    *("clinical_stability", "education_lifestyle", "education_medication", "education_return", "medication_reconciliation"),
    *("followup_booked", "equipment", "transport", "caregiver_ready", "authorisation", "summary_sent"),
)
"""What must be ready before a client leaves."""
Fields = dict[str, Any]


@dataclass
class Office:
    """Makes what a test is given: people, organisations, and cases that are in a step. Each is another one, unless it is named."""

    api: CaseApi
    time: Any
    numbers: itertools.count = field(default_factory=itertools.count)  # type: ignore[type-arg]

    def new(self, concept: str, id: str | None = None, **fields: Any) -> Fields:
        """A record of a concept (`case_manager`, `goal` …), as the API answers it."""
        return self.api.put_new(f"{path_of(concept)}/{id or f'n{next(self.numbers)}'}", fields)

    def amend(self, concept: str, record: Fields, **fields: Any) -> Fields:
        """The record with these fields otherwise; None takes one away."""
        whole = {name: value for name, value in (record | fields).items() if value is not None}
        answer = self.api.put(f"{path_of(concept)}/{record['id']}", whole)
        assert answer.status_code == 200, f"{concept}: {answer.text}"
        return dict(answer.json)

    def client(self, given: str = "Alma", **fields: Any) -> str:
        """The reference of a client."""
        id = f"c{next(self.numbers)}"
        whole = {"identifiers": [{"system": "urn:example:mrn", "value": id}], "names": [{"family": "Kanarifugl", "given": [given]}]}
        return str(self.new("client", id, **whole | fields)["meta"]["reference"])

    def manager(self, **fields: Any) -> str:
        """The reference of a case manager, who registers themself."""
        id = f"m{next(self.numbers)}"
        own = self.api.as_(f"Practitioner/{id}")
        return str(own.put_new(f"case-managers/{id}", person(id, **fields))["meta"]["reference"])

    def organization(self, kind: str = "service_provider", **fields: Any) -> str:
        """The reference of an organisation."""
        return str(self.new("stakeholder", **{"kind": kind, "name": "Kanarifugl House"} | fields)["meta"]["reference"])

    def case(self, step: str = "referred", **fields: Any) -> Fields:
        """A case in a step, led by Dana, of a client of its own unless one is named."""
        whole = {
            "client": fields.get("client") or self.client(),
            "case_number": f"N-{next(self.numbers)}",
            "case_type": "general",
            "models": [{"model": "brokerage", "primary": True}],
            "case_manager": DANA,
        }
        case = self.api.create("cases", whole | fields)
        while case["step"] != step:
            case = self.move(case)
        return case

    def work(self, case: Fields, **disposition: str) -> dict[str, Fields]:
        """What the case's step needs, done, as little as there can be; by concept, the last record of it."""
        at = self.time.now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        made = {}
        for concept, id, fields in needed(case, case["meta"]["reference"], at, **disposition):
            path = f"{path_of(concept)}/{id}"
            now = self.api.send("GET", path)
            version = {"If_None_Match": "*"} if now.status_code == 404 else {"If_Match": now.headers["ETag"]}
            answer = self.api.send("PUT", path, fields, **version)
            assert answer.status_code in (200, 201), f"{concept}: {answer.text}"
            made[concept] = answer.json
        return made

    def move(self, case: Fields) -> Fields:
        """The case in the next step of its way, what this one needs being done before."""
        self.work(case)
        return self.transit(case, NEXT[case["step"]])

    def transit(self, case: Fields, way: str, **body: Any) -> Fields:
        """The case after a transition that its supervisor asks for."""
        answer = self.api.as_(BOSS).send("POST", f"cases/{case['id']}/transitions", {"transition": way} | body)
        assert answer.status_code == 200, f"{way}: {answer.text}"
        return dict(answer.json)

    def of(self, case: Fields) -> Fields:
        """What a record of a case says about whose it is."""
        return {"client": case["client"], "case": case["meta"]["reference"]}

    def missing(self, case: Fields, way: str) -> list[str]:
        """What a transition that the case's step allows still needs."""
        ways = self.api.get(f"cases/{case['id']}/transitions")["items"]
        return next(list(each["missing"]) for each in ways if each["transition"] == way)

    def tasks(self, case: Fields) -> dict[str, Fields]:
        """The tasks about the case's client that have a kind, by its code."""
        return {task["code"]["code"]: task for task in self.api.get(f"tasks?client={case['client']}")["items"] if "code" in task}

    def goals(self, case: Fields) -> list[str]:
        """The goals of the case's client."""
        return [goal["meta"]["reference"] for goal in self.api.get(f"goals?client={case['client']}")["items"]]

    def contact(self, case: Fields, **fields: Any) -> Fields:
        """What is written of a call with the client just now, which looked at no goal and found nothing."""
        at = self.time.now.isoformat(timespec="milliseconds")
        reviews = [{"goal": goal, "achievement": "not_reviewed"} for goal in self.goals(case)]
        whole = {"type": "call", "source": "client", "status": "completed", "occurred_at": at, "next_contact_due": "2099-01-01"}
        return {**self.of(case), **whole, "goal_reviews": reviews} | fields

    def departure(self, case: Fields, **fields: Any) -> Fields:
        """What is written of the client's way from hospital to a home, all that must be ready being done."""
        stay = {"status": "in_progress", "encounter_class": {"code": "IMP"}, "period": {"start": "2026-02-20"}}
        left = self.new("encounter", **self.of(case), **stay)["meta"]["reference"]
        ready = {item: {"status": "done"} for item in READY}
        return {**self.of(case), "encounter": left, "status": "in_progress", "to_setting": "home", "readiness": ready} | fields
