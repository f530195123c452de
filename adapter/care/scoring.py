"""Scores from answers: one scorer, driven by the instrument's data.

V-07: a total is made only from complete answers in range. A band is a screening result, never a diagnosis.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from adapter.care.data import points_at
from adapter.care.instrument import Answer, Band, Instrument, Item, Scoring, Threshold, load
from adapter.errors import Invalid

Given = str | bool | int | Decimal
"""An answer: its code, a yes or no, or a number. For a choice a number means the one answer with those points."""

_YES_NO = {True: "LA33-6", False: "LA32-8"}
"""LOINC's codes for yes and no, so that a choice of the two also takes a boolean."""


@dataclass(frozen=True)
class Score:
    """A scored instrument.

    `value` is the total, None when it cannot be made; `band` (`.band` its name, `.code` the published code where there is one)
    and `positive` follow from it. `missing` are linkIds of required
    items without an answer, `unknown` those answered with "do not know" or the like. `flags` are urgent, `advice` is not.
    `points` are the points per linkId, `subtotals` the sums that the instrument reports under other codes.
    """

    instrument: str
    version: str
    method: str | None
    value: int | None
    band: Band | None
    positive: bool | None
    complete: bool
    missing: tuple[str, ...]
    unknown: tuple[str, ...]
    flags: tuple[str, ...]
    advice: tuple[str, ...]
    positive_domains: tuple[str, ...]
    points: Mapping[str, int]
    subtotals: Mapping[str, int | None]


def score(instrument_id: str, answers: Mapping[str, Sequence[Given]], *, method: str | None = None, gender: str | None = None) -> Score:
    """The score of `answers`, lists of answers by linkId; an empty list is no answer.

    `method` names a published variant; `gender` is the administrative gender, for instruments whose cut-point depends on it.
    Raises Invalid, naming linkIds and never answers, for an answer out of range or an item that the instrument does not have;
    NotFound for an unknown instrument or method.
    """
    instrument = load(instrument_id, method)
    scoring = instrument.scoring
    points, missing, unknown = _points(instrument, answers)
    value = _total(scoring, points, complete=not missing)
    cut_point = scoring.cut_point
    raised = [flag for flag in scoring.flags if _reached(flag, points, complete=not missing)]
    advice = [flag.flag for flag in raised if not flag.urgent]
    if cut_point and value is not None and cut_point.by_gender and gender not in cut_point.by_gender:
        advice.append("cut_point_assumed")
    return Score(
        instrument=instrument.id,
        version=instrument.version,
        method=instrument.method,
        value=value,
        band=next((band for band in scoring.bands if value is not None and band.low <= value <= band.high), None),
        positive=value >= cut_point.by_gender.get(gender or "", cut_point.value) if cut_point and value is not None else None,
        complete=not missing,
        missing=missing,
        unknown=unknown,
        flags=tuple(flag.flag for flag in raised if flag.urgent),
        advice=tuple(advice),
        positive_domains=tuple(domain.domain for domain in scoring.domains if _reached(domain, points, complete=not missing)),
        points=points,
        subtotals={part.name: _sum(part.items, points) for part in scoring.subtotals},
    )


def _points(instrument: Instrument, answers: Mapping[str, Sequence[Given]]) -> tuple[dict[str, int], tuple[str, ...], tuple[str, ...]]:
    """The points of each item that has them, the required items without an answer, the items answered as unknown."""
    strange = sorted(set(answers) - {item.link_id for item in instrument.items})
    if strange:
        raise Invalid(f"The instrument {instrument.id} does not have an item that is answered.", expression=strange)
    points: dict[str, int] = {}
    chosen: dict[str, set[str]] = {}
    missing, unknown = [], []
    for item in instrument.items:
        given = answers.get(item.link_id, ())
        if len(given) > 1 and not item.repeats:
            raise _out_of_range(item, "takes one answer")
        picked = _chosen(item, given) if item.type == "choice" else []
        chosen[item.link_id] = {answer.code for answer in picked}
        if item.skip_if and item.skip_if.answer in chosen[item.skip_if.item]:
            points[item.link_id] = 0
        elif not given:
            if item.required:
                missing.append(item.link_id)
        elif any(answer.unknown for answer in picked):
            unknown.append(item.link_id)
        else:
            amount = _weight(picked) if picked else _number(item, given[0])
            points[item.link_id] = points_at(item.points, amount) if item.points else int(amount)
    return points, tuple(missing), tuple(unknown)


def _chosen(item: Item, given: Sequence[Given]) -> list[Answer]:
    """The item's answers that are meant; none twice, and none beside one that excludes the others."""
    picked = [_pick(item, value) for value in given]
    if len({answer.code for answer in picked}) != len(picked):
        raise _out_of_range(item, "has one answer twice")
    if len(picked) > 1 and any(answer.exclusive for answer in picked):
        raise _out_of_range(item, "has an answer that excludes the others")
    return picked


def _pick(item: Item, given: Given) -> Answer:
    """The item's answer that is meant, by its code, by its points when only it has them, or as a yes or no."""
    if isinstance(given, bool):
        given = _YES_NO[given]
    if isinstance(given, str):
        found = [answer for answer in item.answers if given == answer.code or given in answer.also]
    else:
        found = [answer for answer in item.answers if given == answer.score and not answer.unknown]
    if len(found) != 1:
        raise _out_of_range(item, "does not take this answer")
    return found[0]


def _weight(picked: Sequence[Answer]) -> int:
    replaced = {code for answer in picked for code in answer.replaces}
    return sum(answer.score for answer in picked if answer.code not in replaced)


def _number(item: Item, given: Given) -> int | Decimal:
    """The number that is given, in the item's unit; for a boolean 1 or 0."""
    if isinstance(given, str) or isinstance(given, bool) != (item.type == "boolean"):
        raise _out_of_range(item, f"takes a {item.type}")
    if item.type == "integer" and not isinstance(given, int):
        raise _out_of_range(item, "takes a whole number")
    if isinstance(given, Decimal) and not given.is_finite():
        raise _out_of_range(item, "takes a number")
    if item.minimum is not None and item.maximum is not None and not item.minimum <= given <= item.maximum:
        raise _out_of_range(item, f"takes {item.minimum} to {item.maximum}")
    return given


def _out_of_range(item: Item, reason: str) -> Invalid:
    return Invalid(f"The item {item.link_id} {reason}.", expression=[item.link_id])


def _total(scoring: Scoring, points: Mapping[str, int], *, complete: bool) -> int | None:
    if scoring.kind == "any":
        # One point decides whatever the other answers are; without one, all of them must be known.
        known = [points[item] for item in scoring.items if item in points]
        return 1 if any(known) else 0 if len(known) == len(scoring.items) else None
    if scoring.kind == "domains" or not complete:
        return None
    if scoring.kind == "domain_count":
        return sum(_reached(domain, points, complete=complete) for domain in scoring.domains)
    return _sum(scoring.items, points)


def _sum(items: Sequence[str], points: Mapping[str, int]) -> int | None:
    return sum(points[item] for item in items) if all(item in points for item in items) else None


def _reached(threshold: Threshold, points: Mapping[str, int], *, complete: bool) -> bool:
    """Whether the answers given so far prove it: points are never negative, so what is missing can only undo `alone`."""
    if sum(points.get(item, 0) for item in threshold.items) < threshold.at_least:
        return False
    return not threshold.alone or complete and not any(points[item] for item in points if item not in threshold.items)
