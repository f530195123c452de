"""The needs that an administered instrument shows, each with the items that show it."""

from dataclasses import dataclass

from adapter.care import instrument
from adapter.care.need import Need, need
from adapter.cases.record import Fields
from adapter.cases.scored import given, scored


@dataclass(frozen=True)
class Shown:
    """A need, and the linkIds of the answers that show it."""

    need: Need
    link_ids: tuple[str, ...]


def shown(fields: Fields) -> list[Shown]:
    """The needs of a screening or response, by domain; none where its instrument is not known here, or looks for none.

    An answer shows a need where it has points in a domain that came out positive. Raises Invalid as `scored` does.
    """
    result = scored(fields)
    if result is None:
        return []
    answers = {item["link_id"]: frozenset(map(given, item["values"])) for item in fields.get("answers", ())}
    found: dict[Need, list[str]] = {}
    for domain in instrument.load(result.instrument).scoring.domains:
        if domain.domain not in result.positive_domains:
            continue
        for link_id in domain.items:
            named = need(domain.domain, answers.get(link_id, frozenset())) if result.points.get(link_id) else None
            if named:
                found.setdefault(named, []).append(link_id)
    return [Shown(named, tuple(link_ids)) for named, link_ids in found.items()]
