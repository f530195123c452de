"""Jobs: each is done, none by two at a time, and one whose worker died is offered again. The workers here are threads of this process."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from adapter.clock import utc_now
from adapter.config import Settings
from adapter.errors import Busy, Conflict, Invalid, WorkFailed
from adapter.store.documents import CURRENT, Change, Link
from adapter.store.repository import Repository
from adapter.store.state import State
from adapter.store.verify import verify
from adapter.sync import lease
from adapter.sync.loading import load as loading
from adapter.sync.loading import stretches as cutting
from adapter.sync.loading.load import load
from adapter.sync.loading.reindex import jobs as index_jobs
from adapter.sync.loading.stretches import stretches
from adapter.sync.workers import jobs
from adapter.sync.workers.jobs import Arguments, GivenBack, Job, Work
from adapter.sync.workers.tasks import TASKS, workers
from tests.cli.conftest import ndjson, patient

NO_PROCESS = 2**22 + 1
Offer = Callable[[Sequence[str]], None]


@pytest.fixture
def repository(database) -> Repository:
    return Repository(database)


@pytest.fixture
def crowd(database) -> Iterator[Callable[[jobs.Tasks], Offer]]:
    """Makes two workers, each with a connection to the store as its own process would have; what they are offered twice, they do twice."""
    with ThreadPoolExecutor(2) as pool:

        def offering(tasks: jobs.Tasks) -> Offer:
            return lambda ids: [pool.submit(jobs.perform, tasks, Repository(database), id) for id in ids] and None

        yield offering


@pytest.fixture
def done() -> list[Any]:
    return []


def noting(done: list[Any]) -> jobs.Tasks:
    return {"note": lambda work, arguments: done.append(arguments["what"])}


def note(what: Any) -> Job:
    return Job(f"note:{what}", "note", {"what": what})


def left(repository: Repository) -> list[tuple[str, str, int]]:
    return [(each["id"], each["status"], each["tries"]) for each in jobs.listed(repository)]


def nothing() -> None:
    pass


def failing(error: Exception) -> jobs.Tasks:
    def fail(work: Work, arguments: Arguments) -> None:
        raise error

    return {"note": fail}


def test_jobs_are_done_here_in_their_order_and_then_forgotten(repository, done):
    told: list[int] = []
    jobs.here(noting(done), repository, [note(number) for number in range(3)], lambda: told.append(len(done)))
    assert done == [0, 1, 2]
    assert told == [1, 2, 3]
    assert left(repository) == []


def test_jobs_are_done_by_workers_and_then_forgotten(repository, done, crowd):
    jobs.elsewhere(repository, crowd(noting(done)), done.append, [note(number) for number in range(5)], nothing)
    assert sorted(done) == [0, 1, 2, 3, 4]
    assert left(repository) == []


def test_a_job_that_is_offered_often_is_done_once(repository, database, done, monkeypatch):
    offered = threading.Event()

    def often(ids: Sequence[str]) -> None:
        for id in ids:
            crowd = [threading.Thread(target=jobs.perform, args=(noting(done), Repository(database), id)) for _ in range(4)]
            for each in crowd:
                each.start()
            for each in crowd:
                each.join()
        offered.set()

    jobs.elsewhere(repository, often, done.append, [note(1), note(2)], nothing)
    assert offered.is_set()
    assert sorted(done) == [1, 2]


def test_a_job_that_another_is_at_is_left_to_it(repository, done):
    state = State(repository.database)
    with lease.hold(state, "job:note:1"):
        with pytest.raises(Busy):
            jobs.here(noting(done), repository, [note(1)], nothing)
        assert left(repository) == [("note:1", "running", 0)]
    assert done == []
    jobs.here(noting(done), repository, [note(1)], nothing)
    assert done == [1]


def test_the_job_of_a_dead_worker_is_offered_again_at_once(repository, done, crowd):
    """The lease holds for half a minute more, but its holder is a process of this machine that no longer runs."""
    state, offers = State(repository.database), list[list[str]]()

    def die_first(ids: Sequence[str]) -> None:
        offers.append(list(ids))
        if len(offers) == 1:
            assert lease.Lease(state, "job:note:1").take()
            held = state.get("leases", "job:note:1") or {}
            state.put("leases", "job:note:1", {**held, "pid": NO_PROCESS})
        else:
            crowd(noting(done))(ids)

    jobs.elsewhere(repository, die_first, done.append, [note(1)], nothing)
    assert done == [1]
    assert offers == [["note:1"], ["note:1"]]


def test_a_job_that_nobody_took_is_offered_again_after_a_while(repository, done, crowd, monkeypatch):
    monkeypatch.setattr(jobs, "PATIENCE_SECONDS", 0.3)
    offers = list[list[str]]()

    def lose_first(ids: Sequence[str]) -> None:
        offers.append(list(ids))
        if len(offers) > 1:
            crowd(noting(done))(ids)

    said: list[str] = []
    jobs.elsewhere(repository, lose_first, said.append, [note(1)], nothing)
    assert done == [1]
    assert len(offers) == 2
    assert said == ["No worker has taken anything yet. Start one with `casebridge worker`."]


def test_a_job_that_fails_is_kept_with_its_reason_and_begun_anew_when_asked_again(repository, done):
    with pytest.raises(WorkFailed, match=r"1 of 2 jobs failed; the first says: It is so\."):
        jobs.here({**failing(Conflict("It is so.")), "other": nothing_at_all}, repository, [note(1), Job("o", "other", {})], nothing)
    assert ("note:1", "failed", 0) in left(repository)
    jobs.here(noting(done), repository, [note(1)], nothing)
    assert done == [1]
    assert left(repository) == [("o", "done", 0)]


def nothing_at_all(work: Work, arguments: Arguments) -> None:
    pass


def test_a_fault_nobody_foresaw_is_tried_three_times_and_told_without_its_text(repository):
    with pytest.raises(WorkFailed, match=r"A fault \(KeyError\)\.") as raised:
        jobs.here(failing(KeyError("Kanarifugl")), repository, [note(1)], nothing)
    assert "Kanarifugl" not in raised.value.text
    assert left(repository) == [("note:1", "failed", 3)]


def test_a_worker_that_is_asked_to_end_gives_its_job_back(repository, done):
    def one(work: Work, arguments: Arguments) -> None:
        work.check()
        done.append("not to be reached")

    jobs.remember(State(repository.database), [note(1)], repository)
    jobs.perform({"note": one}, repository, "note:1", ending=lambda: True)
    assert done == []
    assert left(repository) == [("note:1", "waiting", 0)]


def test_a_worker_that_lost_its_lease_writes_no_more(repository):
    state, caught = State(repository.database), []

    def lose(work: Work, arguments: Arguments) -> None:
        held = state.get("leases", "job:note:1") or {}
        state.put("leases", "job:note:1", {**held, "until": utc_now() - timedelta(seconds=1)})
        assert lease.Lease(state, "job:note:1").take()
        try:
            work.check()
        except (Busy, GivenBack) as error:
            caught.append(type(error))
            raise

    jobs.remember(state, [note(1)], repository)
    jobs.perform({"note": lose}, repository, "note:1")
    assert caught == [Busy]
    assert (state.get("jobs", "note:1") or {})["status"] == "waiting"


@pytest.mark.parametrize("taken", [True, False])
def test_what_a_worker_has_under_way_is_not_written_when_its_job_is_taken_over_or_dropped(repository, taken):
    """Its lease holds, as it seems to for a process that stood still between its look at it and its write."""
    state, caught = State(repository.database), list[str]()

    def take_away(work: Work, arguments: Arguments) -> None:
        if taken:
            state.put("jobs", "note:1", {**(state.get("jobs", "note:1") or {}), "token": "another's"})
        else:
            state.drop("jobs", "note:1")
        for write in (
            lambda: work.repository.commit([Change("Patient", "a", patient("a"), 0)]),
            lambda: state.put_all("cursors", {"clinic:Patient": {"remote": "clinic"}}, work.session, work.fence),
        ):
            with pytest.raises(Busy) as raised:
                write()
            caught.append(raised.value.text)
        work.check()
        raise raised.value

    jobs.remember(state, [note(1)], repository)
    jobs.perform({"note": take_away}, repository, "note:1")
    assert len(caught) == 2
    assert repository.find("Patient", "a") is None
    assert state.get("cursors", "clinic:Patient") is None
    assert [(id, status) for id, status, _ in left(repository)] == ([("note:1", "waiting")] if taken else [])


def test_what_a_task_returns_is_given_to_who_asked_and_whether_it_is_begun_again_to_the_task(repository):
    begun: list[bool] = []

    def give(work: Work, arguments: Arguments) -> dict[str, Any]:
        begun.append(work.again)
        if not work.again:
            raise GivenBack("The process is asked to end.")
        return {"what": arguments["what"]}

    assert jobs.here({"note": give}, repository, [note(1)], nothing) == {"note:1": {"what": 1}}
    assert begun == [False, True]


def test_an_import_by_workers_leaves_what_one_process_leaves(new_database, tmp_path, crowd, database, monkeypatch):
    monkeypatch.setattr(loading, "JOB_BYTES", 2000)
    for file in range(5):
        rows = [*(patient(f"p{number}") for number in range(file * 30, file * 30 + 30)), "{", patient("bad", gender="Kanarifugl")]
        ndjson(tmp_path / f"{file}.ndjson", *rows)
    alone, shared = Repository(new_database()), Repository(database)
    told: list[tuple[str, int, int]] = []
    workers = partial(jobs.elsewhere, shared, crowd(TASKS), lambda _: None)
    reports = [load(shared, [tmp_path], workers=workers, progress=lambda *what: told.append(what)), load(alone, [tmp_path])]
    assert reports[0].to_json() == reports[1].to_json()
    assert len(reports[0].bad) == 10
    assert [sorted(stored.id for stored in each.scan("Patient")) for each in (alone, shared)] == [sorted(f"p{n}" for n in range(150))] * 2
    assert told[-1] == ("import 5 files", 160, 160)
    assert left(shared) == []


def test_a_file_that_is_not_the_same_on_a_worker_is_not_imported(repository, tmp_path):
    path = ndjson(tmp_path / "a.ndjson", patient("a"))

    def other(many: Sequence[Job], tell: Callable[[], None]) -> None:
        ndjson(path, patient("b"))
        jobs.here(TASKS, repository, many, tell)

    with pytest.raises(WorkFailed, match="is not the same on a worker"):
        load(repository, [path], workers=other)
    assert repository.types() == []


def test_workers_share_a_large_file_and_one_who_stops_in_its_midst_is_replaced(new_database, tmp_path, crowd, database, monkeypatch):
    monkeypatch.setattr(cutting, "_LEAST", 4000)
    monkeypatch.setattr(loading, "JOB_BYTES", 4000)
    monkeypatch.setattr(loading, "BATCH", 5)
    rows = [patient(f"p{number}") for number in range(150)]
    rows[60:60], rows[120:120] = ["{"], [patient("bad", gender="Kanarifugl")]
    path = ndjson(tmp_path / "a.ndjson", *rows)
    alone, shared = Repository(new_database()), Repository(database)
    offers, told = list[list[str]](), list[tuple[str, int, int]]()

    def leave_first(ids: Sequence[str]) -> None:
        """Each job is begun by a worker that is stopped after its first batch, and then done by another."""
        offers.append([*ids])
        for id in ids:
            looks = iter([False])
            jobs.perform(TASKS, Repository(database), id, ending=lambda looks=looks: next(looks, True))
        crowd(TASKS)(ids)

    workers = partial(jobs.elsewhere, shared, leave_first, lambda _: None)
    reports = [load(shared, [path], workers=workers, progress=lambda *what: told.append(what)), load(alone, [path])]
    assert len(offers[0]) == len(stretches(path)) > 4
    assert reports[0].to_json() == reports[1].to_json()
    assert [bad.place.line for bad in reports[0].bad] == [61, 121]
    assert {stored.id for stored in shared.scan("Patient")} == {f"p{number}" for number in range(150)}
    assert {stored.version for stored in shared.scan("Patient")} == {1}
    assert told[-1] == ("import 1 files", 152, 152)
    assert left(shared) == []


def test_a_stretch_that_is_not_the_same_on_a_worker_is_not_imported_and_the_others_are(repository, tmp_path, monkeypatch):
    monkeypatch.setattr(cutting, "_LEAST", 4000)
    monkeypatch.setattr(loading, "JOB_BYTES", 4000)
    rows = [patient(f"p{number:02}") for number in range(99)]
    path = ndjson(tmp_path / "a.ndjson", *rows)

    def other(many: Sequence[Job], tell: Callable[[], None]) -> None:
        ndjson(path, *rows[:-1], patient("pXX"))
        jobs.here(TASKS, repository, many, tell)

    with pytest.raises(WorkFailed, match="1 of [0-9]+ jobs failed; the first says: .* is not the same on a worker"):
        load(repository, [path], workers=other)
    there = {stored.id for stored in repository.scan("Patient")}
    assert "p00" in there
    assert not {"p98", "pXX"} & there


@pytest.mark.parametrize("again", [True, False])
def test_the_jobs_of_an_import_that_ends_without_workers_do_not_wait_for_ever(repository, tmp_path, again):
    path = ndjson(tmp_path / "a.ndjson", patient("a"))

    def stopped(found: Sequence[Job], tell: Callable[[], None]) -> None:
        jobs.remember(State(repository.database), found, repository)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load(repository, [path], workers=stopped)
    assert [status for _, status, _ in left(repository)] == ["waiting"]
    load(repository, [path], again=again)
    assert left(repository) == []


def test_a_search_index_is_written_anew(repository):
    repository.commit([Change("Patient", id, patient(id), 0) for id in ("a", "b")])
    repository.commit([Change("Patient", "b", None, 1)])
    before = {document["_id"]: document["fhir"] for document in repository.database["Patient"].find({})}
    repository.database["Patient"].update_one({"_id": "a"}, {"$set": {"fhir.index": {}}})
    jobs.here(TASKS, repository, index_jobs(["Patient"]), nothing)
    assert {document["_id"]: document["fhir"] for document in repository.database["Patient"].find({})} == before


def test_a_search_index_written_anew_leaves_what_a_sync_wrote_since_it_was_read(repository):
    [read] = repository.commit([Change("Patient", "a", patient("a"), 0)])
    link = Link("city", "Patient/1", "1", CURRENT)
    [synced] = repository.commit([Change("Patient", "a", read.raw, 1, links=(link,), owed=("clinic",))])
    assert synced.version == read.version
    repository.reindex(read)
    now = repository.read("Patient", "a")
    assert (now.links, now.outbox) == (synced.links, ("clinic",))
    assert [finding for finding in verify(repository) if not finding.note] == []


@pytest.mark.parametrize("url", ["http://127.0.0.1", "127.0.0.1:6379", "redis"])
def test_a_queue_that_is_no_redis_is_refused(repository, tmp_path, url):
    settings = Settings(db=None, database="x", home=tmp_path, log_level="INFO", workers=url)
    with pytest.raises(Invalid, match="CASEBRIDGE_WORKERS"):
        workers(settings, repository, lambda _: None)


def test_without_the_setting_there_are_no_workers(repository, tmp_path):
    assert workers(Settings.from_env({}), repository, lambda _: None) is None
