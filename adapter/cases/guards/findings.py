"""How a check says what is missing."""

from collections.abc import Callable

from adapter.cases.facts import Situation

Check = Callable[[Situation], str | None]
"""What is missing in a situation, as a sentence; None where the check holds."""


def first(*findings: str | None) -> str | None:
    """The first of the findings that is one."""
    return next((text for text in findings if text), None)


def every(*findings: str | None) -> str | None:
    """All of the findings that are one, in one text."""
    return " ".join(text for text in findings if text) or None


def unless(holds: object, text: str) -> str | None:
    """The finding, unless it holds."""
    return None if holds else text
