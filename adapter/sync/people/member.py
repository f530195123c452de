"""Which patient here a member of another plan is: one whose number and demographics are the same, or nobody. It never guesses."""

from collections.abc import Iterable, Iterator

from adapter.errors import NotApplicable
from adapter.fhir.resource import Raw, parse
from adapter.store import search
from adapter.store.repository import Repository
from adapter.store.values import folded
from adapter.sync.people.identity import compare, identifiers
from adapter.sync.people.joining import REPLACED_BY, links_of

_MOST = 50
_NEEDED = frozenset(("birthDate", "name.family"))
_NUMBERS = ("subscriberId", "dependent")


def member(repository: Repository, patient: Raw, coverage: Raw) -> str:
    """The id of the patient who is this person, by an identifier of the person, or the number of a coverage of theirs that is here.

    Family name and full date of birth must be the same too, and neither the gender nor the first name another: twins are covered by one
    contract. Who was replaced by somebody is nobody. Raises NotApplicable where it is nobody, or several fit.
    """
    named: dict[str, Raw] = {each["id"]: each for each in _found(repository, "Patient", _tokens(patient))}
    covered = [each for each in _found(repository, "Coverage", _tokens(coverage)) if _is_same_plan(coverage, each)]
    beneficiaries = {id for each in covered if (id := _beneficiary(each)) and id not in named}
    named |= {id: parse(row.text) for id in beneficiaries for row in repository.rows("Patient", [id])}
    fitting = [id for id, raw in named.items() if _is_same_person(patient, raw)]
    if len(fitting) != 1:
        raise NotApplicable("No single member here has this number, family name and date of birth.", expression=["MemberPatient"])
    return fitting[0]


def _tokens(raw: Raw) -> list[str]:
    """`system|value` of the identifiers that count in full; of a coverage the member's number is one of them."""
    return [f"{system}|{value}" for (system, whole), values in identifiers(raw).items() if whole for value in values]


def _found(repository: Repository, type: str, tokens: Iterable[str]) -> Iterator[Raw]:
    repository.collection(type)
    for token in tokens:
        escaped = token.replace("\\", "\\\\").replace(",", "\\,").replace("$", "\\$")
        query = search.parse(type, [("identifier", escaped), ("_count", str(_MOST))])
        yield from (parse(row.text) for row in search.run(repository.database, query).rows)


def _is_same_plan(asked: Raw, held: Raw) -> bool:
    """Whether nothing says that they are different coverages: the numbers of subscriber and dependent, where both have them."""
    differing = any(len({each[name] for each in (asked, held) if each.get(name)}) > 1 for name in _NUMBERS)
    return not differing and held.get("status") != "entered-in-error"


def _beneficiary(coverage: Raw) -> str | None:
    type, _, id = str((coverage.get("beneficiary") or {}).get("reference")).partition("/")
    return id if type == "Patient" and id else None


def _is_same_person(asked: Raw, held: Raw) -> bool:
    one, two = _first_names(asked), _first_names(held)
    if links_of(held, REPLACED_BY) or (one and two and not one & two):
        return False
    facts = {point.about: point.same for point in compare({**asked, "resourceType": "Patient"}, held, ()).points if point.weight == "fact"}
    return all(facts[about] for about in _NEEDED) and facts["gender"] is not False


def _first_names(raw: Raw) -> set[str]:
    """What somebody is called first, in each of their names; of the others twins may share one."""
    called = (" ".join(given for given in name.get("given") or () if given) for name in raw.get("name") or ())
    return {words[0] for each in called if (words := folded(each).split())}
