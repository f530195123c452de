"""What a need that a screening shows is called in FHIR: its SDOH category and codes, from `policies/needs_1.json`.

Categories: http://hl7.org/fhir/us/sdoh-clinicalcare/CodeSystem/SDOHCC-CodeSystemTemporaryCodes
"""

from adapter.care import data
from adapter.care.data import Coding, Data, Named

_FOLDER, _OURS, _SITE = "policies", "needs_1", "needs_site"

CATEGORIES = "http://hl7.org/fhir/us/sdoh-clinicalcare/CodeSystem/SDOHCC-CodeSystemTemporaryCodes"


class Need(Data, frozen=True, kw_only=True):
    """The names of a domain's need; with `answers`, of the need that these answers show."""

    domain: str
    answers: tuple[str, ...] = ()
    category: str
    text: str
    codes: tuple[Coding, ...] = ()


class Needs(Named, frozen=True, kw_only=True):
    """All needs, of each domain those with answers first and one without last, which is for all other answers."""

    version: str
    title: str
    source: str
    needs: tuple[Need, ...]

    def __post_init__(self) -> None:
        general = [need.domain for need in self.needs if not need.answers]
        if sorted(general) != sorted({need.domain for need in self.needs}):
            raise ValueError("a domain has one need for all other answers")


def need(domain: str, answers: frozenset[str]) -> Need | None:
    """The need that these answers show in a domain; None for a domain that has no name here.

    Raises Invalid, naming file and path, for a file that breaks the rules above; a site's own is `policies/needs_site.json`.
    """
    table = data.read(_FOLDER, _SITE if _SITE in data.names(_FOLDER) else _OURS, Needs)
    rows = [row for row in table.needs if row.domain == domain]
    return next((row for row in rows if answers & {*row.answers}), next((row for row in rows if not row.answers), None))
