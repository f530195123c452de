"""The score of an administered instrument, from the answers in its record."""

from typing import Any

from adapter.care import instrument, scoring
from adapter.care.questionnaire import canonical
from adapter.cases.record import Fields


def scored(fields: Fields) -> scoring.Score | None:
    """The score of a response or screening; None where its instrument is not one that is known here.

    Raises Invalid, naming items and never answers, for an answer out of range or to an item that the instrument does not have.
    """
    url = str(fields.get("instrument", "")).partition("|")[0]
    name = next((name for name in instrument.names() if canonical(name) == url), None)
    if name is None:
        return None
    return scoring.score(name, {item["link_id"]: [given(value) for value in item["values"]] for item in fields.get("answers", ())})


def given(value: Fields) -> Any:
    """An answer's value as scoring takes it: its code, a yes or no, or a number."""
    held = next(iter(value.values()))
    return held.get("code", held.get("value")) if isinstance(held, dict) else held
