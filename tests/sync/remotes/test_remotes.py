"""Remotes are added and removed whole, and a name whose links are kept stays with its address."""

import pytest

from adapter.errors import Invalid
from adapter.store.documents import Change
from adapter.store.state import State
from adapter.sync.remotes.remote import Remote, Remotes


def owed_to(world, name: str) -> bool:
    """Whether what is made here now is owed to a remote."""
    raw = {"resourceType": "Patient", "name": [{"family": "Kanarifugl"}]}
    [stored] = world.bridge.repository.commit([Change("Patient", f"owed-to-{name}", raw, 0)])
    return name in stored.outbox


def test_a_remote_whose_adding_was_stopped_in_the_midst_is_not_there_and_can_be_added_again(world, monkeypatch):
    class Died(Exception):
        pass

    def dies(*_):
        raise Died

    monkeypatch.setattr(Remotes, "_publish", dies)
    with pytest.raises(Died):
        world.bridge.remotes.add(Remote("city", "https://city.example/fhir"))
    monkeypatch.undo()
    assert "city" not in {remote.name for remote in world.bridge.remotes.all()}
    world.bridge.remotes.add(Remote("city", "https://city.example/fhir"))
    assert owed_to(world, "city")


def test_a_second_remote_of_one_name_is_refused_and_the_first_stays(world):
    with pytest.raises(Invalid, match="already"):
        world.bridge.remotes.add(Remote("hospital", "https://city.example/fhir"))
    assert world.bridge.remotes.get("hospital").url == world.remote.url
    assert owed_to(world, "hospital")


def test_a_name_to_which_something_is_linked_is_not_given_to_another_address(world):
    """A link names a resource there by the name of its remote: at another server the same id is another person."""
    patient = world.patient_there()
    world.sync()
    world.bridge.remotes.remove("hospital")
    assert not owed_to(world, "hospital")
    with pytest.raises(Invalid, match="choose another name"):
        world.bridge.remotes.add(Remote("hospital", "https://city.example/fhir"))
    assert world.bridge.remotes.all() == []
    world.bridge.remotes.add(world.remote)
    world.sync()
    assert world.here(patient).version == 1


def test_a_name_to_which_nothing_is_linked_can_be_given_to_another_address(world):
    world.bridge.remotes.remove("hospital")
    world.bridge.remotes.add(Remote("hospital", "https://city.example/fhir"))
    assert world.bridge.remotes.get("hospital").url == "https://city.example/fhir"


def test_an_address_makes_the_same_ids_with_a_slash_at_its_end_and_without(world):
    for name, end in (("one", ""), ("two", "/")):
        world.bridge.remotes.add(Remote(name, f"https://city.example/fhir{end}"))
    assert world.bridge.remotes.get("one").namespace == world.bridge.remotes.get("two").namespace


def test_a_setting_that_is_changed_while_the_outbox_is_completed_stays_changed(world, monkeypatch):
    remotes, get = world.bridge.remotes, State.get

    def late(self, kind, *arguments):
        found = get(self, kind, *arguments)
        if kind == "remotes":
            monkeypatch.undo()
            remotes.change("hospital", {"page_size": 7})
        return found

    monkeypatch.setattr(State, "get", late)
    remotes.mark_seeded("hospital")
    assert remotes.seeded("hospital")
    assert remotes.get("hospital").page_size == 7
