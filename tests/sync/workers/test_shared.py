"""A sync whose work workers share becomes what one process would have made of it. The workers here are threads of this process."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from adapter.clock import utc_now
from adapter.errors import Busy, RemoteFatal, RemoteTemporary
from adapter.fhir.retry import RetryPolicy
from adapter.store.documents import Change
from adapter.store.repository import Repository
from adapter.store.verify import verify
from adapter.sync.bridge import Bridge
from adapter.sync.certificates.certificate import Certificate
from adapter.sync.remotes.remote import Remote
from adapter.sync.workers import jobs, remote_lease, shares, slices
from adapter.sync.workers.jobs import Elsewhere, Job, Results
from adapter.sync.workers.tasks import TASKS
from tests.sync.faulty import Exchange, Proxy, drops, says
from tests.sync.hospital import hospital_server

PATIENTS, EACH = 9, 2
NAME = [{"family": "Kanarifugl"}]
Offer = Callable[[Sequence[str]], None]


@dataclass
class Site:
    """A hospital behind a proxy, and a casebridge with two workers."""

    hospital: Repository
    bridge: Bridge
    proxy: Proxy
    pool: ThreadPoolExecutor
    at_work: set[int]
    """Which threads did a job."""

    def offer(self, ids: Sequence[str]) -> None:
        for id in ids:
            self.pool.submit(self.perform, id)

    def perform(self, id: str, **how: Any) -> None:
        self.at_work.add(threading.get_ident())
        jobs.perform(TASKS, Repository(self.bridge.repository.database), id, **how)

    def leave_first(self, ids: Sequence[str]) -> None:
        """Each job is begun by a worker that is stopped after two looks at its leases, and then done by another."""
        for id in ids:
            left = iter([False] * 2)
            self.perform(id, ending=lambda left=left: next(left, True))  # type: ignore[misc]
        self.offer(ids)

    def workers(self, offer: Offer | None = None) -> Elsewhere:
        return partial(jobs.elsewhere, self.bridge.repository, offer or self.offer, lambda _: None)

    def sync(self, offer: Offer | None = None, **how: Any) -> Certificate:
        return self.bridge.sync("hospital", **{"workers": self.workers(offer), "say": lambda _: None, **how})


def knows(bridge: Bridge, url: str, **settings: Any) -> None:
    bridge.remotes.add(Remote("hospital", url, **{"page_size": 5, "bundle_size": 2, **settings}))


@pytest.fixture
def site(database: Any, new_database: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setattr(slices, "_REQUESTS", 4)
    theirs = new_database()
    with hospital_server(theirs) as url, Proxy(url) as proxy, ThreadPoolExecutor(2) as pool:
        yield Site(Repository(theirs), Bridge(database), proxy, pool, set())


def ward_of(repository: Repository, lead: str = "") -> None:
    """Patients, and what there is about each: an order and its plan refer to each other."""
    changes = [Change("Patient", f"{lead}p{n}", {"resourceType": "Patient", "name": NAME}, 0) for n in range(PATIENTS)]
    for n in range(PATIENTS):
        subject, plan, order = {"reference": f"Patient/{lead}p{n}"}, f"{lead}plan{n}", f"{lead}order{n}"
        changes += [Change("Observation", f"{lead}o{n}-{m}", observation(subject, valueString=f"Kanarifugl {m}"), 0) for m in range(EACH)]
        asked = {"resourceType": "ServiceRequest", "status": "active", "intent": "order", "subject": subject}
        meant = {"resourceType": "CarePlan", "status": "active", "intent": "plan", "subject": subject}
        changes += [
            Change("ServiceRequest", order, {**asked, "basedOn": [{"reference": f"CarePlan/{plan}"}]}, 0),
            Change("CarePlan", plan, {**meant, "activity": [{"reference": {"reference": f"ServiceRequest/{order}"}}]}, 0),
        ]
    for start in range(0, len(changes), 20):
        repository.commit(changes[start : start + 20])


def observation(subject: dict[str, str], **more: Any) -> dict[str, Any]:
    return {"resourceType": "Observation", "status": "final", "code": {"text": "Kanarifugl"}, "subject": subject, **more}


def account(certificate: Certificate) -> dict[str, Any]:
    told = certificate.to_json()
    return {name: told[name] for name in ("pull", "push", "failed", "reasons", "holds", "failure")}


def content(repository: Repository, *types: str) -> dict[str, Any]:
    """What is there, without what a server owns."""
    there = (stored for type in types or repository.types() for stored in repository.scan(type) if not stored.deleted)
    return {stored.reference: {**stored.raw, "meta": None} for stored in there}


def mended(repository: Repository) -> list[str]:
    return [finding.reason for finding in verify(repository) if not finding.note]


def test_types_that_workers_read_are_what_one_process_reads(site, new_database):
    ward_of(site.hospital)
    knows(site.bridge, site.proxy.url)
    alone = Bridge(new_database())
    knows(alone, site.proxy.url)
    certificates = [site.sync(push=False), alone.sync("hospital", push=False, say=lambda _: None)]
    assert account(certificates[0]) == account(certificates[1])
    assert certificates[0].clean
    assert content(site.bridge.repository) == content(alone.repository)
    cursors = [{id for id, _ in bridge.state.all("cursors")} for bridge in (site.bridge, alone)]
    assert cursors[0] == cursors[1]
    assert mended(site.bridge.repository) == []
    assert len(site.at_work) == 2
    assert [*site.bridge.state.all("jobs")] == [*site.bridge.state.all("parts")] == []
    before = len(site.proxy.seen)
    again = site.sync(push=False)
    assert again.clean
    assert again.pulled.written == 0
    assert len(site.proxy.seen) - before < 100


def test_slices_that_workers_send_are_there_once_and_refer_to_each_other(site):
    ward_of(site.bridge.repository)
    knows(site.bridge, site.proxy.url)
    certificate = site.sync(pull=False)
    assert {type: dict(counts) for type, counts in certificate.pushed.counts.items()} == {
        "Patient": {"create": PATIENTS},
        "Observation": {"create": PATIENTS * EACH},
        "CarePlan": {"create": PATIENTS},
        "ServiceRequest": {"create": PATIENTS},
    }
    assert certificate.clean
    assert len(site.at_work) == 2
    there = content(site.hospital)
    assert len(there) == PATIENTS * (3 + EACH)
    for raw in there.values():
        if raw["resourceType"] != "Patient":
            assert raw["subject"]["reference"] in there
    plans = [raw for raw in there.values() if raw["resourceType"] == "CarePlan"]
    assert all(there[plan["activity"][0]["reference"]["reference"]]["basedOn"] for plan in plans)
    assert mended(site.bridge.repository) == []
    again = site.sync()
    assert (again.pulled.written, again.pushed.written) == (0, 0)
    assert again.clean


def test_what_is_deleted_here_is_deleted_there_by_workers_who_refers_first(site):
    ward_of(site.bridge.repository)
    knows(site.bridge, site.proxy.url)
    site.sync(pull=False)
    for reference, raw in content(site.bridge.repository, "Observation", "ServiceRequest", "CarePlan").items():
        stored = site.bridge.repository.read(*reference.split("/"))
        assert raw
        site.bridge.repository.commit([Change(stored.type, stored.id, None, stored.version)])
    certificate = site.sync(pull=False)
    assert certificate.pushed.total("delete") == PATIENTS * (2 + EACH)
    assert {raw["resourceType"] for raw in content(site.hospital).values()} == {"Patient"}


def test_a_type_that_workers_may_not_read_is_said_to_fail_as_in_one_process(site):
    ward_of(site.hospital)
    knows(site.bridge, site.proxy.url)
    site.proxy.fault(says(403, body=b"<html>Kanarifugl</html>"), method="GET", path="/Observation?")
    with pytest.raises(RemoteFatal):
        site.sync()
    ((_, kept),) = site.bridge.certificates.all("hospital")
    assert [*kept["failed"]] == ["Observation"]
    assert kept["pull"]["CarePlan"]["adds up"]
    site.proxy.mend()
    assert site.sync().clean
    assert len(content(site.bridge.repository)) == PATIENTS * (3 + EACH)


def test_what_is_refused_is_set_aside_and_the_rest_of_its_slice_is_sent(site):
    ward_of(site.bridge.repository)
    site.bridge.repository.commit([Change("Observation", "bad", observation({"reference": "Patient/p0"}, valueString="REFUSE"), 0)])
    knows(site.bridge, site.proxy.url)
    site.proxy.fault(says(422), method="POST", body="REFUSE")
    certificate = site.sync(pull=False)
    assert certificate.pushed.counts["Observation"] == {"create": PATIENTS * EACH, "dead": 1}
    assert certificate.pushed.total("create") == PATIENTS * (3 + EACH)


def test_a_remote_that_is_lost_in_the_midst_of_a_push_ends_it_and_the_next_sync_goes_on(site, monkeypatch):
    monkeypatch.setattr(RetryPolicy, "wait", lambda self, attempt: 0.0)
    ward_of(site.bridge.repository)
    knows(site.bridge, site.proxy.url)
    site.proxy.fault(drops, method="POST", skip=5)
    with pytest.raises(RemoteTemporary):
        site.sync(pull=False)
    site.proxy.mend()
    assert site.sync().clean
    assert len(content(site.hospital)) == PATIENTS * (3 + EACH)


def test_what_is_born_in_a_casebridge_has_the_same_id_in_every_casebridge_that_workers_pull_it_to(site, new_database):
    ward_of(site.bridge.repository)
    knows(site.bridge, site.proxy.url)
    site.sync(pull=False)
    other = Site(site.hospital, Bridge(new_database()), site.proxy, site.pool, set())
    knows(other.bridge, site.proxy.url)
    assert other.sync(push=False).clean
    assert other.at_work
    assert content(other.bridge.repository) == content(site.bridge.repository)


def test_what_workers_find_referred_to_is_fetched_and_not_forgotten_where_who_asked_dies(site):
    ward_of(site.hospital)
    knows(site.bridge, site.proxy.url, types=("Observation", "ServiceRequest"), reference_depth=1)

    def dies(wanted: Sequence[Job], tell: Callable[[], None]) -> Results:
        site.workers()(wanted, tell)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        site.sync(workers=dies, push=False)
    assert "Patient" not in site.bridge.repository.types()
    certificate = site.sync(push=False)
    assert certificate.clean
    assert {type: certificate.pulled.counts[type]["create"] for type in ("Patient", "CarePlan")} == {
        "Patient": PATIENTS,
        "CarePlan": PATIENTS,
    }
    assert not any(body.get("references") for _, body in site.bridge.state.all("cursors"))


def test_a_worker_stopped_in_the_midst_of_a_type_is_replaced(site):
    ward_of(site.hospital)
    knows(site.bridge, site.proxy.url)
    certificate = site.sync(site.leave_first, push=False)
    assert certificate.clean
    assert certificate.pulled.fetched == {"Observation": PATIENTS * EACH} | dict.fromkeys(
        ("Patient", "CarePlan", "ServiceRequest"), PATIENTS
    )
    assert any("before a worker was lost" in reason for reason in certificate.pulled.reasons)
    assert len(content(site.bridge.repository)) == PATIENTS * (3 + EACH)


def test_a_worker_stopped_in_the_midst_of_a_slice_is_replaced_and_what_it_sent_is_counted_as_sent(site, monkeypatch):
    monkeypatch.setattr(shares, "PAUSE_SECONDS", 0.0)
    ward_of(site.bridge.repository)
    knows(site.bridge, site.proxy.url)
    certificate = site.sync(site.leave_first, pull=False)
    assert certificate.clean
    assert certificate.pushed.total("create") == PATIENTS * (3 + EACH)
    assert len(content(site.hospital)) == PATIENTS * (3 + EACH)


class Held:
    """Holds up a request until told to let go."""

    def __init__(self) -> None:
        self.reached, self.let_go = threading.Event(), threading.Event()

    def __call__(self, exchange: Exchange) -> None:
        self.reached.set()
        self.let_go.wait(30)
        exchange.answer(exchange.forward())


@pytest.fixture
def stalled(site: Site) -> Iterator[tuple[Held, Future[Certificate]]]:
    """A sync with a worker in the midst of a type: two pages are here, and it waits for the third."""
    ward_of(site.hospital)
    knows(site.bridge, site.proxy.url)
    held = Held()
    site.proxy.fault(held, method="GET", path="Observation", skip=3, times=1)
    with ThreadPoolExecutor(1) as asking:
        yield held, asking.submit(site.sync, push=False)
        held.let_go.set()


def test_who_has_the_lease_next_waits_until_the_last_worker_has_let_go(site, stalled):
    held, sync = stalled
    assert held.reached.wait(30)
    state = site.bridge.state
    # The process that asked is gone for longer than its lease lasts.
    state.put("leases", "hospital", {**(state.get("leases", "hospital") or {}), "until": utc_now() - timedelta(seconds=1)})

    def next_one() -> list[str]:
        with remote_lease.hold(state, "hospital"):
            return [id for id, _ in state.all("leases") if id.startswith("job:")]

    with ThreadPoolExecutor(1) as pool:
        following = pool.submit(next_one)
        until(lambda: not list(state.all("jobs")))
        assert not following.done()
        held.let_go.set()
        assert following.result(30) == []
    with pytest.raises(Busy):
        sync.result(30)


def test_a_job_that_is_taken_away_is_done_by_who_asked(site, stalled):
    held, sync = stalled
    assert held.reached.wait(30)
    site.bridge.state.drop_all("jobs", {"arguments.type": "Observation"})
    held.let_go.set()
    assert sync.result(30).clean
    assert len(content(site.bridge.repository, "Observation")) == PATIENTS * EACH


def until(holds: Callable[[], Any]) -> None:
    end = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.01)
