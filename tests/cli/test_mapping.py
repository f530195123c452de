"""`mapping explain`, `mapping check` and `docs`."""

import json
import shutil
import sys
from pathlib import Path

import pytest

from adapter.cli import laws
from adapter.config import EXT
from adapter.mapping.document import document
from adapter.mapping.registry import MAPPINGS
from adapter.mapping.table import Mapping
from tests.cli.conftest import ndjson, patient

SYNTHEA = Path(__file__).parents[2] / "fixtures" / "fhir" / "synthea"
PATIENT = patient(
    gender="female",
    extension=[{"url": f"{EXT}/capacity", "valueCode": "intact"}, {"url": "urn:example:unknown", "valueString": "kept"}],
    maritalStatus={"text": "married"},
)


def test_explain_tells_what_is_read_and_what_passes_through(casebridge, tmp_path):
    (each,) = casebridge("mapping", "explain", ndjson(tmp_path / "a.ndjson", PATIENT), "--json").json
    assert (each["resource"], each["concept"], each["understood"]) == ("Patient/p1", "client", True)
    read = {row["path"]: row["record"] for row in each["read"]}
    assert read["gender"] == "administrative_gender"
    assert read["name[0].family"] == "names"
    assert read[f"extension[{EXT}/capacity].valueCode"] == "capacity"
    passed = {row["path"] for row in each["passed"]}
    assert {"maritalStatus.text", "extension[urn:example:unknown].valueString", "meta.tag[0].code"} <= passed
    assert not passed & read.keys()
    assert each["problems"] == []


def test_explain_shows_the_same_to_people(casebridge, tmp_path):
    ran = casebridge("mapping", "explain", ndjson(tmp_path / "a.ndjson", PATIENT))
    assert ran.code == 0
    assert "read as: client" in ran.out
    assert "passes through as sent" in ran.out


def test_explain_tells_what_could_not_be_read(casebridge, tmp_path):
    path = ndjson(tmp_path / "a.ndjson", patient(gender="?"), {"resourceType": "Basic", "id": "b"}, "{")
    ran = casebridge("mapping", "explain", path)
    assert ran.code == 1
    assert "A code is not in the table administrative-gender." in ran.out
    assert "not mapped" in ran.out
    assert f"{path}:3: The text is not JSON" in ran.err


def test_an_unknown_modifier_is_told(casebridge, tmp_path):
    odd = patient(modifierExtension=[{"url": "urn:example:not", "valueBoolean": True}])
    assert "a modifier that is not known here" in casebridge("mapping", "explain", ndjson(tmp_path / "a.ndjson", odd)).out


def test_the_laws_hold_on_synthea_and_nothing_is_stored(casebridge, environment):
    environment["CASEBRIDGE_DB"] = "mongodb://127.0.0.1:1/"
    paths = [SYNTHEA / f"{type}.ndjson.gz" for type in ("Patient", "Encounter", "Claim")]
    ran = casebridge("mapping", "check", *paths, "--json")
    assert ran.code == 0
    assert ran.json["checked"]["client"] == 24
    assert ran.json["not mapped"]["Claim"] > 0
    assert ran.json["differences"] == []


def test_what_is_not_a_resource_is_no_pass(casebridge, tmp_path):
    path = ndjson(tmp_path / "a.ndjson", patient(), "{")
    ran = casebridge("mapping", "check", path)
    assert ran.code == 1
    assert f"{path}:2: The text is not JSON" in ran.out


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        (lambda self, raw, fields: {**raw, "gender": "male"} if raw else {"resourceType": "Patient"}, ("GetPut", "gender")),
        (lambda self, raw, fields: dict(reversed(raw.items())) if raw else {"resourceType": "Patient"}, ("GetPut", "order of elements")),
        (lambda self, raw, fields: raw or {"resourceType": "Patient"}, ("PutGet", "administrative_gender")),
        (lambda self, raw, fields: {}["Kanarifugl"], ("raised KeyError", "client")),
    ],
)
def test_a_mapping_that_breaks_a_law_is_shown_by_the_path(casebridge, tmp_path, monkeypatch, broken, told):
    monkeypatch.setattr(Mapping, "overlay", broken)
    ran = casebridge("mapping", "check", ndjson(tmp_path / "a.ndjson", PATIENT), "--json")
    assert ran.code == 1
    assert told in [(row["law"], row["path"]) for row in ran.json["differences"]]


def test_differences_go_as_deep_as_they_can():
    old = {"a": [{"b": 1}, {"b": 2}], "c": 1, "d": True}
    new = {"a": [{"b": 1}, {"b": 3}], "c": 1, "d": 1, "e": 0}
    assert laws.differences(old, new) == ["a[1].b", "d", "e"]
    assert laws.differences(old, json.loads(json.dumps(old))) == []


def test_the_generated_documents_are_current(casebridge):
    ran = casebridge("docs", "--check")
    assert ran.code == 0, ran.out


def test_a_document_that_is_not_current_is_named_and_written(casebridge, tmp_path, monkeypatch):
    (tmp_path / "docs").mkdir()
    (tmp_path / "pyproject.toml").touch()
    root = sys.modules["adapter.cli.docs"]._ROOT
    # What a document is made from, and those that are written by hand but for their tables.
    (tmp_path / "tests").symlink_to(root / "tests")
    for page in ("remotes.md", "api.md", "care.md"):
        shutil.copy(root / "docs" / page, tmp_path / "docs")
    monkeypatch.setattr(sys.modules["adapter.cli.docs"], "_ROOT", tmp_path)
    ran = casebridge("docs", "--check")
    assert ran.code == 1
    assert "docs/mapping.md" in ran.out
    assert casebridge("docs").code == 0
    assert casebridge("docs", "--check").code == 0
    (tmp_path / "docs" / "errors.md").write_text("old")
    assert casebridge("docs", "--check").out.startswith("Not current: docs/errors.md.")


def test_an_installed_casebridge_has_no_documents_to_write(casebridge, tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules["adapter.cli.docs"], "_ROOT", tmp_path)
    assert casebridge("docs").code == 2


def test_the_mapping_document_names_every_field_of_every_record():
    from adapter.cases.registry import RECORDS

    text = document()
    for concept, record in RECORDS.items():
        section = text.split(f"\n## {concept}\n")[1].split("\n## ")[0]
        for key in (*record.keys(), *record.ELSEWHERE):
            assert f"`{key}" in section, f"{concept}.{key}"
    assert {mapping.type for mapping in MAPPINGS} <= set(text.replace("|", " ").replace(",", " ").split())
