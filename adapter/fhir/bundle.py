"""Bundles: build a transaction or a batch, read its answer, read a history. http://hl7.org/fhir/R4/bundle.html"""

import re
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from adapter.errors import Invalid, RemoteFatal
from adapter.fhir.resource import Raw, resource_type

_ETAG = re.compile(r'(?:W/)?"?([^"]*)"?')
_PLACE = re.compile(r"([A-Z][A-Za-z]+)/([A-Za-z0-9.-]{1,64})(?:/_history/([A-Za-z0-9.-]{1,64}))?$")


@dataclass(frozen=True)
class EntryResult:
    """What became of one entry of a transaction or batch. `outcome` is the remote's OperationOutcome, to be kept and not shown."""

    status: int
    type: str | None
    id: str | None
    version: str | None
    location: str | None
    raw: Raw | None
    outcome: Raw | None


@dataclass(frozen=True)
class HistoryEntry:
    """One version of one resource. `updated` is the remote's own text; some (HAPI, on a deletion) do not tell it."""

    type: str
    id: str
    version: str | None
    deleted: bool
    updated: str | None
    raw: Raw | None


def version(etag: object) -> str | None:
    """The bare version in whatever form a server gives it: `W/"3"`, `"3"`, `3` and 3 are all "3"."""
    if etag is None or isinstance(etag, bool):
        return None
    found = _ETAG.fullmatch(str(etag).strip())
    return (found[1] or None) if found else None


def weak_etag(version: str) -> str:
    return f'W/"{version}"'


def place(location: str | None) -> tuple[str, str, str | None] | None:
    """(type, id, version or None) at the end of a relative or absolute URL of a resource; None where there is none."""
    found = _PLACE.search(location or "")
    return (found[1], found[2], found[3]) if found else None


def token(system: str, value: str) -> str:
    """The search value `system|value`, with the marks that FHIR search gives a meaning escaped: http://hl7.org/fhir/R4/search.html#escaping"""
    return "|".join(re.sub(r"([\\,$|])", r"\\\1", part) for part in (system, value))


def condition(params: Mapping[str, str]) -> str:
    """The query text for If-None-Exist and `ifNoneExist`."""
    return urlencode(params)


def create(raw: Raw, *, if_none_exist: str | None = None, full_url: str | None = None) -> Raw:
    """An entry that creates `raw`; other entries may refer to it by its fullUrl, a new urn:uuid unless given."""
    request = {"method": "POST", "url": resource_type(raw)}
    if if_none_exist is not None:
        request["ifNoneExist"] = if_none_exist
    return {"fullUrl": full_url or f"urn:uuid:{uuid.uuid4()}", "resource": raw, "request": request}


def update(raw: Raw, *, if_match: str) -> Raw:
    """An entry that writes `raw` over the version `if_match` of itself."""
    url = address(raw)
    return {"fullUrl": url, "resource": raw, "request": {"method": "PUT", "url": url, "ifMatch": weak_etag(if_match)}}


def delete(type: str, id: str, *, if_match: str | None = None) -> Raw:
    request = {"method": "DELETE", "url": f"{type}/{id}"}
    if if_match is not None:
        request["ifMatch"] = weak_etag(if_match)
    return {"request": request}


def read(reference: str) -> Raw:
    """An entry that reads the current version of `Type/id`."""
    return {"request": {"method": "GET", "url": reference}}


def count(type: str, params: Mapping[str, str | int | Sequence[str]]) -> Raw:
    """An entry that asks how many resources a search finds."""
    return {"request": {"method": "GET", "url": f"{type}?{urlencode({**params, '_summary': 'count'}, doseq=True)}"}}


def transaction(entries: Iterable[Raw]) -> Raw:
    """A Bundle that a server carries out wholly or not at all."""
    return {"resourceType": "Bundle", "type": "transaction", "entry": list(entries)}


def batch(entries: Iterable[Raw]) -> Raw:
    """A Bundle whose entries a server carries out one by one, each with its own result."""
    return {"resourceType": "Bundle", "type": "batch", "entry": list(entries)}


def address(raw: Raw) -> str:
    """`Type/id` of a resource. Raises Invalid where it has no id."""
    id = raw.get("id")
    if not isinstance(id, str) or not id:
        raise Invalid("A resource without an id cannot be updated.", expression=[f"{resource_type(raw)}.id"])
    return f"{resource_type(raw)}/{id}"


def idempotent(bundle: Raw) -> bool:
    """Whether sending the Bundle twice does no more than sending it once: every entry reads, deletes, or carries its condition."""
    needs = {"GET": "url", "HEAD": "url", "DELETE": "url", "PUT": "ifMatch", "POST": "ifNoneExist"}
    requests = [entry.get("request") or {} for entry in bundle.get("entry") or ()]
    return all(request.get(needs.get(request.get("method", ""), "-")) for request in requests)


def conditional(bundle: Raw) -> bool:
    """Whether the Bundle holds a condition and no expected version, so that a 412 can only mean several matches."""
    requests = [entry.get("request") or {} for entry in bundle.get("entry") or ()]
    return any(r.get("ifNoneExist") for r in requests) and not any(r.get("ifMatch") for r in requests)


def results(answer: Raw, *, expected: int) -> list[EntryResult]:
    """What became of each entry, in the order of the request. Raises RemoteFatal where the answer does not fit the request."""
    found = entries(answer)
    if len(found) != expected:
        raise RemoteFatal(f"The remote answered {expected} Bundle entries with {len(found)}; what it did cannot be told from that.")
    return [_result(entry) for entry in found]


def _result(entry: Raw) -> EntryResult:
    response, raw = entry.get("response", {}), entry.get("resource")
    status = str(response.get("status") or "")[:3]
    if not status.isdigit():
        raise RemoteFatal("The remote answered a Bundle entry without an HTTP status.")
    outcome = response.get("outcome")
    if isinstance(raw, dict) and raw.get("resourceType") == "OperationOutcome":
        raw, outcome = None, outcome or raw
    location = response.get("location")
    type, id, located = place(location) or (None, None, None)
    own = raw or {}
    return EntryResult(
        status=int(status),
        type=type or own.get("resourceType"),
        id=id or own.get("id"),
        version=version(response.get("etag")) or located or version(meta(own).get("versionId")),
        location=location,
        raw=raw,
        outcome=outcome,
    )


def history(bundle: Raw) -> Iterator[HistoryEntry]:
    """The versions in one page of a history, in the remote's order. Raises RemoteFatal for an entry that names no resource."""
    for entry in entries(bundle):
        raw, request, response = entry.get("resource"), entry.get("request", {}), entry.get("response", {})
        own = raw or {}
        # A deleted version has no resource: its name is in the request's or the entry's URL.
        urls = (request.get("url"), response.get("location"), entry.get("fullUrl"))
        named = next(filter(None, map(place, urls)), (None, None, None))
        type, id = own.get("resourceType") or named[0], own.get("id") or named[1]
        if not type or not id:
            raise RemoteFatal("The remote's history holds an entry that names no resource.")
        yield HistoryEntry(
            type=type,
            id=id,
            version=version(meta(own).get("versionId")) or version(response.get("etag")) or named[2],
            deleted=request.get("method") == "DELETE" or raw is None,
            updated=meta(own).get("lastUpdated") or response.get("lastModified"),
            raw=raw,
        )


def entries(bundle: Raw) -> list[Raw]:
    """The entries of a Bundle received. Raises RemoteFatal where they do not have the shape of entries."""
    found = bundle.get("entry") or []
    if not isinstance(found, list) or not all(_is_entry(entry) for entry in found):
        raise RemoteFatal("The remote's Bundle is malformed: its entry is not a list of entries.")
    return found


def _is_entry(entry: object) -> bool:
    parts = ("resource", "request", "response", "search")
    return isinstance(entry, dict) and all(isinstance(entry[part], dict) for part in parts if part in entry)


def link(bundle: Raw, relation: str) -> str | None:
    """The URL of a Bundle's link, None where it has none."""
    links = bundle.get("link") or ()
    return next((str(item["url"]) for item in links if item.get("relation") == relation and item.get("url")), None)


def meta(raw: Raw) -> Raw:
    """The resource's meta, empty where it has none."""
    found = raw.get("meta")
    return found if isinstance(found, dict) else {}
