"""A document: a Bundle that begins with its Composition and holds all that it refers to. http://hl7.org/fhir/R4/documents.html"""

from collections.abc import Iterable
from uuid import NAMESPACE_URL, uuid5

from adapter.fhir.references import rewrite, without
from adapter.fhir.resource import Raw

URI = "urn:ietf:rfc:3986"
"""The system of an identifier that is a URI."""
# A version, a time and claims are of the resource where it is kept; of its copy here they would not hold.
_KEPT_META = ("security", "tag")


def document(composition: Raw, resources: Iterable[Raw], *, identifier: str, at: str) -> Raw:
    """The Bundle of a Composition and these resources, each of which has its id; `identifier` is a URI, `at` an instant.

    References among them lead to its entries; those to anything else are left out, so that nothing in it leads nowhere. Of the same parts
    it makes the same Bundle.
    """
    parts = [composition, *resources]
    urls = {(name := f"{raw['resourceType']}/{raw['id']}"): f"urn:uuid:{uuid5(NAMESPACE_URL, f'{identifier} {name}')}" for raw in parts}
    entries = [{"fullUrl": urls[f"{raw['resourceType']}/{raw['id']}"], "resource": _closed(raw, urls)} for raw in parts]
    return {
        "resourceType": "Bundle",
        "identifier": {"system": URI, "value": identifier},
        "type": "document",
        "timestamp": at,
        "entry": entries,
    }


def _closed(raw: Raw, urls: dict[str, str]) -> Raw:
    kept = {name: value for name, value in (raw.get("meta") or {}).items() if name in _KEPT_META}
    bare = {name: kept if name == "meta" else value for name, value in raw.items() if name != "meta" or kept}
    inner = without(bare, lambda text: text not in urls and not text.startswith("#"))
    return rewrite(inner, lambda text: urls.get(text, text))
