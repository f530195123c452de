"""`casebridge certificates`: every sync leaves one that can be looked at and filed."""

import re
from hashlib import sha256
from html.parser import HTMLParser

import pytest

from tests.cli.conftest import ndjson, patient
from tests.conftest import CANARY


@pytest.fixture
def synced(casebridge, hospital, tmp_path):
    """Two syncs: the first sends a patient; in the second there is one that the sandbox does not get."""
    hospital.create({"resourceType": "Patient", "name": [{"family": "Kanarifugl"}]})
    casebridge("remote", "add", "hospital", hospital.base_url, "--type", "Patient", "--sandbox")
    casebridge("import", ndjson(tmp_path / "a.ndjson", patient("a")))
    assert casebridge("sync", "hospital").code == 0
    casebridge("import", ndjson(tmp_path / "b.ndjson", patient("b", meta={})))
    assert casebridge("sync", "hospital").code == 0
    return hospital


class Page(HTMLParser):
    """What a page says, and what it would load."""

    def __init__(self, text):
        super().__init__()
        self.open, self.loads, self.said = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.loads += [value for name, value in attrs if name in ("src", "href", "action", "data")]
        if tag not in ("meta", "link", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.said.append(data.strip())


def test_certificates_are_listed_newest_first_and_shown(casebridge, synced):
    newest, first = casebridge("certificates", "list", "--json").json
    assert newest["started"] > first["started"]
    assert {each["by"] for each in (newest, first)} != {""}
    assert (newest["holds"], newest["clean"]) == (True, True)
    assert casebridge("certificates", "list", "--limit", 1).out.splitlines()[-1] == "… and 1 older; --limit shows more."
    assert casebridge("certificates", "list", "--remote", "city", "--json").json == []
    shown = casebridge("certificates", "show", first["certificate"])
    assert "From here to hospital" in shown.out
    assert casebridge("certificates", "show", "hospital", "--json").json["certificate"] == newest["certificate"]
    assert casebridge("certificates", "show", "nobody").code == 2


def test_the_checksum_on_page_and_screen_is_that_of_the_file(casebridge, synced, tmp_path):
    file, page = tmp_path / "c.json", tmp_path / "c.html"
    assert casebridge("certificates", "export", "hospital", "--output", file).code == 0
    assert casebridge("certificates", "export", "hospital", "--html", "--output", page).code == 0
    sum = sha256(file.read_bytes()).hexdigest()
    assert sum in page.read_text()
    assert sum in casebridge("certificates", "show", "hospital").out
    assert casebridge("certificates", "export", "hospital").out == file.read_text()


def test_the_page_says_all_that_the_certificate_says_loads_nothing_and_is_well_formed(casebridge, synced):
    text = casebridge("certificates", "export", "hospital", "--html").out
    body = casebridge("certificates", "show", "hospital", "--json").json
    page = Page(text)
    assert page.open == []
    assert page.loads == []
    assert "<script" not in text
    assert not re.search(r"url\(|@import", text)
    for said in (synced.base_url, body["by"], body["started"], body["ended"], *body["reasons"]):
        assert said in page.said
    assert CANARY not in text.casefold()


def test_a_sync_that_stopped_leaves_a_certificate_that_says_so(casebridge, synced, monkeypatch):
    def stop(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("adapter.fhir.client.FhirClient.capability", stop)
    assert casebridge("sync", "hospital").code == 130
    monkeypatch.undo()
    newest = casebridge("certificates", "list", "--json").json[0]
    assert (newest["holds"], newest["failure"]) == (False, "It was stopped before its end.")
    assert "It does not hold: It was stopped before its end." in casebridge("certificates", "show", "hospital").out
