"""Finding a person: by name, birth date or identifier."""

from typing import Any

import flask

from adapter.fhir.dates import span
from adapter.store import search
from adapter.store.filters import KEY
from adapter.store.syntax import escape
from server.audit.access import looks_for
from server.console.names import full_name
from server.console.site import Site

_MOST = 50


def find(site: Site) -> Any:
    """The clients that match, with their cases. The form sends what is looked for beside the address, which others may come to read."""
    site.desk()
    wanted = flask.request.values.get("q", "").strip()
    if flask.request.method == "POST":
        looks_for(flask.request.path, q=wanted)
    found = [_person(site, stored) for stored in _matching(site, wanted)] if wanted else []
    return flask.render_template("people.html", q=wanted, people=found, more=len(found) >= _MOST)


def _matching(site: Site, wanted: str) -> list[Any]:
    """By birth date and identifier where it can be both, such as four digits, else by identifier, else by name."""
    site.repository.collection("Patient")
    for names in (("identifier", "birthdate"),) if span(wanted) else (("identifier",), ("name",)):
        if ids := dict.fromkeys(id for name in names for id in _ids(site, name, wanted)):
            return [site.repository.read("Patient", id) for id in [*ids][:_MOST]]
    return []


def _ids(site: Site, name: str, wanted: str) -> list[str]:
    query = search.parse("Patient", [(name, escape(wanted)), ("_count", str(_MOST))], clock=site.clock)
    return [row.id for row in search.run(site.repository.database, query, site.repository.faces).rows]


def _person(site: Site, stored: Any) -> dict[str, Any]:
    fields = stored.record
    return {
        "id": stored.id,
        "name": full_name(fields),
        "birth_date": fields.get("birth_date"),
        "identifiers": [each.get("value") for each in fields.get("identifiers", ())][:3],
        "cases": cases_of(site, stored.reference),
    }


def cases_of(site: Site, client: str) -> list[dict[str, Any]]:
    """A client's cases, the newest first."""
    rows = [stored for stored in site.repository.scan("EpisodeOfCare", {KEY: client, "concept": "case"}) if not stored.deleted]
    return [{"id": stored.id, **stored.record} for stored in sorted(rows, key=lambda row: row.updated, reverse=True)]
