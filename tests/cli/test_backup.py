"""`backup` and `restore` as commands, and that what casebridge keeps in its folder is its user's alone."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from adapter.backup.restore import contents
from adapter.store.repository import Repository
from tests.cli.conftest import ndjson, patient


@pytest.fixture
def key(tmp_path) -> Path:
    path = tmp_path / "backup.key"
    path.write_text("0123456789abcdef" * 4)
    path.chmod(0o600)
    return path


def same(one, other) -> bool:
    """Whether two databases hold the same but for what they account for."""
    contained = [{name: content for name, content in contents(each).items() if name != "AuditEvent"} for each in (one, other)]
    return contained[0] == contained[1]


def accounted(database) -> list[tuple[str, set[str]]]:
    """What the AuditEvents of a database say was done, and which details they give."""
    events = [stored.raw for stored in Repository(database).scan("AuditEvent")]
    said = [(raw["subtype"][-1]["code"], {detail["type"] for detail in raw["entity"][0]["detail"]}) for raw in events]
    return sorted(said, key=lambda each: each[0])


def test_a_backup_is_restored_by_the_command_that_it_was_made_with(casebridge, environment, database, new_database, key, tmp_path):
    casebridge("import", ndjson(tmp_path / "a.ndjson", patient("a"), patient("b")))
    file, target = tmp_path / "a.backup", new_database()
    environment["CASEBRIDGE_BACKUP_KEY"] = str(key)
    made = casebridge("backup", file, "--json").json
    assert (made["collections"]["Patient"], made["database"], made["bytes"]) == (2, database.name, file.stat().st_size)
    assert made["key"] != key.read_text()[:8]
    checked = casebridge("restore", "--check", file)
    assert (checked.code, checked.err) == (0, "")
    assert f"is whole: {made['documents']} documents" in checked.out
    environment["CASEBRIDGE_DATABASE"] = target.name
    restored = casebridge("restore", file, "--json")
    assert restored.code == 0
    assert restored.json == {**{name: made[name] for name in made if name not in ("file", "bytes", "key")}, "faults": []}
    assert "asks for a new token" in restored.err
    assert same(target, database)
    assert accounted(database) == [("backup", {"operator", "encrypted"})]
    assert accounted(target) == [("backup", {"operator", "encrypted"}), ("restore", {"operator", "backup", "moment"})]
    assert casebridge("audit", "verify").code == 0
    assert casebridge("restore", file).code == 2, "it is not empty any more"
    assert casebridge("restore", "--replace", file).code == 0


def test_what_is_not_in_a_backup_and_that_it_is_not_encrypted_is_said(casebridge, tmp_path):
    casebridge("keys", "new", "city", "--folder", tmp_path / "home" / "keys")
    ran = casebridge("backup", tmp_path / "a.backup")
    assert "It is not encrypted" in ran.err
    assert f"({tmp_path / 'home' / 'keys'})" in ran.err


def test_a_wrong_key_a_changed_file_and_a_file_that_is_there_are_bad_input(casebridge, key, tmp_path):
    casebridge("import", ndjson(tmp_path / "a.ndjson", patient("a")))
    file = tmp_path / "a.backup"
    assert casebridge("backup", "--key", key, file).code == 0
    assert casebridge("backup", "--key", key, file).code == 2
    other = tmp_path / "other.key"
    other.write_text("f" * 64)
    other.chmod(0o600)
    ran = casebridge("restore", "--check", "--key", other, file)
    assert ran.code == 2
    assert "not the backup's key" in ran.err
    assert "f" * 16 not in ran.err
    content = bytearray(file.read_bytes())
    content[-20] ^= 1
    file.write_bytes(content)
    ran = casebridge("restore", "--key", key, file)
    assert ran.code == 2
    assert "This backup is damaged" in ran.err


def test_a_restored_database_with_faults_is_exit_code_1(casebridge, environment, database, new_database, tmp_path):
    casebridge("import", ndjson(tmp_path / "a.ndjson", patient("a")))
    database["Patient"].update_one({"_id": "a"}, {"$set": {"fhir.index": {}}})
    casebridge("backup", tmp_path / "a.backup")
    environment["CASEBRIDGE_DATABASE"] = new_database().name
    ran = casebridge("restore", tmp_path / "a.backup")
    assert ran.code == 1
    assert "Patient/a index: is not what the resource gives" in ran.out


def test_all_that_commands_keep_in_the_home_folder_is_their_users_alone(tmp_path):
    home = tmp_path / "home"
    home.mkdir(mode=0o755)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CASEBRIDGE_")}
    environment |= {"CASEBRIDGE_HOME": str(home)}
    story = Path(__file__).parents[2] / "fixtures" / "cases" / "river.json"
    for arguments in (("case", "load", str(story)), ("keys", "new", "city"), ("backup", str(home / "a.backup"))):
        command = [sys.executable, "-m", "adapter.cli", *arguments]
        # As most accounts have it: files are made for all to read.
        done = subprocess.run(command, env=environment, capture_output=True, text=True, umask=0o022, check=False)
        assert done.returncode == 0, done.stderr
    open_to_others = {str(path.relative_to(home)) for path in (home, *home.rglob("*")) if stat.S_IMODE(path.stat().st_mode) & 0o077}
    assert open_to_others == set()
    assert {path.name for path in home.iterdir()} >= {"store", "store.log", "keys", "a.backup"}
