"""The published package says what the tables say: each extension, code and profile that a resource of ours can bear is in it."""

import io
import json
import tarfile
from typing import Any

import pytest

from adapter.config import BASE, CS, EXT
from adapter.fhir.resource import check_structure, parse
from adapter.ig.package import archive, files, published
from adapter.ig.profiles import profile_url
from adapter.mapping.registry import MAPPINGS
from tests.mapping.data import FIXTURES

DOMAIN_EXTENSIONS = (
    "cm-process-step",
    "cm-model",
    "close-reason",
    "referral-source",
    "eligibility-marker",
    "capacity",
    "support-kind",
    "license-status",
    "ccm-work-share",
    "caseload-limit",
    "mentor",
    "screening-disposition",
    "treatment-response",
    "risk-factor",
    "stratification-tier",
    "potential-for-change",
    "priority-score",
    "tier-override",
    "medical-necessity",
    "social-situation",
    "option-choice",
    "plan-acceptance",
    "plan-adjustment",
    "resource-given",
    "estimated-cost",
    "outcome-monitor",
    "intervention-kind",
    "service-status",
    "accompanied",
    "contact-outcome",
    "information-source",
    "adjustment-decision",
    "barrier-status",
    "cost-outcome",
    "delay-reason",
)
"""DOMAIN §5.3, all 35."""

DEFINITIONS = [raw for raw in published().values() if raw["resourceType"] == "StructureDefinition"]
PAIRS = sorted((FIXTURES / "pairs").glob("*/*.fhir.json"))


def extensions(node: Any) -> set[str]:
    """The urls of all extensions of ours in a resource."""
    if isinstance(node, list):
        return set().union(*map(extensions, node))
    if not isinstance(node, dict):
        return set()
    own = {node["url"]} if str(node.get("url", "")).startswith(f"{EXT}/") else set()
    return own.union(*map(extensions, node.values()))


def codings(node: Any) -> set[tuple[str, str]]:
    """System and code of all codings of code systems of ours in a resource."""
    if isinstance(node, list):
        return set().union(*map(codings, node))
    if not isinstance(node, dict):
        return set()
    own = {(node["system"], node["code"])} if str(node.get("system", "")).startswith(f"{CS}/") and "code" in node else set()
    return own.union(*map(codings, node.values()))


@pytest.mark.parametrize("name", DOMAIN_EXTENSIONS)
def test_an_extension_of_the_domain_is_published(name: str) -> None:
    assert published()[f"{EXT}/{name}"]["type"] == "Extension"


@pytest.mark.parametrize("path", PAIRS, ids=lambda path: f"{path.parent.name}/{path.name.partition('.')[0]}")
def test_what_a_resource_of_ours_bears_is_published(path: Any) -> None:
    raw = parse(path.read_bytes())
    assert extensions(raw) - published().keys() == set()
    for system, code in codings(raw):
        assert code in {concept["code"] for concept in published()[system]["concept"]}, (system, code)


@pytest.mark.parametrize("path", [path for path in PAIRS if path.name.startswith("full")], ids=lambda path: path.parent.name)
def test_an_extension_stands_where_its_definition_allows_it(path: Any) -> None:
    raw = parse(path.read_bytes())
    for place, url in placed(raw, raw["resourceType"]):
        assert place in {context["expression"] for context in published()[url]["context"]}, url


def placed(node: Any, path: str) -> set[tuple[str, str]]:
    """Where which extension of ours stands."""
    found = set()
    for name, held in node.items() if isinstance(node, dict) else ():
        for item in held if isinstance(held, list) else [held]:
            if name == "extension" and str(item.get("url", "")).startswith(f"{EXT}/"):
                found.add((path, item["url"]))
            elif name != "extension":
                found |= placed(item, f"{path}.{name}")
    return found


def test_each_face_of_a_record_has_a_profile() -> None:
    assert {profile_url(mapping) for mapping in MAPPINGS} <= published().keys()


def test_a_binding_names_a_value_set_that_is_published() -> None:
    bound = {element["binding"]["valueSet"] for raw in DEFINITIONS for element in raw["differential"]["element"] if "binding" in element}
    assert bound
    assert bound <= published().keys()
    for url in bound:
        [included] = published()[url]["compose"]["include"]
        assert included["system"] in published()


def test_the_parts_of_an_extension_are_slices_of_it() -> None:
    elements = {element["id"]: element for element in published()[f"{EXT}/cm-model"]["differential"]["element"]}
    assert elements["Extension"]["max"] == "*"
    assert elements["Extension.extension:model"]["min"] == 1
    assert elements["Extension.extension:model.value[x]"]["binding"]["valueSet"] == f"{BASE}/ValueSet/cm-model"
    assert elements["Extension.extension:period.value[x]"]["type"] == [{"code": "Period"}]
    assert elements["Extension.value[x]"]["max"] == "0"


def test_every_published_resource_has_the_structure_of_r4() -> None:
    for raw in published().values():
        check_structure(raw)


def test_ids_are_unique_within_a_type() -> None:
    named = [(raw["resourceType"], raw["id"]) for raw in published().values()]
    assert len(named) == len(set(named))


def test_the_archive_holds_the_files_and_an_index_of_them() -> None:
    with tarfile.open(fileobj=io.BytesIO(archive())) as tar:
        packed = {member.name: tar.extractfile(member).read().decode() for member in tar.getmembers()}  # type: ignore[union-attr]
    assert packed == dict(files())
    index = json.loads(packed["package/.index.json"])
    assert {f"package/{row['filename']}" for row in index["files"]} == packed.keys() - {"package/package.json", "package/.index.json"}
    assert json.loads(packed["package/package.json"])["fhirVersions"] == ["4.0.1"]


def test_the_archive_is_the_same_each_time() -> None:
    assert archive() == archive()
