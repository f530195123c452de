"""One after the other, at one instant: the case managers in a care team, the models of a case. What is over stays, with its period."""

from collections.abc import Iterable, Sequence

from adapter.cases.facts import covers, moment
from adapter.cases.record import Fields

ROLE: Fields = {"system": "http://nucc.org/provider-taxonomy", "code": "171M00000X", "display": "Case Manager/Care Coordinator"}
"""The role of a primary case manager: National Uniform Claim Committee, Health Care Provider Taxonomy."""


def handed_over(team: Fields, former: str | None, new: str, at: str, since: str) -> Fields:
    """The team after the case was handed over: the former case manager's seat ends at the instant that the new one's begins.

    A former case manager who had no seat gets one from `since` on, so that the team tells who was the case manager when.
    """
    seats = list(team.get("participants", []))
    if former and not any(_leads(seat, former, at) for seat in seats):
        seats.append({"member": former, "roles": [dict(ROLE)], "period": {"start": since}})
    seats = [_ended(seat, at) if former and _leads(seat, former, at) else seat for seat in seats]
    return {**team, "participants": [*seats, {"member": new, "roles": [dict(ROLE)], "period": {"start": at}}]}


def _leads(seat: Fields, who: str, at: str) -> bool:
    is_role = any(role.get("code") == ROLE["code"] for role in seat.get("roles", []))
    return seat.get("member") == who and is_role and covers(seat.get("period"), at)


def merged(participants: Sequence[Fields]) -> list[Fields]:
    """The participants, each person in each role once for a time: overlapping seats are one, first start to last end (A-08)."""
    found: list[Fields] = []
    for seat in participants:
        same = next((place for place, other in enumerate(found) if _same(seat, other) and _overlap(seat, other)), None)
        if same is None:
            found.append(seat)
        else:
            found[same] = _joined(found[same], seat)
    return found


def _same(one: Fields, other: Fields) -> bool:
    return all(one.get(name) == other.get(name) for name in ("member", "roles"))


def _overlap(one: Fields, other: Fields) -> bool:
    first, second = one.get("period", {}), other.get("period", {})
    if first == second:
        return True
    starts = [(second, first.get("start")), (first, second.get("start"))]
    return any(start is None or covers(period, start) for period, start in starts)


def _joined(one: Fields, other: Fields) -> Fields:
    spans = (one.get("period", {}), other.get("period", {}))
    sides = {"start": min, "end": max}
    period = {side: pick((span[side] for span in spans), key=moment) for side, pick in sides.items() if all(side in span for span in spans)}
    whole = {**other, **one}
    whole.pop("period", None)
    return {**whole, "period": period} if period else whole


def _ended(item: Fields, at: str) -> Fields:
    return {**item, "period": {**item.get("period", {}), "end": at}}


def models_changed(models: Iterable[Fields], wanted: Sequence[Fields], at: str) -> list[Fields]:
    """The models of a case that follows the wanted ones from now on: those left end at this instant, new ones begin at it (M-05).

    `wanted` are models without a period, exactly one of them primary. One that goes on as it is keeps its period; one whose part changes
    ends and begins anew.
    """
    kept: list[Fields] = []
    left = list(wanted)
    for model in models:
        if not covers(model.get("period"), at):
            kept.append(model)
            continue
        same = next((each for each in left if _without_period(each) == _without_period(model)), None)
        if same is not None:
            left.remove(same)
            kept.append(model)
        elif model.get("period", {}).get("start") != at:
            kept.append(_ended(model, at))
    return [*kept, *({**model, "period": {"start": at}} for model in left)]


def _without_period(model: Fields) -> Fields:
    return {name: value for name, value in model.items() if name != "period" and value not in (None, False)}
