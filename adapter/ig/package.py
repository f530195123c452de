"""All that casebridge publishes about itself, and the FHIR package of it: https://hl7.org/fhir/packages.html"""

import gzip
import io
import tarfile
from collections.abc import Iterator
from functools import cache
from types import MappingProxyType

from adapter.care import template
from adapter.config import BASE, OWN_ID
from adapter.fhir.resource import Raw, copy, dumps
from adapter.ig.canonical import DATE, PUBLISHER, VERSION, canonical
from adapter.ig.extensions import extension_definitions
from adapter.ig.profiles import profiles
from adapter.ig.questionnaires import questionnaires
from adapter.ig.vocabulary import code_systems, value_sets
from adapter.mapping.case import CASE_NUMBER

PACKAGE = "casebridge.fhir"
FHIR = "4.0.1"
# What the definitions name that R4 itself does not define: the guide's url, package and version.
_GUIDES = (
    ("http://terminology.hl7.org/ImplementationGuide/hl7.terminology", "hl7.terminology.r4", "6.2.0"),
    ("http://hl7.org/fhir/extensions/ImplementationGuide/hl7.fhir.uv.extensions", "hl7.fhir.uv.extensions.r4", "5.2.0"),
)
_NAMING = {
    OWN_ID: "Identifies a resource that was born in a casebridge by the id that it has there.",
    CASE_NUMBER: "The number of a case, unique within its casebridge.",
}


@cache
def published() -> MappingProxyType[str, Raw]:
    """Every resource that is published, by url: definitions, code systems, value sets, identifier systems, questionnaires, templates."""
    resources = [
        *extension_definitions(),
        *profiles(),
        *code_systems().values(),
        *value_sets().values(),
        *(_naming_system(url, text) for url, text in _NAMING.items()),
        *questionnaires(),
        *(template.plan_definition(name) for name in template.names()),
    ]
    return MappingProxyType({_url(raw): raw for raw in [*resources, _guide(resources)]})


def _url(raw: Raw) -> str:
    """A NamingSystem of R4 has no url of its own."""
    return str(raw.get("url") or f"{BASE}/{raw['resourceType']}/{raw['id']}")


def _naming_system(url: str, description: str) -> Raw:
    head = canonical("NamingSystem", url.rpartition("/")[2], description)
    kept = {name: value for name, value in head.items() if name not in ("url", "version", "title", "experimental")}
    return {**kept, "kind": "identifier", "uniqueId": [{"type": "uri", "value": url, "preferred": True}]}


def _guide(resources: list[Raw]) -> Raw:
    listed = [
        {"reference": {"reference": f"{raw['resourceType']}/{raw['id']}"}, "name": raw.get("title", raw["name"])} for raw in resources
    ]
    return {
        **canonical("ImplementationGuide", PACKAGE, "How casebridge says in FHIR what case management works with.", title="casebridge"),
        "name": "Casebridge",
        "packageId": PACKAGE,
        "license": "Apache-2.0",
        "fhirVersion": [FHIR],
        "dependsOn": [{"id": name.replace(".", "-"), "uri": url, "packageId": name, "version": version} for url, name, version in _GUIDES],
        "definition": {"resource": listed},
    }


def files() -> Iterator[tuple[str, str]]:
    """The files of the package, by path: its manifest, its index and a file for each resource."""
    manifest = {
        "name": PACKAGE,
        "version": VERSION,
        "type": "IG",
        "canonical": BASE,
        "title": "casebridge",
        "description": "Extensions, profiles, code systems, value sets and instruments of casebridge.",
        "author": PUBLISHER,
        "license": "Apache-2.0",
        "date": DATE.replace("-", "") + "000000",
        "fhirVersions": [FHIR],
        "dependencies": {"hl7.fhir.r4.core": FHIR} | {name: version for _, name, version in _GUIDES},
        "url": BASE,
    }
    yield "package/package.json", dumps(manifest)
    named = {f"{raw['resourceType']}-{raw['id']}.json": raw for raw in published().values()}
    yield "package/.index.json", dumps({"index-version": 2, "files": [_indexed(name, raw) for name, raw in named.items()]})
    yield from ((f"package/{name}", dumps(copy(raw))) for name, raw in named.items())


def _indexed(name: str, raw: Raw) -> dict[str, str]:
    """A line of the index, by which a reader finds a resource without opening its file."""
    told = ("resourceType", "id", "url", "version", "kind", "type")
    return {"filename": name} | {key: raw[key] for key in told if isinstance(raw.get(key), str)}


def archive() -> bytes:
    """The package as a gzipped tar; the same bytes for the same content."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for path, text in files():
            entry = tarfile.TarInfo(path)
            content = text.encode()
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return gzip.compress(packed.getvalue(), mtime=0)
