"""`casebridge audit`: whether the account holds, its anchors, the accounting of disclosures, and what is taken away when it is old."""

import csv
from datetime import timedelta
from io import StringIO

import pytest

from adapter.audit.event import TYPE, Asker, Told, audit_event
from adapter.cli.audit import anchoring
from adapter.clock import instant, utc_now
from adapter.store import trail
from adapter.store.documents import Change
from adapter.store.repository import Repository

NORTH = Asker("north", organisation="Organization/north", role="insurer-reader", purpose="HPAYMT")


@pytest.fixture
def repository(database):
    return Repository(database)


def written(repository, *ids, **facts):
    for id in ids:
        raw = audit_event("read", NORTH, instant(repository.clock()), patients=["Patient/river"], told=Told(["CarePlan/a"], 1), **facts)
        repository.commit([Change(TYPE, id, raw, 0)])


def test_an_account_that_holds_is_told_so_and_one_that_does_not_is_an_exit_code(casebridge, repository, database):
    written(repository, *"abc")
    ran = casebridge("audit", "verify")
    assert (ran.code, ran.out) == (0, "3 entries, no anchor yet: no faults.\n")
    database[TYPE].delete_one({"_id": "b"})
    ran = casebridge("audit", "verify", "--json")
    assert (ran.code, [each["kind"] for each in ran.json["findings"]]) == (1, ["deleted"])
    ran = casebridge("audit", "verify")
    assert (ran.code, ran.out.splitlines()[0].partition(" of chain")[0]) == (1, "deleted: Entry 2")


def test_the_hash_of_an_anchor_holds_the_account_to_what_it_was(casebridge, repository, database):
    assert (casebridge("audit", "anchor").code, casebridge("audit", "anchor", "--json").json) == (0, None)
    written(repository, *"ab")
    hash = casebridge("audit", "anchor").out.strip()
    assert (len(hash), casebridge("audit", "anchor", "--json").json["hash"]) == (64, hash)
    assert casebridge("audit", "verify", "--anchor", hash).code == 0
    database["anchors"].delete_many({})
    assert casebridge("audit", "verify").code == 0
    assert casebridge("audit", "verify", "--anchor", hash).code == 1
    assert casebridge("audit", "verify", "--anchor", "short").code == 2


def test_disclosures_are_told_in_each_form(casebridge, repository, tmp_path):
    written(repository, *"ab")
    page = tmp_path / "river.html"
    assert casebridge("audit", "disclosures", "river", "--page", page).code == 0
    assert "2 disclosures" in page.read_text()
    head, first, _ = csv.reader(StringIO(casebridge("audit", "disclosures", "Patient/river", "--csv").out))
    assert dict(zip(head, first, strict=True))["recipient"] == "Organization/north"
    bundle = casebridge("audit", "disclosures", "river", "--fhir").json
    assert [each["resource"]["id"] for each in bundle["entry"]] == ["a", "b"]
    assert [row["what"] for row in casebridge("audit", "disclosures", "river", "--json").json] == ["read: 1 CarePlan"] * 2
    assert "Organization/north" in casebridge("audit", "disclosures", "river").out
    tomorrow = (utc_now() + timedelta(days=2)).date().isoformat()
    assert casebridge("audit", "disclosures", "river", "--from", tomorrow, "--json").json == []
    assert casebridge("audit", "disclosures", "nobody", "--json").json == []
    assert casebridge("audit", "disclosures", "Group/x").code == 2
    assert casebridge("audit", "disclosures", "river", "--from", "soon").code == 2


def test_what_is_older_than_the_setting_says_is_taken_away(casebridge, database, environment):
    assert casebridge("audit", "prune").code == 2
    written(Repository(database, lambda: utc_now() - timedelta(days=30)), *"ab")
    written(Repository(database), "c")
    environment["CASEBRIDGE_AUDIT_DAYS"] = "20"
    ran = casebridge("audit", "prune")
    assert (ran.code, ran.out) == (0, "2 entries older than 20 days were taken away.\n")
    assert casebridge("audit", "verify").code == 0
    environment["CASEBRIDGE_AUDIT_DAYS"] = "soon"
    assert casebridge("audit", "prune").code == 2


def test_what_was_pruned_too_early_is_told_and_a_fault_for_who_kept_an_anchor(casebridge, database, environment):
    written(Repository(database, lambda: utc_now() - timedelta(days=30)), *"ab")
    written(Repository(database), "c")
    kept = casebridge("audit", "anchor").out.strip()
    environment["CASEBRIDGE_AUDIT_DAYS"] = "20"
    assert casebridge("audit", "prune").code == 0
    old = casebridge("audit", "verify", "--anchor", kept)
    assert (old.code, old.out.splitlines()[0]) == (0, "2 entries were pruned, 1 times; --json lists each.")
    environment["CASEBRIDGE_AUDIT_DAYS"] = "2190"
    told = casebridge("audit", "verify")
    assert (told.code, "took away 2 entries" in told.out, "20 days old at least" in told.out) == (0, True, True)
    early = casebridge("audit", "verify", "--anchor", kept, "--json")
    assert (early.code, [each["kind"] for each in early.json["findings"]]) == (1, ["pruned"])
    assert [each["entries"] for each in early.json["pruned"]] == [2]
    later = casebridge("audit", "anchor").out.strip()
    assert casebridge("audit", "verify", "--anchor", later).code == 0


def test_a_server_anchors_again_and_again_and_when_it_ends(repository):
    written(repository, "a")
    with anchoring(repository, seconds=0.05):
        while (first := trail.anchors(repository.database).last) is None:
            pass
    with anchoring(repository, seconds=900):
        written(repository, "b")
    assert trail.anchors(repository.database).last.number == first.number + 1
