"""To whom a service of a case is referred: a page to choose on."""

from typing import Any

import flask

from adapter.casework import referrals
from adapter.casework.facts import facts_of
from adapter.casework.receivers import TYPES
from adapter.casework.records import read
from server.console.around import choices
from server.console.case import head
from server.console.site import Site


def choose(site: Site, id: str, service: str) -> Any:
    """Those that the service names and those like them, who can be had soonest first; else somebody of the directory."""
    kept, order = read(site.repository, "case", id), read(site.repository, "planned_service", service)
    facts = facts_of(site.desk(), kept.reference, kept.fields)
    named = [each for each in order.fields.get("performers", []) if each.partition("/")[0] in TYPES]
    candidates = [each for each in referrals.candidates(site.desk(), service) if each.reference not in named]
    near = {*named, *(each.reference for each in candidates)}
    others = [each for each in choices(site, facts)(frozenset(TYPES), True) if each[0] not in near]
    top = head(site, kept, facts)
    return flask.render_template("refer.html", **top, service=order, named=named, candidates=candidates, others=others)
