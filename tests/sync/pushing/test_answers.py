"""What becomes of a push's answers that say too little, come beside failures, or come too late."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from adapter.errors import RemoteFatal, RemoteTemporary
from adapter.fhir.client import FhirClient
from adapter.store.documents import Change
from adapter.sync.pushing.dead import Letters
from tests.sync.faulty import Exchange, Fault, Proxy, changes, commits_and_drops, says
from tests.sync.pushing.scene import REFUSED
from tests.sync.world import World
from tests.sync.world import world as make_world

pytestmark = pytest.mark.usefixtures("quick_retries")
PERSON = {"resourceType": "Patient", "name": [{"family": "Kanarifugl"}]}


@pytest.fixture
def side(database: Any, proxy: Proxy) -> Iterator[World]:
    made = make_world(database, proxy.url, types=("Patient",))
    yield made
    made.hospital.close()


def make(side: World, id: str, raw: dict[str, Any] = PERSON) -> Any:
    return side.bridge.repository.commit([Change(raw["resourceType"], id, raw, 0)])[0]


def edit(side: World, id: str, **elements: Any) -> Any:
    now = side.bridge.repository.read("Patient", id)
    return side.bridge.repository.commit([Change("Patient", id, {**now.raw, **elements}, now.version)])[0]


def there(side: World, id: str) -> str:
    return str(side.bridge.repository.read("Patient", id).link("hospital").reference).partition("/")[2]


def says_only_how_it_went(bundle: dict[str, Any]) -> None:
    for entry in bundle.get("entry", ()):
        entry.pop("resource", None)
        entry["response"].pop("location", None)


def test_a_bundles_answer_that_names_nothing_costs_no_link(side: World, proxy: Proxy) -> None:
    for id in ("one", "two"):
        make(side, id)
    proxy.fault(changes(says_only_how_it_went), method="POST", body='"Bundle"')
    assert side.sync(pull=False).pushed.total("create") == 2
    before = {id: there(side, id) for id in ("one", "two")}
    assert sorted(before.values()) == sorted(raw["id"] for page in side.hospital.search("Patient", {}) for raw in page.entries)
    for id in before:
        edit(side, id, gender="female")
    assert side.sync(pull=False).pushed.total("update") == 2
    assert {id: there(side, id) for id in before} == before
    assert all(side.hospital.read("Patient", id).raw["gender"] == "female" for id in before.values())
    assert not list(side.bridge.repository.owed("hospital"))


def test_the_faces_of_one_record_are_told_apart_in_one_transaction(side: World, proxy: Proxy) -> None:
    make(side, "manager", {"resourceType": "Practitioner", "name": PERSON["name"]})
    make(side, "manager", {"resourceType": "PractitionerRole", "practitioner": {"reference": "Practitioner/manager"}})
    before = len(proxy.seen)
    assert side.sync(pull=False).pushed.total("create") == 2
    assert [method for method, _ in proxy.seen[before:]].count("POST") == 1
    [role] = [raw for page in side.hospital.search("PractitionerRole", {}) for raw in page.entries]
    link = side.bridge.repository.read("Practitioner", "manager").link("hospital")
    assert role["practitioner"]["reference"] == link.reference


def test_what_a_batch_did_is_kept_where_the_push_ends_over_another_entry(side: World, proxy: Proxy) -> None:
    def no_transactions(raw: dict[str, Any]) -> None:
        rest = raw["rest"][0]
        rest["interaction"] = [each for each in rest["interaction"] if each["code"] != "transaction"]

    for id in ("first", "second"):
        make(side, id)
    side.sync(pull=False)
    for id in ("first", "second"):
        edit(side, id, gender="female")
    second = there(side, "second")
    now = side.hospital.read("Patient", second)

    def theirs_first(exchange: Exchange) -> None:
        with FhirClient(f"http://{proxy.behind.netloc}{proxy.behind.path}") as direct:
            direct.update({**now.raw, "birthDate": "1950"}, if_match=str(now.version))
        proxy.faults.append(Fault(says(503), method="GET", path=f"Patient/{second}"))
        exchange.answer(exchange.forward())

    proxy.faults = [
        Fault(changes(no_transactions), method="GET", path="metadata"),
        Fault(theirs_first, method="POST", body='"Bundle"', times=1),
    ]
    with pytest.raises(RemoteTemporary):
        side.sync(pull=False)
    assert [stored.id for stored in side.bridge.repository.owed("hospital")] == ["second"]


def test_what_is_unlinked_here_while_it_is_pushed_is_not_written_over_theirs(side: World, proxy: Proxy) -> None:
    make(side, "one")
    side.sync(pull=False)
    edit(side, "one", gender="female")
    id = there(side, "one")

    def parted(exchange: Exchange) -> None:
        with FhirClient(f"http://{proxy.behind.netloc}{proxy.behind.path}") as direct:
            now = direct.read("Patient", id)
            direct.update({**now.raw, "gender": "other"}, if_match=str(now.version))
        ours = side.bridge.repository.read("Patient", "one")
        side.bridge.repository.commit([Change("Patient", "one", ours.raw, ours.version, links=())])
        exchange.answer(exchange.forward())

    proxy.fault(parted, method="PUT", times=1)
    assert side.sync(pull=False).pushed.total("skip") == 1
    assert side.hospital.read("Patient", id).raw["gender"] == "other"


def test_giving_up_a_refusal_gives_up_no_later_change(side: World) -> None:
    letters = Letters(side.bridge.state, side.bridge.clock)
    refused = make(side, "one")
    letter = letters.refused("hospital", refused, refused.reference, RemoteFatal("refused", http_status=422))
    edit(side, "one", gender="female")
    letters.give_up(letter, side.bridge.repository)
    assert [stored.id for stored in side.bridge.repository.owed("hospital")] == ["one"]
    later = side.bridge.repository.read("Patient", "one")
    letters.give_up(letters.refused("hospital", later, later.reference, RemoteFatal("refused", http_status=422)), side.bridge.repository)
    assert list(side.bridge.repository.owed("hospital")) == []
    assert list(letters.all()) == []


def says_no_body(reply: dict[str, Any]) -> None:
    for entry in reply.get("entry", ()):
        entry.pop("resource", None)


def vanishes(proxy: Proxy, id: Callable[[], str]) -> Callable[[Exchange], None]:
    """Before it is read, the hospital deletes it."""

    def act(exchange: Exchange) -> None:
        with FhirClient(f"http://{proxy.behind.netloc}{proxy.behind.path}") as direct:
            direct.delete("Patient", id())
        exchange.answer(exchange.forward())

    return act


def test_what_is_deleted_there_before_it_is_read_back_does_not_keep_the_others(side: World, proxy: Proxy) -> None:
    for id in ("one", "two", "three"):
        make(side, id)
    made: list[str] = []

    def read(exchange: Exchange) -> None:
        made.append(exchange.path.partition("/Patient/")[2].partition("/")[0])
        vanishes(proxy, lambda: made[0])(exchange)

    proxy.faults = [Fault(changes(says_no_body), method="POST", body='"Bundle"'), Fault(read, method="GET", path="/Patient/", times=1)]
    assert side.sync(pull=False).pushed.total("create") == 3
    assert not list(side.bridge.repository.owed("hospital"))
    proxy.mend()
    assert side.sync().pulled.total("delete") == 1
    assert sum(not stored.deleted for stored in side.bridge.repository.scan("Patient")) == 2


def edits_before_it_is_read(proxy: Proxy, *, history: bool = True) -> Callable[[Exchange], None]:
    """The hospital edits each of them before it is read for the first time; it may tell nothing of former versions."""
    edited: set[str] = set()

    def act(exchange: Exchange) -> None:
        id = exchange.path.partition("/Patient/")[2].partition("/")[0]
        if id not in edited:
            edited.add(id)
            with FhirClient(f"http://{proxy.behind.netloc}{proxy.behind.path}") as direct:
                now = direct.read("Patient", id)
                direct.update({**now.raw, "birthDate": "1950"}, if_match=str(now.version))
        if "_history" in exchange.path and not history:
            says(404, REFUSED)(exchange)
        else:
            exchange.answer(exchange.forward())

    return act


@pytest.mark.parametrize("history", [True, False], ids=["by the version that was made", "without a history"])
def test_what_they_edit_before_it_is_read_back_is_not_taken_for_agreed_and_comes_here(side: World, proxy: Proxy, history: bool) -> None:
    for id in ("one", "two"):
        make(side, id)
    read = Fault(edits_before_it_is_read(proxy, history=history), method="GET", path="/Patient/")
    proxy.faults = [Fault(changes(says_no_body), method="POST", body='"Bundle"'), read]
    assert side.sync(pull=False).pushed.total("create") == 2
    assert read.struck >= 2
    proxy.mend()
    assert side.sync().clean
    for stored in side.bridge.repository.scan("Patient"):
        assert stored.raw["birthDate"] == side.hospital.read("Patient", there(side, stored.id)).raw["birthDate"] == "1950"


def test_what_they_do_not_keep_of_what_was_sent_is_not_taken_for_an_edit_that_they_made_since(side: World, proxy: Proxy) -> None:
    def does_not_keep(exchange: Exchange) -> None:
        bundle = json.loads(exchange.sent)
        for entry in bundle["entry"]:
            del entry["resource"]["language"]
        exchange.sent = json.dumps(bundle).encode()
        changes(says_no_body)(exchange)

    for id in ("one", "two"):
        make(side, id, {**PERSON, "language": "nb"})
    read = Fault(edits_before_it_is_read(proxy), method="GET", path="/Patient/")
    proxy.faults = [Fault(does_not_keep, method="POST", body='"Bundle"'), read]
    side.sync(pull=False)
    assert read.struck >= 2
    proxy.mend()
    assert side.sync().clean
    for stored in side.bridge.repository.scan("Patient"):
        assert (stored.raw["language"], stored.raw["birthDate"]) == ("nb", "1950")


def test_a_create_that_finds_one_which_is_deleted_before_it_is_read_does_not_keep_the_others(side: World, proxy: Proxy) -> None:
    make(side, "one")
    proxy.fault(commits_and_drops, method="POST", times=2)
    with pytest.raises(RemoteTemporary):
        side.sync(pull=False)
    make(side, "two")
    [found] = [raw["id"] for page in side.hospital.search("Patient", {}) for raw in page.entries]
    proxy.fault(vanishes(proxy, lambda: found), method="GET", path=f"/Patient/{found}", times=1)
    certificate = side.sync(pull=False)
    assert (certificate.pushed.total("create"), certificate.pushed.total("skip")) == (1, 1)
    assert [stored.id for stored in side.bridge.repository.owed("hospital")] == ["one"]
