"""Answers as they would be given, for the tests of scores and of what follows from them."""

from adapter.care.instrument import load
from adapter.care.scoring import Score, score

NO_NEED = {
    "71802-3": ["LA31993-1"],
    "96778-6": ["LA9-3"],
    "88122-7": ["LA28398-8"],
    "88123-5": ["LA28398-8"],
    "93030-5": ["LA32-8"],
    "96779-4": ["LA32-8"],
    "95618-5": ["LA6270-8"],
    "95617-7": ["LA6270-8"],
    "95616-9": ["LA6270-8"],
    "95615-1": ["LA6270-8"],
}
"""AHC-HRSN core, the best answer to each item."""


def in_order(instrument_id: str, answers: list[object]) -> Score:
    """The score of answers given in the order of the items; None, or the end of the list, is no answer."""
    items = load(instrument_id).items
    return score(instrument_id, {i.link_id: [a] for i, a in zip(items, answers, strict=False) if a is not None})


def digits(text: str) -> list[object]:
    return [None if digit == "-" else int(digit) for digit in text]


def band(result: Score) -> str | None:
    return result.band.band if result.band else None


def lace(days: int, acute: bool, diseases: list[str], visits: int) -> dict[str, list[object]]:
    return {"length_of_stay": [days], "acute_admission": [acute], "comorbidity": diseases, "emergency_visits": [visits]}


def steadi(*yes: str) -> dict[str, list[bool]]:
    return {item.link_id: [item.link_id in yes] for item in load("steadi").items}
