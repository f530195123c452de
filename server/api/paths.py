"""What the collections of the case API are called."""

from functools import cache

from adapter.cases.registry import RECORDS

_UNCOUNTED = frozenset({"advocacy", "education"})


@cache
def path_of(concept: str) -> str:
    """The path of a concept's collection below /api, such as `case-managers`."""
    return concept.replace("_", "-") + ("" if concept in _UNCOUNTED else "s")


@cache
def concept_of(path: str) -> str | None:
    """The concept whose collection has this path; None where none has."""
    return next((concept for concept in RECORDS if path_of(concept) == path), None)
