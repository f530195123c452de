"""Any record, as it is and as it was: its fields in words, its versions, and who made them."""

from collections.abc import Iterable
from typing import Any

import flask

from adapter.cases.fields import Items, Ref
from adapter.cases.headline import headline
from adapter.cases.registry import RECORDS
from adapter.casework import records
from adapter.errors import NotFound
from adapter.mapping.registry import CONCEPTS, mappings_of
from adapter.store.filters import KEY
from server.console.site import Site


def show(site: Site, concept: str, id: str) -> Any:
    """One record."""
    site.desk()
    if concept not in CONCEPTS:
        raise NotFound("There is no such kind of record.")
    kept = records.read(site.repository, concept, id)
    faces = [stored for mapping in mappings_of(concept) if (stored := site.repository.find(mapping.type, id)) and not stored.deleted]
    versions = [
        {"type": each.type, "version": each.version, "updated": each.updated.isoformat(timespec="seconds"), "deleted": each.deleted}
        for face in faces
        for each in site.repository.versions(face.type, id)[:20]
    ]
    return flask.render_template(
        "record.html",
        concept=concept,
        kept=kept,
        title=headline(concept, kept.fields),
        faces=faces,
        versions=versions,
        makers=_makers(site, [face.reference for face in faces]),
        names=site.names(),
        references=_references(concept, kept.fields),
    )


def _references(concept: str, names: Iterable[str]) -> frozenset[str]:
    """Those of the fields that hold references: what somebody wrote with a slash in it is none."""
    fields = {name: RECORDS[concept].field(name) for name in names}
    return frozenset(name for name, field in fields.items() if isinstance(field.field if isinstance(field, Items) else field, Ref))


def _makers(site: Site, references: list[str]) -> dict[str, dict[str, Any]]:
    """Who made which version (`Type/id/version`), when and why, as the Provenances say."""
    found: dict[str, dict[str, Any]] = {}
    for reference in references:
        for stored in site.repository.scan("Provenance", {KEY: reference}):
            if stored.deleted:
                continue
            raw = stored.raw
            told = {
                "who": (raw["agent"][0].get("who") or {}).get("reference") or (raw["agent"][0].get("who") or {}).get("display"),
                "why": (raw.get("reason") or [{}])[0].get("text"),
                "activity": next((coding.get("code") for coding in (raw.get("activity") or {}).get("coding", ())), None),
            }
            for target in raw.get("target", ()):
                found[str(target.get("reference", "")).replace("/_history", "")] = told
    return found
