"""The strategy follows from what was found, else from what is claimed; and a sync keeps to it."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from adapter.clock import utc_now
from adapter.errors import MultipleMatches, RemoteConflict, RemoteTemporary
from adapter.fhir.capability import Capability, TypeCapability
from adapter.fhir.client import FhirClient
from adapter.fhir.retry import RetryPolicy
from adapter.sync.remotes import profile as profiles
from adapter.sync.remotes.profile import Finding, Profile
from adapter.sync.remotes.remote import Remote
from adapter.sync.remotes.strategy import RULES, Strategy, believed, client, strategy
from tests.sync.faulty import Exchange, Fault, Proxy, commits_and_drops, drops_header
from tests.sync.hospital import hospital_server
from tests.sync.world import world as make_world

REMOTE = Remote("hospital", "http://127.0.0.1:9/fhir", bundle_size=50, page_size=200)
ABLE = frozenset({"create", "read", "update", "patch", "delete", "search-type", "history-type"})
FULL = Capability(
    "4.0.1",
    "Full",
    {type: TypeCapability(ABLE, frozenset({"identifier", "_lastUpdated"}), True) for type in ("Patient", "Goal")},
    frozenset({"transaction", "batch", "history-system"}),
)
BARE = Capability("4.0.1", "Bare", {"Patient": TypeCapability(frozenset({"read", "search-type"}), frozenset(), False)}, frozenset())


def found(**values: Any) -> Profile:
    return Profile("Full", datetime(2026, 11, 22, tzinfo=UTC), {name: Finding(value) for name, value in values.items()})


def test_without_a_profile_it_follows_from_the_claims():
    assert strategy(None, FULL, REMOTE) == Strategy("transaction", 50, 200, (), 0.0, "history-type", True, True)
    assert strategy(None, BARE, REMOTE) == Strategy("single", 50, 200, ("If-None-Exist",), 0.0, "ids", False, False)


@pytest.mark.parametrize(
    ("findings", "field", "chosen"),
    [
        ({"transaction": "not atomic"}, "bundle", "batch"),
        ({"transaction": "no", "batch": False}, "bundle", "single"),
        ({"transaction": None}, "bundle", "transaction"),
        ({"transaction_size": 8}, "bundle_size", 8),
        ({"transaction_size": 500}, "bundle_size", 50),
        ({"page_limit": 100}, "page_size", 100),
        ({"page_limit": 1000}, "page_size", 200),
        ({"if_match": "ignored"}, "unheeded", ("If-Match",)),
        ({"if_match": "ignored"}, "bundle", "single"),
        ({"if_match": "409"}, "unheeded", ()),
        ({"conditional_create": False}, "unheeded", ("If-None-Exist",)),
        ({"conditional_create": False}, "bundle", "single"),
        ({"search_delay": 1.5}, "wait_after_write", 1.5),
        ({"history_type": False}, "deletes_by", "history-system"),
        ({"history_type": False, "history_system": False}, "deletes_by", "ids"),
        ({"search_last_updated": False}, "since", False),
        ({"patch": "fhirpath"}, "patch", False),
        ({"patch": "json"}, "patch", True),
    ],
)
def test_what_was_found_outweighs_the_claim(findings, field, chosen):
    assert getattr(strategy(found(**findings), FULL, REMOTE), field) == chosen


def test_what_was_found_and_not_claimed_is_believed_of_the_whole_and_not_of_a_type():
    able = believed(found(transaction="atomic", history_type=True, search_last_updated=True, delete="410"), BARE)
    assert able.transaction
    assert able.search_params("Patient") == {"_lastUpdated"}
    assert not able.supports("Patient", "history-type")
    assert not able.supports("Patient", "delete")


def test_what_does_not_work_is_not_believed_of_any_type():
    able = believed(found(delete="still there", history_type=False), FULL)
    assert not any(able.supports(type, interaction) for type in ("Patient", "Goal") for interaction in ("delete", "history-type"))
    assert able.supports("Goal", "update")


def test_every_choice_has_its_rule():
    assert list(RULES) == list(Strategy.__dataclass_fields__)


PATIENT = {"resourceType": "Patient", "name": [{"family": "Kanarifugl"}], "identifier": [{"system": "urn:example:mrn", "value": "1"}]}
CONDITION = "identifier=urn%3Aexample%3Amrn%7C1"


@pytest.fixture
def careless(new_database: Callable[[], Any]) -> Iterator[Proxy]:
    """A hospital that heeds no condition: a proxy takes them off."""
    with hospital_server(new_database()) as url, Proxy(url) as proxy:
        proxy.faults = [Fault(drops_header("If-Match"), method="PUT"), Fault(drops_header("If-None-Exist"), method="POST")]
        yield proxy


def wary(proxy: Proxy) -> FhirClient:
    remote = Remote("careless", proxy.url)
    return client(remote, strategy(found(if_match="ignored", conditional_create=False), FULL, remote))


def test_where_if_match_is_not_heeded_a_write_over_what_moved_is_a_conflict(careless: Proxy) -> None:
    with wary(careless) as looking, FhirClient(careless.url) as trusting:
        made = trusting.create(PATIENT)
        old = {**PATIENT, "id": made.id}
        trusting.update({**old, "gender": "female"}, if_match=made.version)
        with pytest.raises(RemoteConflict):
            looking.update({**old, "active": True}, if_match=made.version)
        with pytest.raises(RemoteConflict):
            looking.patch("Patient", made.id, [{"op": "remove", "path": "/gender"}], if_match=made.version)
        assert looking.read("Patient", made.id).raw["gender"] == "female"
        now = looking.read("Patient", made.id)
        assert looking.update({**now.raw, "active": True}, if_match=now.version).raw["gender"] == "female"
        # What happens to who trusts the remote's claim.
        trusting.update(old, if_match=made.version)
        assert "gender" not in looking.read("Patient", made.id).raw


def test_where_if_match_is_not_heeded_a_write_whose_answer_is_lost_is_made_once(careless: Proxy) -> None:
    with wary(careless) as looking, FhirClient(f"http://{careless.behind.netloc}{careless.behind.path}") as direct:
        made = direct.create(PATIENT)
        careless.faults = [Fault(commits_and_drops, method="PUT", times=1), *careless.faults]
        written = looking.update({**PATIENT, "id": made.id, "active": True}, if_match=made.version)
        assert written.version == direct.read("Patient", made.id).version == "2"


def test_where_if_match_is_not_heeded_nobody_is_overwritten_after_an_answer_was_lost(careless: Proxy) -> None:
    with wary(careless) as looking, FhirClient(f"http://{careless.behind.netloc}{careless.behind.path}") as direct:
        made = direct.create(PATIENT)

        def lost(exchange: Exchange) -> None:
            exchange.forward()
            now = direct.read("Patient", made.id)
            direct.update({**now.raw, "gender": "other"}, if_match=now.version)

        careless.faults = [Fault(lost, method="PUT", times=1), *careless.faults]
        with pytest.raises(RemoteConflict):
            looking.update({**PATIENT, "id": made.id, "active": True}, if_match=made.version)
        assert direct.read("Patient", made.id).raw["gender"] == "other"


def test_where_if_none_exist_is_not_heeded_a_create_is_looked_for_and_never_repeated_blindly(careless: Proxy) -> None:
    with wary(careless) as looking:
        careless.faults = [Fault(commits_and_drops, method="POST", times=1), *careless.faults]
        with pytest.raises(RemoteTemporary):
            looking.create(PATIENT, if_none_exist=CONDITION)
        again = looking.create(PATIENT, if_none_exist=CONDITION)
        assert not again.created
        assert looking.count("Patient", {}) == 1
        looking.create(PATIENT)
        with pytest.raises(MultipleMatches):
            looking.create(PATIENT, if_none_exist=CONDITION)


def test_a_sync_goes_about_a_careless_remote_as_its_profile_says(careless: Proxy, database: Any) -> None:
    world = make_world(database, careless.url, types=("Patient",))
    findings = {"if_match": Finding("ignored"), "conditional_create": Finding(False)}
    profiles.keep(world.bridge.state, "hospital", Profile("", utc_now(), findings))
    theirs = [world.patient_there() for _ in range(2)]
    world.sync()
    for raw in theirs:
        world.edit_here(raw, gender="other")
    before = len(careless.seen)
    assert world.sync().clean
    asked = careless.seen[before:]
    assert not [path for method, path in asked if method == "PUT" and "Patient/" not in path]
    for raw in theirs:
        written = asked.index(("PUT", f"/fhir/Patient/{raw['id']}"))
        assert asked[written - 1] == ("GET", f"/fhir/Patient/{raw['id']}")
        assert world.there(raw)["gender"] == "other"
    world.hospital.close()


def test_a_pull_does_not_ask_for_what_was_found_not_to_work(new_database: Callable[[], Any], database: Any) -> None:
    with hospital_server(new_database()) as url, Proxy(url) as proxy:
        world = make_world(database, proxy.url, types=("Patient",))
        kept, gone = world.patient_there(), world.patient_there()
        world.sync()
        before = len(proxy.seen)
        world.sync()
        assert any("_history" in path for _, path in proxy.seen[before:])
        assert any("_lastUpdated=ge" in path for _, path in proxy.seen[before:])
        findings = {"history_type": False, "history_system": False, "search_last_updated": False, "page_limit": 2}
        profiles.keep(world.bridge.state, "hospital", found(**findings))
        world.hospital.delete("Patient", gone["id"])
        before = len(proxy.seen)
        world.sync()
        asked = [path for _, path in proxy.seen[before:]]
        assert not [path for path in asked if "_history" in path or "_lastUpdated=ge" in path]
        assert [path for path in asked if "_count=2" in path]
        assert world.here(kept)
        world.hospital.close()


def test_a_request_is_not_sent_again_before_a_search_would_find_what_the_first_did():
    remote = Remote("slow", "http://127.0.0.1:9/fhir")
    with client(remote, strategy(found(search_delay=40.0), FULL, remote)) as slow:
        assert min(slow.exchange.retry.wait(attempt) for attempt in range(1, 5)) >= 40
    with client(remote, strategy(None, FULL, remote)) as quick:
        assert quick.exchange.retry == RetryPolicy()
