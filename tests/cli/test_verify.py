"""`verify` as a command; what it finds is tested in tests/store/test_verify.py."""

from tests.cli.conftest import ndjson, patient


def test_a_sound_store_is_told_in_a_line(casebridge, tmp_path):
    casebridge("import", ndjson(tmp_path / "a.ndjson", patient("a"), patient("b", managingOrganization={"reference": "Organization/x"})))
    ran = casebridge("verify")
    assert (ran.code, ran.out) == (0, "2 resources checked: no faults, 1 notes.\n")
    assert "Patient/b reference: refers to a Organization that is not here" in casebridge("verify", "--notes").out


def test_damage_is_exit_code_1_and_repaired_damage_is_not(casebridge, database, tmp_path):
    casebridge("import", ndjson(tmp_path / "a.ndjson", patient("a"), patient("b")))
    database["Patient"].update_one({"_id": "a"}, {"$set": {"fhir.index": {}}})
    ran = casebridge("verify")
    assert ran.code == 1
    assert "Patient/a index: is not what the resource gives" in ran.out
    report = casebridge("verify", "--json")
    assert report.code == 1
    assert (report.json["checked"], report.json["faults"], report.json["notes"]) == (2, 1, 0)
    assert report.json["findings"][0]["resource"] == "Patient/a"
    repaired = casebridge("verify", "--repair")
    assert repaired.code == 0
    assert "(repaired)" in repaired.out
    assert casebridge("verify").out == "2 resources checked: no faults, 0 notes.\n"
