"""`casebridge remote`: a remote's settings, by options, by name, from a file and from a preset."""

import pytest

from adapter.sync.remotes import preset


def test_settings_come_from_preset_then_file_then_set_then_options(casebridge, tmp_path):
    file = tmp_path / "there.toml"
    file.write_text('page_size = 111\nbundle_size = 7\ntimeout = 9\ntypes = ["Goal"]\n[auth]\nkind = "bearer"\nsecret_env = "THERE"\n')
    add = ("remote", "add", "there", "http://127.0.0.1:9/fhir", "--preset", "hapi", "--settings", file)
    assert casebridge(*add, "--set", "bundle_size=8", "--set", "timeout=10", "--timeout", "11", "--type", "Patient").code == 0
    shown = casebridge("remote", "show", "there", "--json").json
    assert (shown["page_size"], shown["bundle_size"], shown["timeout"], shown["types"]) == (111, 8, 11.0, ["Patient"])
    assert shown["auth"] == {"kind": "bearer", "secret_env": "THERE"}


def test_settings_are_changed_by_name_and_back(casebridge):
    casebridge("remote", "add", "there", "http://127.0.0.1:9/fhir", "--page-size", "3")
    assert casebridge("remote", "set", "there", "types=Patient,Goal", "sandbox=yes", "auth.kind=bearer", "auth.secret_env=X").code == 0
    assert casebridge("remote", "set", "there", "page_size=").code == 0
    shown = casebridge("remote", "show", "there", "--json").json
    assert (shown["page_size"], shown["types"], shown["sandbox"]) == (200, ["Patient", "Goal"], True)
    assert shown["auth"] == {"kind": "bearer", "secret_env": "X"}
    assert "Patient, Goal" in casebridge("remote", "show", "there").out


@pytest.mark.parametrize(
    ("assignment", "told"),
    [
        ("page_sice=3", "page_size meant"),
        ("page_size=0", "must be 1 to 1000"),
        ("timeout=soon", "must be a number"),
        ("url=http://127.0.0.1:9/other", "cannot change"),
        ("auth.kind=magic", "authentication kind"),
        ("auth.password=hush", "secret goes into a file"),
    ],
)
def test_a_setting_that_cannot_be_changes_nothing(casebridge, assignment, told):
    casebridge("remote", "add", "there", "http://127.0.0.1:9/fhir")
    before = casebridge("remote", "show", "there", "--json").json
    ran = casebridge("remote", "set", "there", assignment)
    assert ran.code == 2
    assert told in ran.err
    assert "hush" not in ran.err
    assert casebridge("remote", "show", "there", "--json").json == before


def test_what_a_pull_selects_by_starts_it_anew(casebridge, hospital, database):
    casebridge("remote", "add", "hospital", hospital.base_url, "--type", "Patient")
    casebridge("pull", "hospital")
    assert database["cursors"].count_documents({}) == 1
    casebridge("remote", "set", "hospital", "page_size=3")
    assert database["cursors"].count_documents({}) == 1
    casebridge("remote", "set", "hospital", "mine=yes")
    assert database["cursors"].count_documents({}) == 0


@pytest.mark.parametrize("name", preset.names())
def test_a_preset_adds_a_remote_once_it_has_what_it_needs(casebridge, name):
    found = preset.preset(name)
    url = () if "url" in found.settings else ("https://ehr.example/fhir",)
    add = ("remote", "add", "there", *url, "--preset", name)
    if found.needs:
        lacking = casebridge(*add)
        assert lacking.code == 2
        assert found.needs[0].removeprefix("auth.") in lacking.err or "secret" in lacking.err
    if "auth.keys" in found.needs:
        casebridge("keys", "new", "ours")
    given = {"auth.keys": "ours", "auth.scope": "system/Patient.read"}
    needed = [part for need in found.needs for part in ("--set", f"{need}={given.get(need, 'x')}")]
    added = casebridge(*add, *needed)
    assert added.code == 0, added.err
    shown = casebridge("remote", "show", "there", "--json").json
    assert all(shown[setting] == value for setting, value in found.settings.items() if isinstance(value, int | float | str))


@pytest.mark.parametrize("name", preset.names())
def test_a_preset_tells_where_its_facts_are_from(casebridge, name):
    found = preset.preset(name)
    told = casebridge("remote", "presets", name).out
    assert found.facts
    assert found.title in told
    assert all(need in told for need in found.needs)
    assert all(fact.source in told and fact.checked in told for fact in found.facts)
    assert ("not verified" in told) == any(not fact.verified for fact in found.facts)
    assert name in casebridge("remote", "presets").out


def test_a_preset_that_is_not_there_is_bad_input(casebridge):
    assert casebridge("remote", "presets", "nonesuch").code == 2


def test_a_remote_that_is_no_sandbox_is_probed_only_where_that_is_said(casebridge, hospital):
    casebridge("remote", "add", "hospital", hospital.base_url, "--bundle-size", "2")
    refused = casebridge("remote", "check", "hospital", "--probe")
    assert refused.code == 2
    assert "--yes-write" in refused.err
    assert casebridge("remote", "check", "hospital", "--json").json["profile"] is None
    assert casebridge("remote", "check", "hospital", "--probe", "--yes-write", "--json").json["profile"]["findings"]


def test_what_probes_found_is_shown_and_kept_and_chooses_the_strategy(casebridge, hospital):
    casebridge("remote", "add", "hospital", hospital.base_url, "--sandbox", "--bundle-size", "2")
    before = casebridge("remote", "check", "hospital").out
    assert "Probed on" not in before
    assert "So a sync goes about it" in before
    probed = casebridge("remote", "check", "hospital", "--probe")
    assert probed.code == 0
    for told in ("Probed on", "Is a transaction all or nothing?", "what belongs together arrives together", "history-type"):
        assert told in probed.out
    kept = casebridge("remote", "check", "hospital", "--json").json
    assert kept["profile"]["findings"]["if_match"] == {"value": "412", "note": "It answered 412."}
    assert (kept["strategy"]["bundle"], kept["strategy"]["bundle_size"], kept["left"]) == ("transaction", 2, [])
    assert hospital.count("Patient", {}) == 0


def test_a_profile_goes_with_its_remote(casebridge, hospital, database):
    casebridge("remote", "add", "hospital", hospital.base_url, "--sandbox", "--bundle-size", "2")
    casebridge("remote", "check", "hospital", "--probe")
    assert database["profiles"].count_documents({}) == 1
    casebridge("remote", "remove", "hospital")
    assert database["profiles"].count_documents({}) == 0
