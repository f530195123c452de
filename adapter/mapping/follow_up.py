"""Follow-up ↔ Encounter: http://hl7.org/fhir/R4/encounter.html"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from adapter.config import CS, EXT
from adapter.errors import Invalid
from adapter.fhir.resource import Raw
from adapter.mapping.codecs import integer, moment
from adapter.mapping.codes import table
from adapter.mapping.encounter import EPISODE
from adapter.mapping.goal import ACHIEVEMENTS
from adapter.mapping.lists import Each, One, Values
from adapter.mapping.rules import ABSENT, UNREADABLE, Codeable, Field, Implied, Problem, Ref, Row, coded
from adapter.mapping.shapes import complex_ext, part
from adapter.mapping.table import Mapping, ext, ext_code, extension
from adapter.mapping.words import RECORD_KIND, Refined, has_coding, word

ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
PARTICIPATION = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
UCUM = "http://unitsofmeasure.org"

STATUS = table(
    "follow-up-status",
    "planned in-progress cancelled entered-in-error",
    completed="finished",
    also={"arrived": "in_progress", "triaged": "in_progress", "onleave": "in_progress"},
)
OUTCOME = table("contact-outcome", "attempted no-contact")
CONTACT = table("contact-type", "visit home-visit call video message case-conference accompaniment")
SOURCE = table("information-source", "client provider support-network")
WORKING = table("treatment-working", "yes partly no unknown")
ADHERENCE = table("medication-adherence", "taking partly not-taking not-assessed")
DECISION = table("adjustment-decision", "none-needed proposed deferred")
REVIEWED = table("goal-review", " ".join((*ACHIEVEMENTS.pairs, "not-reviewed")))

_CLASSES = {
    "home_visit": {"system": ACT_CODE, "code": "HH", "display": "home health"},
    **dict.fromkeys(("call", "video", "message"), {"system": ACT_CODE, "code": "VR", "display": "virtual"}),
    **dict.fromkeys(("visit", "case_conference", "accompaniment"), {"system": ACT_CODE, "code": "AMB", "display": "ambulatory"}),
}

# Whom R4 lets take part in an encounter; anybody else, the client above all, is named by an extension in the same place.
_INDIVIDUALS = ("Practitioner/", "PractitionerRole/", "RelatedPerson/")


@dataclass(frozen=True)
class Party:
    """Who was spoken to ⇄ a participant's `individual` where R4 allows this type there, else our extension on the participant."""

    attr: str = "value"
    individual = Ref("individual", "value")
    other = Ref(f"{extension('participant-actor')}.valueReference", "value")

    def read(self, node: Raw, report: list[Problem]) -> Any:
        value = self.individual.read(node, report)
        return self.other.read(node, report) if value is ABSENT else value

    def write(self, node: Raw, value: Any) -> None:
        fits = isinstance(value, str) and value.startswith(_INDIVIDUALS)
        self.individual.write(node, value if fits else ABSENT)
        self.other.write(node, ABSENT if fits else value)

    def rows(self) -> Iterator[Row]:
        yield from self.individual.rows()
        yield from self.other.rows()


@dataclass(frozen=True)
class Minutes:
    """A Duration in minutes ⇄ a whole number. One in another unit is not converted: rounding is not a sender's fact."""

    path: str
    attr: str

    def read(self, node: Raw, report: list[Problem]) -> Any:
        held = node.get(self.path)
        if held is None:
            return ABSENT
        if isinstance(held, dict) and held.get("system") == UCUM and held.get("code") == "min" and integer.check(held.get("value")):
            return held["value"]
        report.append(Problem(self.path, "not a whole number of minutes"))
        return UNREADABLE

    def write(self, node: Raw, value: Any) -> None:
        if value is ABSENT:
            node.pop(self.path, None)
            return
        if not integer.check(value):
            raise Invalid(f"{self.attr}: not a whole number of minutes.", expression=[self.path])
        node[self.path] = {"value": value, "unit": "min", "system": UCUM, "code": "min"}

    def rows(self) -> Iterator[Row]:
        yield Row(self.path, self.attr, "minutes")


def _is_follow_up(raw: Raw) -> bool:
    return has_coding(raw.get("type"), RECORD_KIND, "follow-up")


FOLLOW_UP = Mapping(
    "follow_up",
    "Encounter",
    (
        Refined(coded("status", "status", STATUS), ext_code("contact-outcome", "status", OUTCOME), over="cancelled"),
        word(f"type[coding.system={CS}/contact-type]", "type", CONTACT, f"{CS}/contact-type"),
        Implied("class", "type", _CLASSES.get),
        Ref("subject", "client"),
        EPISODE,
        ext_code("information-source", "source", SOURCE),
        One(
            "participant",
            "performer",
            (Ref("individual", "value"),),
            where=("type.coding.code", "PPRF"),
            new={"type": [{"coding": [{"system": PARTICIPATION, "code": "PPRF", "display": "primary performer"}]}]},
        ),
        Values("participant", "participants", (Party(),), unless=("type.coding.code", "PPRF")),
        ext("planned-at", "planned_at", moment),
        Field("period.start", "occurred_at", moment),
        Minutes("length", "duration_min"),
        ext("contact-attempts", "attempts", integer),
        Each(
            "extension",
            "goal_reviews",
            (
                Ref(f"{part('goal')}.valueReference", "goal"),
                coded(f"{part('achievement')}.valueCode", "achievement", REVIEWED),
                Field(f"{part('note')}.valueString", "note"),
            ),
            key=("goal",),
            where=("url", f"{EXT}/goal-review"),
        ),
        ext_code("treatment-working", "treatment_working", WORKING),
        Values(
            "diagnosis",
            "barriers",
            (Ref("condition", "value"),),
            where=("use.coding.system", f"{CS}/diagnosis-use"),
            new={"use": {"coding": [{"system": f"{CS}/diagnosis-use", "code": "barrier", "display": "Barrier"}]}},
        ),
        Each(
            "extension",
            "medication_adherence",
            (
                Codeable(f"{part('medication')}.valueCodeableConcept", "medication"),
                coded(f"{part('value')}.valueCode", "value", ADHERENCE),
                Field(f"{part('reason')}.valueString", "reason"),
            ),
            key=("medication",),
            where=("url", f"{EXT}/medication-adherence"),
        ),
        Values(
            "extension",
            "appointments_reviewed",
            (Ref("valueReference", "value"),),
            where=("url", f"{EXT}/appointment-reviewed"),
        ),
        complex_ext(
            "adjustment-decision",
            "adjustment_decision",
            (coded(f"{part('decision')}.valueCode", "decision", DECISION), Field(f"{part('reason')}.valueString", "reason")),
        ),
        ext("next-contact-due", "next_contact_due", moment),
        ext("contact-note", "note"),
    ),
    const={
        "type": [
            {
                "coding": [
                    {"system": RECORD_KIND, "code": "follow-up", "display": "Follow-up contact"},
                    {"system": "http://snomed.info/sct", "code": "390906007", "display": "Follow-up encounter"},
                ]
            }
        ]
    },
    when=_is_follow_up,
)

MAPPINGS = (FOLLOW_UP,)
