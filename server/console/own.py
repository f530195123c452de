"""Whether what a path or a form of a case names is of that case: what is another's is not shown, nor changed, as if it were of this one."""

from adapter.cases.record import Fields
from adapter.cases.registry import TYPES
from adapter.casework.records import read
from adapter.errors import NotFound
from server.console.site import Site

PARTS = {"plan": "plan", "service": "planned_service", "screening": "screening"}
"""By their names in the paths of a case's pages, the concepts of what is a part of it."""


def check_path(site: Site, names: dict[str, str]) -> None:
    """Raise NotFound where the path of a case, with these names in it, leads to what is not of the case."""
    for name, concept in PARTS.items():
        if name in names:
            _check(site, names["id"], read(site.repository, concept, names[name]).fields)


def check_named(site: Site, case: str, concept: str, reference: str) -> None:
    """Raise NotFound where a form of the case of this id names, as `Type/id`, what is no record of this concept or not of the case."""
    type, _, id = reference.partition("/")
    if type not in TYPES[concept]:
        raise NotFound("There is no such record.")
    _check(site, case, read(site.repository, concept, id).fields)


def _check(site: Site, case: str, fields: Fields) -> None:
    whole = read(site.repository, "case", case)
    # As adapter/casework/facts.py has it: what says no case is of each case of its client.
    if fields.get("client") != whole.fields["client"] or fields.get("case", whole.reference) != whole.reference:
        raise NotFound("There is no such record in this case.")
