"""`worker`, `jobs` and `reindex` as commands; what they do is tested in tests/sync/workers, and with a real Redis in tests/live."""

from adapter.store.repository import Repository
from adapter.store.state import State
from adapter.sync.workers import jobs
from adapter.sync.workers.jobs import Job
from tests.cli.conftest import ndjson, patient


def test_a_worker_without_a_queue_says_which_setting_it_needs(casebridge):
    ran = casebridge("worker")
    assert ran.code == 2
    assert "CASEBRIDGE_WORKERS" in ran.err


def test_jobs_are_listed_with_what_they_are_and_why_they_failed(casebridge, database):
    assert casebridge("jobs").err.endswith("There is none.\n")
    repository = Repository(database)
    jobs.remember(State(database), [Job("index:Patient", "index", {"type": "Patient"})], repository)
    row = casebridge("jobs", "--json").json[0]
    assert (row["id"], row["task"], row["status"], row["tries"]) == ("index:Patient", "index", "waiting", 0)
    State(database).put(
        "jobs", "index:Patient", {**(State(database).get("jobs", "index:Patient") or {}), "status": "failed", "error": "So."}
    )
    assert "index" in (out := casebridge("jobs").out)
    assert "So." in out


def test_the_search_index_is_written_anew_in_this_process(casebridge, database, tmp_path):
    casebridge("import", ndjson(tmp_path / "a.ndjson", patient("a")))
    database["Patient"].update_one({"_id": "a"}, {"$set": {"fhir.index": {}}})
    assert casebridge("verify").code == 1
    assert casebridge("reindex").out == "The search index of 1 types is written anew.\n"
    assert casebridge("verify").code == 0
    ran = casebridge("reindex", "--type", "Kanin")
    assert ran.code == 2
    assert "stored are: Patient" in ran.err


def test_a_queue_that_is_none_is_refused_before_anything_is_imported(casebridge, environment, tmp_path):
    environment["CASEBRIDGE_WORKERS"] = "amqp://127.0.0.1"
    ran = casebridge("import", ndjson(tmp_path / "a.ndjson", patient("a")))
    assert ran.code == 2
    assert "redis://" in ran.err
    environment["CASEBRIDGE_WORKERS"] = ""
    assert casebridge("export").out == ""
