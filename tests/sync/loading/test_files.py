"""Resources from files: what is read, what is refused and how that is named, and what an import leaves in the store."""

import gzip
import json
import tracemalloc
from pathlib import Path

import pytest
import zstandard

from adapter.errors import Invalid, TooLarge, VersionConflict
from adapter.store.documents import Change
from adapter.store.repository import Repository
from adapter.sync.loading import files
from adapter.sync.loading import load as loading
from adapter.sync.loading.files import resources
from adapter.sync.loading.load import load
from adapter.sync.loading.stretches import MB
from tests.cli.conftest import ndjson, patient

SYNTHEA = Path(__file__).parents[3] / "fixtures" / "fhir" / "synthea"


@pytest.fixture
def repository(database) -> Repository:
    return Repository(database)


def faults(path, **options) -> list[tuple[str, str]]:
    """Where and why, of what is bad in a file."""
    return [(str(item.place).removeprefix(str(path)), item.fault) for item in resources(path, **options) if item.fault]


def refused(report) -> list[tuple[str, int | None, str, str]]:
    return [(Path(bad.place.file).name, bad.place.line, bad.place.path, bad.reason) for bad in report.bad]


def packed(path: Path, text: bytes) -> Path:
    pack = {".gz": gzip.compress, ".zst": zstandard.compress}.get(path.suffix, lambda plain: plain)
    path.write_bytes(pack(text))
    return path


@pytest.mark.parametrize("name", ["a.json", "a.json.gz", "a.json.zst", "a.ndjson", "a.ndjson.gz", "a.ndjson.zst", "b.c.NDJSON.gz"])
def test_every_kind_of_file_is_read(tmp_path, name):
    path = packed(tmp_path / name, json.dumps(patient()).encode())
    assert [item.raw for item in resources(path)] == [patient()]


def test_a_folder_is_looked_through_and_other_files_in_it_are_left_alone(tmp_path):
    (tmp_path / "inner").mkdir()
    ndjson(tmp_path / "inner" / "b.ndjson", patient("b"))
    packed(tmp_path / "a.json.gz", json.dumps(patient("a")).encode())
    (tmp_path / "readme.txt").write_text("no resource")
    assert [path.name for path in files.files([tmp_path])] == ["a.json.gz", "b.ndjson"]


def test_a_path_that_means_nothing_is_refused(tmp_path):
    for path in (tmp_path, tmp_path / "missing.json"):
        with pytest.raises(Invalid):
            files.files([path])


def test_zst_frames_one_after_the_other_are_one_file(tmp_path):
    path = tmp_path / "a.ndjson.zst"
    path.write_bytes(b"".join(zstandard.compress(json.dumps(patient(id)).encode() + b"\n") for id in ("a", "b")))
    assert [item.raw["id"] for item in resources(path)] == ["a", "b"]


def test_blank_lines_windows_line_ends_and_a_byte_order_mark_are_no_faults(tmp_path):
    path = tmp_path / "a.ndjson"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(patient("a")).encode() + b"\r\n\r\n" + json.dumps(patient("b")).encode())
    assert [item.raw["id"] for item in resources(path)] == ["a", "b"]


def test_broken_lines_are_named_and_the_others_are_read(tmp_path):
    path = ndjson(tmp_path / "a.ndjson", '{"resourceType": "Patient", "name": "Kanarifugl', patient(), "[1]", '{"id": "Kanarifugl"}')
    found = faults(path)
    assert [where for where, _ in found] == [":1", ":3", ":4"]
    assert "not JSON" in found[0][1]
    assert "not an object" in found[1][1]
    assert "resourceType" in found[2][1]
    assert "kanarifugl" not in str(found).casefold()


def test_a_line_over_the_limit_is_passed_over_without_being_held(tmp_path):
    path = tmp_path / "a.ndjson"
    with path.open("wb") as file:
        file.write(json.dumps(patient("a")).encode() + b"\n")
        file.write(b'{"resourceType": "Patient", "name": "')
        for _ in range(100):
            file.write(b"x" * MB)
        file.write(b'"}\n' + json.dumps(patient("b")).encode() + b"\n")
    tracemalloc.start()
    found = list(resources(path, limit=4 * MB))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [item.raw["id"] for item in found if item.raw] == ["a", "b"]
    assert faults(path, limit=4 * MB) == [(":2", "the line is over the limit of 4 MB")]
    assert peak < 20 * MB


def test_a_json_file_over_the_limit_is_refused_with_a_way_out(tmp_path):
    path = packed(tmp_path / "a.json", b" " * (MB + 1))
    ((where, fault),) = faults(path, limit=MB)
    assert where == ""
    assert "1 MB" in fault
    assert ".ndjson" in fault


@pytest.mark.parametrize("ending", ["gz", "zst"])
def test_a_damaged_file_is_named_after_what_could_be_read(tmp_path, ending):
    rows = "".join(json.dumps(patient(f"p{number}")) + "\n" for number in range(20000)).encode()
    path = packed(tmp_path / f"a.ndjson.{ending}", rows)
    path.write_bytes(path.read_bytes()[:-200])
    *read, last = resources(path)
    assert "damaged or cut off" in last.fault or "not JSON" in last.fault
    assert len([item for item in read if item.raw]) > 100
    path.write_bytes(b"no such thing")
    assert "damaged" in faults(path)[0][1]


def test_references_inside_a_bundle_become_local_ones(tmp_path):
    uuid = "11111111-2222-4333-8444-555555555555"
    encounter = {"resourceType": "Encounter", "id": "e1", "subject": {"reference": f"urn:uuid:{uuid}"}}
    absolute = {"resourceType": "Condition", "id": "c1", "encounter": {"reference": "https://ehr.example/Encounter/e1"}}
    unknown = {"resourceType": "Flag", "id": "f1", "subject": {"reference": "urn:uuid:99999999-2222-4333-8444-555555555555"}}
    named = {name: value for name, value in patient().items() if name != "id"}
    entries = [
        {"fullUrl": f"urn:uuid:{uuid}", "resource": named, "request": {"method": "POST", "url": "Patient"}},
        {"fullUrl": "https://ehr.example/Encounter/e1", "resource": encounter},
        {"resource": absolute},
        {"resource": unknown},
    ]
    path = packed(tmp_path / "a.json", json.dumps({"resourceType": "Bundle", "type": "transaction", "entry": entries}).encode())
    first, second, third, fourth = (item.raw for item in resources(path))
    assert first["id"] == uuid
    assert second["subject"]["reference"] == f"Patient/{uuid}"
    assert third["encounter"]["reference"] == "Encounter/e1"
    assert fourth == unknown


def test_entries_that_hold_no_resource_are_told_from_those_that_need_none(tmp_path):
    entries = [
        {"request": {"method": "DELETE", "url": "Patient/p1"}},
        {"response": {"status": "200"}},
        {"search": {"mode": "outcome"}, "resource": {"resourceType": "OperationOutcome"}},
        "Kanarifugl",
        {"fullUrl": "urn:x"},
    ]
    path = packed(tmp_path / "a.json", json.dumps({"resourceType": "Bundle", "type": "batch", "entry": entries}).encode())
    assert faults(path) == [
        (" Bundle.entry[0]", "asks for a deletion; an import deletes nothing"),
        (" Bundle.entry[3]", "is not an object"),
        (" Bundle.entry[4]", "has no resource"),
    ]
    path = packed(tmp_path / "b.json", b'{"resourceType": "Bundle", "entry": {}}')
    assert faults(path) == [(" Bundle.entry", "is not a list")]


BAD = {
    "wrong type": ({"resourceType": "Kanarifugl", "id": "x"}, "no such resource type"),
    "missing field": ({"resourceType": "Observation", "id": "x", "code": {"text": "Kanarifugl"}}, "Observation.status"),
    "wrong shape": (patient(name="Kanarifugl"), "Patient.name"),
    "unknown element": (patient(middleName=1), "Patient.middleName"),
    "unknown code": (patient(gender="Kanarifugl"), "Patient.gender: A code is not in the table administrative-gender."),
    "no id": ({"resourceType": "Patient"}, "has no id"),
    "illegal id": ({"resourceType": "Patient", "id": "Kanarifugl / 1"}, "id"),
    "meta of an unmodelled type": ({"resourceType": "MedicinalProduct", "id": "x", "meta": []}, "meta"),
}


@pytest.mark.parametrize("bad", BAD)
def test_what_is_not_fhir_is_refused_with_its_path_and_without_its_value(repository, tmp_path, bad):
    row, reason = BAD[bad]
    report = load(repository, [ndjson(tmp_path / "a.ndjson", patient("good"), row, patient("fine"))])
    ((file, line, path, why),) = refused(report)
    assert (file, line, path) == ("a.ndjson", 2, "")
    assert reason in why
    assert "kanarifugl" not in why.casefold()
    assert report.created == {"Patient": 2}
    assert {stored.id for type in repository.types() for stored in repository.scan(type)} == {"good", "fine"}


def test_the_same_content_again_is_unchanged_and_other_content_is_a_new_version(repository, tmp_path):
    load(repository, [ndjson(tmp_path / "a.ndjson", patient("a"), patient("b"))])
    report = load(repository, [ndjson(tmp_path / "a.ndjson", patient("a"), patient("b", gender="female"), patient("c"))])
    assert (report.created, report.updated, report.unchanged) == ({"Patient": 1}, {"Patient": 1}, {"Patient": 1})
    assert {stored.id: stored.version for stored in repository.scan("Patient")} == {"a": 1, "b": 2, "c": 1}


def test_an_id_that_comes_twice_with_other_content_is_refused(repository, tmp_path):
    path = ndjson(tmp_path / "a.ndjson", patient("a"), patient("a"), patient("a", gender="male"))
    report = load(repository, [path])
    ((_, line, _, why),) = refused(report)
    assert line == 3
    assert "came before" in why
    assert (report.created, report.unchanged) == ({"Patient": 1}, {"Patient": 1})
    assert repository.read("Patient", "a").raw.get("gender") is None


def test_an_atomic_import_with_one_bad_resource_imports_nothing(repository, tmp_path):
    path = ndjson(tmp_path / "a.ndjson", *(patient(f"p{number}") for number in range(300)), patient("bad", gender="?"))
    report = load(repository, [path], atomic=True)
    assert [bad.place.line for bad in report.bad] == [301]
    assert not report.created
    assert repository.types() == []


def test_an_atomic_import_is_one_transaction(repository, tmp_path):
    path = ndjson(tmp_path / "a.ndjson", *(patient(f"p{number}") for number in range(300)))
    report = load(repository, [path], atomic=True)
    assert report.created == {"Patient": 300}
    assert len({stored.updated for stored in repository.scan("Patient")}) == 1


def test_an_atomic_import_that_does_not_fit_says_so_and_imports_nothing(repository, tmp_path, monkeypatch):
    monkeypatch.setattr(loading, "ATOMIC_LIMIT", 5)
    path = ndjson(tmp_path / "a.ndjson", *(patient(f"p{number}") for number in range(6)))
    with pytest.raises(TooLarge, match="Over 5 resources"):
        load(repository, [path], atomic=True)
    assert repository.types() == []


def test_a_resource_too_large_for_the_store_is_named_and_the_others_are_kept(repository, tmp_path):
    path = ndjson(tmp_path / "a.ndjson", patient("a"), patient("big", address=[{"text": "x" * 17 * MB}]), patient("c"))
    report = load(repository, [path])
    assert [(line, "16 MB" in why) for _, line, _, why in refused(report)] == [(2, True)]
    assert {stored.id for stored in repository.scan("Patient")} == {"a", "c"}


def test_somebody_who_writes_meanwhile_is_not_overwritten_unseen(repository, tmp_path, monkeypatch):
    """The batch is planned against version 1; before it is committed, version 2 appears. It is planned again, and 2 is in the history."""
    load(repository, [ndjson(tmp_path / "a.ndjson", patient("a"))])
    real, interfered = Repository.commit, []

    def commit(self, changes, **options):
        if not interfered:
            interfered.append(True)
            real(self, [Change("Patient", "a", patient("a", gender="other"), 1)])
        return real(self, changes, **options)

    monkeypatch.setattr(Repository, "commit", commit)
    load(repository, [ndjson(tmp_path / "a.ndjson", patient("a", gender="female"))])
    assert [stored.raw.get("gender") for stored in repository.versions("Patient", "a")] == ["female", "other", None]


def test_a_writer_who_never_rests_ends_the_import_in_an_error(repository, tmp_path, monkeypatch):
    def never(*arguments, **options):
        raise VersionConflict("moved")

    monkeypatch.setattr(Repository, "commit", never)
    with pytest.raises(VersionConflict):
        load(repository, [ndjson(tmp_path / "a.ndjson", patient("a"))])


def test_synthea_patients_are_imported_to_the_last_one(repository):
    report = load(repository, [SYNTHEA / "Patient.ndjson.gz", SYNTHEA / "Condition.ndjson.gz"])
    assert report.bad == []
    assert (report.created["Patient"], report.created["Condition"]) == (24, 503)
