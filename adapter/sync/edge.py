"""The edge between local and remote terms: references and identity. What crosses it outward comes back inward as it was.

A resource born at a remote has a local id made from the remote's address and its id there, so a reference can be translated before its
target has arrived. A resource born in a casebridge carries its id with it (an identifier of ours, or a tag where R4 gives the type no list
of identifiers) and has the same id in every casebridge.
"""

from collections.abc import Callable, Iterator
from functools import lru_cache
from uuid import UUID, uuid5

from adapter.config import OWN_ID
from adapter.fhir.capability import Capability
from adapter.fhir.references import rewrite, split, walk
from adapter.fhir.resource import SERVER_META, Raw
from adapter.sync.remotes.remote import Remote

# R4 types with no list of identifiers, or with none that can be searched.
_TAGGED = frozenset(
    {"AuditEvent", "Binary", "Bundle", "CapabilityStatement", "CompartmentDefinition", "Composition", "ConceptMap", "GraphDefinition"}
    | {"ImplementationGuide", "Linkage", "MessageHeader", "NamingSystem", "OperationDefinition", "OperationOutcome"}
    | {"Parameters", "Provenance", "QuestionnaireResponse", "SearchParameter", "Subscription", "TerminologyCapabilities", "TestReport"}
    | {"TestScript", "VerificationResult", "AdverseEvent", "BiologicallyDerivedProduct", "CatalogEntry", "MedicationKnowledge"}
    | {"MedicinalProductContraindication", "MedicinalProductIndication", "MedicinalProductIngredient", "MedicinalProductInteraction"}
    | {"MedicinalProductManufactured", "MedicinalProductUndesirableEffect", "ObservationDefinition", "SubstanceNucleicAcid"}
    | {"SubstancePolymer", "SubstanceProtein", "SubstanceReferenceInformation", "SubstanceSourceMaterial", "SubstanceSpecification"}
)

# Beside the id, on those types: HAPI 8.8 refuses a search for all tags of a system.
_BORN = "casebridge"


def own_id(raw: Raw) -> str | None:
    """The id that a casebridge gave this resource, None for one that was born elsewhere."""
    for identifier in raw.get("identifier") or () if raw.get("resourceType") not in _TAGGED else ():
        if isinstance(identifier, dict) and identifier.get("system") == OWN_ID:
            return identifier.get("value")
    for tag in (raw.get("meta") or {}).get("tag") or ():
        if isinstance(tag, dict) and tag.get("system") == OWN_ID and tag.get("code") != _BORN:
            return tag.get("code")
    return None


def own_search(type: str, *ids: str) -> dict[str, str]:
    """The search for the resources of this type that a casebridge made under these ids, or without ids for all of them."""
    name, every = ("_tag", _BORN) if type in _TAGGED else ("identifier", "")
    return {name: ",".join(f"{OWN_ID}|{id}" for id in ids or (every,))}


def knows_own(capability: Capability, type: str) -> bool:
    """Whether a remote can be asked which resources of a type were born in a casebridge."""
    return next(iter(own_search(type))) in capability.search_params(type)


def with_own_id(raw: Raw, id: str) -> Raw:
    """The resource carrying its casebridge id."""
    if own_id(raw) is not None:
        return raw
    if raw["resourceType"] in _TAGGED:
        meta = raw.get("meta") or {}
        return {**raw, "meta": {**meta, "tag": [*meta.get("tag", ()), *({"system": OWN_ID, "code": code} for code in (_BORN, id))]}}
    return {**raw, "identifier": [*raw.get("identifier", ()), {"system": OWN_ID, "value": id}]}


def without_own_id(raw: Raw) -> Raw:
    """The resource without its casebridge id: as it was before `with_own_id`."""
    if own_id(raw) is None:
        return raw
    body = dict(raw)
    if raw["resourceType"] in _TAGGED:
        body["meta"] = _without(body["meta"], "tag")
        if not body["meta"]:
            del body["meta"]
        return body
    return _without(body, "identifier")


def _without(holder: Raw, name: str) -> Raw:
    kept = [item for item in holder[name] if not (isinstance(item, dict) and item.get("system") == OWN_ID)]
    rest = {key: value for key, value in holder.items() if key != name}
    return {key: kept if key == name else value for key, value in holder.items()} if kept else rest


@lru_cache(10_000)
def _made_id(namespace: UUID, reference: str) -> str:
    """Remembered, since the resources of a page refer to few others, time and again."""
    return str(uuid5(namespace, reference))


class Edge:
    """Translates between one remote's terms and ours. `known` maps Type/id there to our id, where it is not the one that would be made."""

    def __init__(self, remote: Remote, known: dict[str, str]) -> None:
        self._namespace = UUID(remote.namespace)
        self._base = remote.url.rstrip("/") + "/"
        self.known = known
        self.joined: dict[str, str] = {}
        """Type/id there → our id, of who was found to be somebody here: they were born there, whatever id they carry."""

    def local_id(self, reference: str) -> str:
        """Our id for a resource of the remote, given as Type/id."""
        return self.joined.get(reference) or self.known.get(reference) or self.made_id(reference)

    def made_id(self, reference: str) -> str:
        """The id that a resource born at the remote gets here."""
        return _made_id(self._namespace, reference)

    def named(self, there: str, id: str) -> bool:
        """Whether our id for a resource of the remote (Type/id there) is another than the one that would be made."""
        return self.made_id(there) != id

    def targets(self, raw: Raw) -> Iterator[str]:
        """Type/id there of each resource that a resource of the remote refers to."""
        for found in walk(raw):
            if parts := split(found["reference"].removeprefix(self._base)):
                yield f"{parts[0]}/{parts[1]}"

    def to_local(self, raw: Raw) -> Raw:
        """A resource from the remote in local terms: references, identity, none of the remote's version and time."""
        inward = without_own_id(rewrite(raw, self._inward))
        body = {name: value for name, value in inward.items() if name not in ("id", "meta")}
        meta = {name: value for name, value in (inward.get("meta") or {}).items() if name not in SERVER_META}
        return body if not meta else {name: meta if name == "meta" else value for name, value in inward.items() if name != "id"}

    def _inward(self, reference: str) -> str:
        parts = split(reference.removeprefix(self._base))
        if parts is None:
            return reference
        type, id, version = parts
        return f"{type}/{self.local_id(f'{type}/{id}')}{f'/_history/{version}' if version else ''}"

    @staticmethod
    def to_remote(raw: Raw, id: str | None, outward: Callable[[str], str]) -> Raw:
        """A resource in the remote's terms, without id and version; `id` is the casebridge id that it is to carry."""
        body = {name: value for name, value in rewrite(raw, outward).items() if name != "id"}
        meta = {name: value for name, value in (body.get("meta") or {}).items() if name not in SERVER_META}
        body = {name: meta if name == "meta" else value for name, value in body.items() if name != "meta" or meta}
        return with_own_id(body, id) if id else body
