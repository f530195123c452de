"""`import` and `export` as commands; what is in the files is tested in tests/sync/loading/test_files.py."""

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.conftest import ndjson, patient

BASIC = {"resourceType": "Basic", "id": "b", "code": {"text": "x"}}
STOPPED = "casebridge: Stopped. All that was reported done is saved; running the same command again goes on from there."


def test_an_import_says_what_became_of_each_and_exits_clean(casebridge, tmp_path):
    path = ndjson(tmp_path / "a.ndjson", patient("a"), patient("b"))
    ran = casebridge("import", path)
    assert ran.code == 0
    assert "2 imported, 0 unchanged, 0 bad." in ran.out
    assert "0 imported, 2 unchanged, 0 bad." in casebridge("import", path).out


def test_bad_resources_are_named_on_standard_error_and_the_rest_is_imported(casebridge, tmp_path):
    path = ndjson(tmp_path / "a.ndjson", patient("a"), '{"resourceType": "Patient", "name": "Kanarifugl', patient("c", gender="Kanarifugl"))
    ran = casebridge("import", path)
    assert ran.code == 1
    assert f"{path}:2: The text is not JSON" in ran.err
    assert f"{path}:3: Patient.gender: A code is not in the table" in ran.err
    assert "1 imported, 0 unchanged, 2 bad." in ran.out


def test_an_atomic_import_of_something_bad_imports_nothing(casebridge, tmp_path):
    ran = casebridge("import", "--atomic", ndjson(tmp_path / "a.ndjson", patient("a"), "{"))
    assert ran.code == 1
    assert "Nothing was imported: 1 bad." in ran.out
    assert casebridge("export").out == ""


def test_the_report_as_json_has_counts_and_places(casebridge, tmp_path):
    path = ndjson(tmp_path / "a.ndjson", patient("a"), "{")
    report = casebridge("import", path, "--json").json
    assert report["created"] == {"Patient": 1}
    assert report["updated"] == report["unchanged"] == {}
    assert [(bad["file"], bad["line"], bad["path"]) for bad in report["bad"]] == [(str(path), 2, "")]


@pytest.mark.parametrize("arguments", [["missing.ndjson"], ["empty"], []])
def test_a_path_that_means_nothing_is_bad_input(casebridge, tmp_path, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    assert casebridge("import", *arguments).code == 2


def test_what_is_exported_is_what_a_read_answers_and_comes_in_again_unchanged(casebridge, tmp_path):
    casebridge("import", ndjson(tmp_path / "a.ndjson", patient("a", gender="female"), BASIC))
    rows = [json.loads(line) for line in casebridge("export").out.splitlines()]
    assert {row["resourceType"]: row["meta"]["versionId"] for row in rows} == {"Basic": "1", "Patient": "1"}
    for out in ("all.ndjson", "all.ndjson.gz", "folder"):
        assert casebridge("export", "--out", tmp_path / out).code == 0
        assert {file.stat().st_mode & 0o777 for file in [tmp_path / out, *(tmp_path / out).glob("*")] if file.is_file()} == {0o600}
        assert casebridge("import", tmp_path / out, "--json").json["unchanged"] == {"Basic": 1, "Patient": 1}
    assert sorted(path.name for path in (tmp_path / "folder").iterdir()) == ["Basic.ndjson", "Patient.ndjson"]
    assert gzip.decompress((tmp_path / "all.ndjson.gz").read_bytes()) == (tmp_path / "all.ndjson").read_bytes()


def test_only_the_types_that_are_asked_for_are_exported(casebridge, tmp_path):
    casebridge("import", ndjson(tmp_path / "a.ndjson", patient("a"), BASIC))
    assert [json.loads(line)["resourceType"] for line in casebridge("export", "--type", "Basic").out.splitlines()] == ["Basic"]
    ran = casebridge("export", "--type", "Kanin")
    assert ran.code == 2
    assert "stored are: Basic, Patient" in ran.err


def test_a_file_that_cannot_be_an_export_is_refused_before_anything_is_written(casebridge, tmp_path):
    casebridge("import", ndjson(tmp_path / "a.ndjson", patient("a")))
    assert casebridge("export", "--out", tmp_path / "all.csv").code == 2
    assert casebridge("export", "--out", tmp_path / "no" / "such" / "all.ndjson").code == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.ndjson"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_import_keeps_what_it_reported_and_a_second_run_goes_on(casebridge, environment, database, tmp_path, number, code):
    """The file is a pipe: the command has read 450 rows and waits for more when the signal comes, whatever the machine's speed."""
    rows = [json.dumps(patient(f"p{row:03}")) + "\n" for row in range(450)]
    pipe = tmp_path / "pipe.ndjson"
    os.mkfifo(pipe)
    command = [sys.executable, "-m", "adapter.cli", "import", str(pipe)]
    run = subprocess.Popen(command, env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with pipe.open("w") as feed:
        feed.writelines(rows)
        feed.flush()
        wait_for(lambda: database["Patient"].count_documents({}) >= 400)
        run.send_signal(number)
        try:
            out, err = run.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            # Python drops an interrupt that comes while it takes an object away, and says so; a person presses Ctrl-C again.
            run.send_signal(number)
            out, err = run.communicate(timeout=30)
    assert run.returncode == code
    assert err.splitlines()[-1] == STOPPED

    assert "Traceback" not in err
    whole = tmp_path / "whole.ndjson"
    whole.write_text("".join(rows))
    report = casebridge("import", whole, "--json").json
    assert (report["unchanged"]["Patient"], report["created"]["Patient"]) == (400, 50)
    assert casebridge("verify").code == 0


def wait_for(done) -> None:
    end = time.monotonic() + 60
    while not done():
        assert time.monotonic() < end, "it did not come to pass within a minute"
        time.sleep(0.05)
