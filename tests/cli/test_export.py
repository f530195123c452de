"""`casebridge pull --export`, against a server that exports what a hospital has."""

from collections.abc import Iterator

import pytest

from tests.cli.conftest import patient
from tests.sync.bulk_server import BulkServer, Made, ndjson
from tests.sync.faulty import Proxy, says

PEOPLE = 3


@pytest.fixture
def server(casebridge, hospital) -> Iterator[BulkServer]:
    rows = [{**patient(f"p{number}"), "meta": {"versionId": "1"}} for number in range(PEOPLE)]
    with BulkServer(Proxy(hospital.base_url)) as made:
        made.files = [Made("Patient", ndjson(rows), count=PEOPLE)]
        assert casebridge("remote", "add", "hospital", made.url, "--type", "Patient").code == 0
        yield made


def test_an_export_is_pulled_with_its_certificate(casebridge, server):
    ran = casebridge("pull", "hospital", "--export")
    assert ran.code == 0, ran.err
    assert ran.out.splitlines()[-1] == f"In step with hospital: {PEOPLE} written here, 0 there; all adds up."
    again = casebridge("pull", "hospital", "--export", "--since", "last", "--json")
    assert (again.code, again.json["pull"]["Patient"]["unchanged"]) == (0, PEOPLE)
    assert server.begun[1]["_since"]


def test_an_export_whose_remote_fails_is_one_line_and_is_gone_on_with(casebridge, server):
    server.fault(says(403), path="export-files")
    ran = casebridge("pull", "hospital", "--export")
    assert ran.code == 4
    assert ran.err.splitlines()[-1].startswith("casebridge: GET $export-Patient at ")
    server.mend()
    assert casebridge("pull", "hospital", "--export").code == 0
    assert len(server.begun) == 1


def test_a_remote_that_is_removed_forgets_its_export(casebridge, server, database):
    server.fault(says(403), path="export-files")
    casebridge("pull", "hospital", "--export")
    assert database["exports"].count_documents({}) == 1
    assert casebridge("remote", "remove", "hospital").code == 0
    assert database["exports"].count_documents({}) == database["export_places"].count_documents({}) == 0


@pytest.mark.parametrize(
    "arguments",
    [("--export", "--dry-run"), ("--since", "last"), ("--export", "--since", "yesterday"), ("--export", "--since", "2025-04-22")],
)
def test_what_an_export_cannot_do_is_said(casebridge, server, arguments):
    ran = casebridge("pull", "hospital", *arguments)
    assert ran.code == 2
    assert ran.err
    assert server.begun == []


@pytest.mark.parametrize("setting", ["first_load=whenever", "export=Group", "export=everything", "export_wait=-1"])
def test_a_setting_that_cannot_be_is_refused(casebridge, server, setting):
    assert casebridge("remote", "set", "hospital", setting).code == 2
