"""A transfer summary: the Composition of its document, and the DocumentReference by which it is found.

http://hl7.org/fhir/R4/composition.html, http://hl7.org/fhir/R4/documentreference.html. The sections' LOINC codes are those of the
International Patient Summary (http://hl7.org/fhir/uv/ips), the type's that of DOMAIN §5.
"""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from adapter.fhir.document import URI
from adapter.fhir.resource import Raw

LOINC = "http://loinc.org"
TYPE: Raw = {"coding": [{"system": LOINC, "code": "18761-7"}], "text": "Transfer summary"}
TITLE = "Transfer summary"
_NONE_KNOWN = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/list-empty-reason", "code": "unavailable"}]}
_XHTML = "http://www.w3.org/1999/xhtml"


@dataclass(frozen=True)
class Section:
    """A part of the summary: its lines for people, and the resources that they are about. `code` is LOINC's, where there is one for it."""

    title: str
    code: str
    lines: Sequence[str]
    entries: Sequence[str] = ()


@dataclass(frozen=True)
class Head:
    """What the summary says of itself. References are `Type/id`; `replaces` is the identifier (a URI) of the document before."""

    id: str
    identifier: str
    """Of the summary, whichever version: a URI."""
    subject: str
    encounter: str
    author: str
    custodian: str | None
    at: str
    replaces: str | None = None


def composition(head: Head, sections: Sequence[Section]) -> Raw:
    """The Composition: a section with nothing in it says so."""
    raw: Raw = {
        "resourceType": "Composition",
        "id": head.id,
        "text": _narrative([each.title for each in sections]),
        "identifier": {"system": URI, "value": head.identifier},
        "status": "final",
        "type": TYPE,
        "subject": {"reference": head.subject},
        "encounter": {"reference": head.encounter},
        "date": head.at,
        "author": [{"reference": head.author}],
        "title": TITLE,
        **({"custodian": {"reference": head.custodian}} if head.custodian else {}),
        "section": [_section(each) for each in sections],
    }
    if head.replaces:
        raw["relatesTo"] = [{"code": "replaces", "targetIdentifier": {"system": URI, "value": head.replaces}}]
    return raw


def _section(section: Section) -> Raw:
    raw: Raw = {"title": section.title}
    if section.code:
        raw["code"] = {"coding": [{"system": LOINC, "code": section.code}]}
    raw["text"] = _narrative(section.lines or ["Nothing is recorded."])
    if section.entries:
        raw["entry"] = [{"reference": each} for each in section.entries]
    elif not section.lines:
        raw["emptyReason"] = _NONE_KNOWN
    return raw


def _narrative(lines: Sequence[str]) -> Raw:
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return {"status": "generated", "div": f'<div xmlns="{_XHTML}"><ul>{items}</ul></div>'}


def reference_to(text: str, head: Head, identifier: str, security: Sequence[Raw], *, replaces: str | None = None) -> Raw:
    """The DocumentReference with the document in it.

    `identifier` is the document's, `security` its labels, `replaces` the DocumentReference before.

    The document stands in it, not at a URL: a sync leads References to what they mean at a remote, but nothing leads a URL there.
    """
    content = text.encode()
    raw: Raw = {
        "resourceType": "DocumentReference",
        "meta": {"security": list(security)},
        "masterIdentifier": {"system": URI, "value": identifier},
        "status": "current",
        "docStatus": "final",
        "type": TYPE,
        "subject": {"reference": head.subject},
        "date": head.at,
        "author": [{"reference": head.author}],
        **({"custodian": {"reference": head.custodian}} if head.custodian else {}),
        **({"relatesTo": [{"code": "replaces", "target": {"reference": replaces}}]} if replaces else {}),
        "description": TITLE,
        "content": [
            {
                "attachment": {
                    "contentType": "application/fhir+json",
                    "data": base64.b64encode(content).decode(),
                    "size": len(content),
                    "hash": base64.b64encode(hashlib.sha1(content, usedforsecurity=False).digest()).decode(),
                    "title": TITLE,
                    "creation": head.at,
                }
            }
        ],
        "context": {"encounter": [{"reference": head.encounter}]},
    }
    return raw


def document_in(reference: Raw) -> str:
    """The text of the document that stands in a DocumentReference; empty where none does."""
    contents = reference.get("content") or [{}]
    return base64.b64decode(contents[0].get("attachment", {}).get("data", "")).decode()


def replaced_by(document: Raw) -> str | None:
    """The identifier of the document that this one replaces; None for a first one."""
    first: Raw = document["entry"][0]["resource"]
    related = first.get("relatesTo") or [{}]
    return (related[0].get("targetIdentifier") or {}).get("value")
