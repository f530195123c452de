"""What an answer tells, read from the answer itself: so no door, and no operation that is still to come, can forget to say it."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import msgspec

from adapter.errors import (
    CasebridgeError,
    Conflict,
    Forbidden,
    Gone,
    Invalid,
    NotFound,
    RuleViolated,
    StaleRecord,
    TooLarge,
    Unauthenticated,
)
from adapter.fhir.shapes import SUBSETTED
from server.audit.focus import faces
from server.errors import MethodNotAllowed

_ID = rb"[A-Za-z0-9.-]{1,64}"
_TYPED = rb"[A-Z][A-Za-z]{2,40}/" + _ID
# A search for plain text is ten times as fast as one for a choice of characters, so what stands before is looked at afterwards.
_NAMED = re.compile(rb"Patient/(" + _ID + rb")")
_BEFORE_REFERENCE = b'"='
_ENTRY = re.compile(rb'"fullUrl": ?"[^"]{1,2000}?/fhir/(' + _TYPED + rb')"')
_RECORD = re.compile(rb'"meta":\{"reference":"(' + _TYPED + rb')"')
_CASE = re.compile(rb'"/cases/(' + _ID + rb")")
_LINK = re.compile(rb'"/(?:fhir/(' + _TYPED + rb")|records/([a-z_]+)/(" + _ID + rb"))")
_ROW = re.compile(rb'"reference":"(' + _TYPED + rb')"')
# What is deleted, and what is told by its address alone, say of a resource no more than which one it is.
_DELETED = re.compile(rb'"method": ?"DELETE",\s*"url": ?"(' + _TYPED + rb')"')
_LOCATED = re.compile(rb'"location": ?"(' + _TYPED + rb")/_history/")
_ADDRESS = re.compile(rb"/fhir/(" + _TYPED + rb")/_history/[0-9]+$")
# The form of a record says which version it is made from; that of a new one says 0.
_VERSION = re.compile(rb'name="version" value="[1-9]')
_SUBSETTED = b'"%s"' % SUBSETTED["code"].encode()
_BUNDLE, _RESOURCE = (re.compile(rb"\s*\{\s*\"resourceType\": ?\"" + each).match for each in (rb"Bundle\"", rb"[A-Z]"))
_PATIENT, _PERSON = b"Patient/", b'"resourceType":"Patient"'
_WITH_ID = re.compile(rb'"resourceType":"Patient","id":"(' + _ID + rb')"')
# Of several errors of one status that which pages have.
_ERRORS = (Invalid, Unauthenticated, Forbidden, NotFound, MethodNotAllowed, Conflict, Gone, StaleRecord, TooLarge, RuleViolated)
_USUAL = {each.status: each.issue_code for each in _ERRORS}


@dataclass(frozen=True)
class Said:
    """What an answer tells: the patients that it is about or names, as `Patient/x`, and the resources in it, as `Type/id`."""

    patients: frozenset[str] = frozenset()
    resources: tuple[str, ...] = ()
    cases: frozenset[str] = frozenset()
    """Ids of cases that a page leads to."""
    count: int | None = None
    """How many resources they are; None where it is a page or a record."""
    linked: frozenset[str] = frozenset()
    """The resources that a page leads to, and those that rows of the case API are about, as `Type/id`."""
    part: bool = False
    """Whether of some resources only a part is in it, so that whose they are may be left out."""
    bare: frozenset[str] = frozenset()
    """The resources of which it says no more than which they are, as `Type/id`: deletions, and addresses of versions."""
    sheet: bool = False
    """Whether it is a form with what is in a record, which is the one that the path names."""


def said(body: bytes, address: str = "") -> Said:
    """What a whole answer tells: a resource, a Bundle, a record of the case API, a page; and its (Content-)Location."""
    located = [*_LOCATED.findall(body), *_ADDRESS.findall(address.encode())]
    resources = dict.fromkeys([*_ENTRY.findall(body), *_RECORD.findall(body), *located])
    people = {each for each in resources if each.startswith(_PATIENT)} | _named(body)
    count = len(resources) if _BUNDLE(body) else 1 if _RESOURCE(body) else None
    names, bare = tuple(each.decode() for each in resources), _texts([*located, *_DELETED.findall(body)])
    return Said(_texts(people), names, _texts(_CASE.findall(body)), count, part=_SUBSETTED in body, bare=bare)


def shown(body: bytes) -> Said:
    """What a page or an answer of the case API tells."""
    links = [(typed, concept.decode(), id.decode()) for typed, concept, id in _LINK.findall(body)]
    records = {each for typed, concept, id in links if not typed for each in faces(concept, id)}
    linked = _texts([*_ROW.findall(body), *(typed for typed, _, _ in links if typed)]) | records
    return replace(said(body), linked=linked, sheet=_VERSION.search(body) is not None)


def refused(status: int, body: bytes) -> tuple[str, Said]:
    """Why an answer of this status refuses, as `400 invalid`, and what it tells all the same: a form comes back with what is in records."""
    told = shown(body)
    try:
        problem = _PROBLEM.decode(body)
    except msgspec.DecodeError:
        return f"{status} {_USUAL.get(status, CasebridgeError.issue_code)}", told
    return f"{status} {problem.code}", replace(told, linked=told.linked | {*problem.allowed})


class _Problem(msgspec.Struct):
    code: str
    allowed: list[str] = []


class _Identity(msgspec.Struct):
    id: str
    resourceType: str  # noqa: N815 - FHIR's name


_IDENTITY, _PROBLEM = msgspec.json.Decoder(_Identity), msgspec.json.Decoder(_Problem)


def people(lines: bytes) -> frozenset[str]:
    """The patients whom lines of resources are about or name, as `Patient/x`. The lines are whole: half an id is another id."""
    found = _named(lines) | {_PATIENT + id for id in _WITH_ID.findall(lines)}
    if _PERSON in lines:
        found |= {each for each in _identities(lines, _PERSON) if each.startswith(_PATIENT)}
    return _texts(found)


def parts(lines: bytes) -> frozenset[str]:
    """The resources of which whole lines hold but a part, or that they are deleted, as `Type/id`: whose they are may be left out."""
    return _texts([*_DELETED.findall(lines), *(_identities(lines, _SUBSETTED) if _SUBSETTED in lines else ())])


def _named(text: bytes) -> set[bytes]:
    """The patients whom references lead to, in JSON and in pages; not those of other servers, whose addresses stand before."""
    return {found[0] for found in _NAMED.finditer(text) if found.start() and text[found.start() - 1] in _BEFORE_REFERENCE}


def _identities(lines: bytes, mark: bytes) -> Iterator[bytes]:
    """What the lines that hold this are, as `Type/id`."""
    for line in lines.split(b"\n"):
        if mark in line:
            try:
                found = _IDENTITY.decode(line)
            except msgspec.DecodeError:
                continue
            yield f"{found.resourceType}/{found.id}".encode()


def _texts(found: Iterable[bytes]) -> frozenset[str]:
    return frozenset(each.decode() for each in found)
