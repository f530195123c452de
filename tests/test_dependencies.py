"""What is said of the packages that are pinned."""

import json

import pytest

from tests import dependencies

REPORT = {
    "dependencies": [
        {"name": "flask", "version": "3.1.3", "vulns": []},
        {"name": "old", "version": "1.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["1.1"]}, {"id": "PYSEC-2", "fix_versions": []}]},
        {"name": "own", "skip_reason": "Dependency not found on PyPI"},
    ],
    "fixes": [],
}


def test_each_vulnerability_is_a_line_and_what_is_not_registered_is_said():
    assert dependencies.known(REPORT) == ["old 1.0: PYSEC-1, mended in 1.1", "old 1.0: PYSEC-2, mended in no version yet"]
    assert dependencies.skipped(REPORT) == ["own"]


@pytest.mark.parametrize(("vulnerable", "code"), [(True, 1), (False, 0)])
def test_it_fails_where_something_is_known_and_nowhere_else(monkeypatch, capsys, vulnerable, code):
    report = json.loads(json.dumps(REPORT)) if vulnerable else {"dependencies": REPORT["dependencies"][:1]}
    monkeypatch.setattr(dependencies, "asked", {"pypi": None, "osv": report}.get)
    assert dependencies.main() == code
    told = capsys.readouterr().out
    assert "The register pypi was not reached." in told
    assert f"{2 if vulnerable else 1} packages audited by osv: {2 if vulnerable else 0} known" in told
    assert ("Not in it: own." in told) is vulnerable


def test_a_register_that_knows_no_package_has_not_said_that_all_is_well(monkeypatch, capsys):
    monkeypatch.setattr(dependencies, "asked", lambda _: {"dependencies": REPORT["dependencies"][2:]})
    assert dependencies.main() == 0
    told = capsys.readouterr().out
    assert "Not audited" in told
    assert "0 known" not in told


def _script(tmp_path, monkeypatch, text):
    """Stands for the Python that runs pip-audit."""
    script = tmp_path / "python"
    script.write_text(f"#!/bin/sh\n{text}\nexit 1\n")
    script.chmod(0o700)
    monkeypatch.setattr(dependencies.sys, "executable", str(script))


@pytest.mark.parametrize(
    "said",
    [
        "python: No module named pip_audit",
        "pip-audit: error: unrecognized arguments: --no-deps",
        "requests.exceptions.ConnectionError: no\nKeyError: 'dependencies'",
        "requests.exceptions.MissingSchema: Invalid URL",
        "",
    ],
)
def test_what_goes_wrong_with_the_audit_itself_fails_and_is_told(tmp_path, monkeypatch, capsys, said):
    _script(tmp_path, monkeypatch, f"cat >&2 <<'END'\n{said}\nEND")
    assert dependencies.main() == 1
    told = capsys.readouterr()
    assert said in told.err
    assert "not reached" not in told.out


def test_constraints_that_cannot_be_read_fail(tmp_path, monkeypatch, capsys):
    (tmp_path / "constraints.txt").write_text("flask==\n")
    monkeypatch.setattr(dependencies, "PINNED", tmp_path / "constraints.txt")
    assert dependencies.main() == 1
    assert "The audit by pypi went wrong" in capsys.readouterr().err


@pytest.mark.parametrize(
    "said",
    [
        "requests.exceptions.ProxyError: HTTPSConnectionPool",
        "requests.exceptions.ReadTimeout: HTTPSConnectionPool",
        "pip_audit._service.interface.ServiceError",
        "ERROR:pip_audit._cli:Tip: your network may be blocking this service. Try another service with `-s SERVICE`",
    ],
)
def test_a_register_that_gives_no_answer_is_not_reached(tmp_path, monkeypatch, capsys, said):
    _script(tmp_path, monkeypatch, f"cat >&2 <<'END'\nTraceback\n{said}\nEND")
    assert dependencies.main() == 0
    assert "Not audited" in capsys.readouterr().out


def test_where_no_register_is_reached_it_says_so_and_does_not_fail(monkeypatch, capsys):
    # Every way out leads to a port that nobody listens on.
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("no_proxy", "")
    assert dependencies.main(["osv"]) == 0
    assert "Not audited" in capsys.readouterr().out
