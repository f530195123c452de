"""A plan explained: the requests are those that a push makes, and the remote answers as was predicted."""

from uuid import uuid4

import pytest

from adapter.store.documents import Change
from adapter.sync.edge import own_search
from tests.sync.faulty import Proxy


def make_here(world, type="Patient", **elements):
    raw = {"resourceType": type, **elements}
    if type == "Patient":
        raw["name"] = [{"use": "official", "family": "Kanarifugl"}]
    return world.bridge.repository.commit([Change(type, uuid4().hex, raw, 0)])[0]


def explained(world, **options):
    return [each for each in world.bridge.explain("hospital", **options) if each.entry.action != "unchanged"]


def one(world, **options):
    [found] = explained(world, **options)
    return found


def origins(found, path):
    [element] = [element for element in found.elements if element.change.path == path]
    return [(origin.field, origin.file) for origin in element.origins]


def test_a_create_is_explained_with_its_condition_and_the_fields_that_set_its_elements(world):
    ours = make_here(world, gender="female", language="en")
    found = one(world, pull=False)
    assert (found.request.method, found.request.path) == ("POST", "Patient")
    assert ours.id in found.request.headers["If-None-Exist"]
    assert (found.answer, found.lacks) == ("201", ())
    assert found.request.body["gender"] == "female"
    assert [file for _, file in origins(found, "gender")] == ["adapter/mapping/client.py"]
    assert origins(found, "language") == []
    assert {element.note for element in found.elements if element.change.path == "language"} == {
        "no rule reads it: it stands so in the resource itself"
    }


def test_an_update_is_explained_with_the_version_it_expects_and_the_element_that_changes(world):
    patient = world.patient_there(birthDate="1950")
    world.sync()
    world.edit_here(patient, birthDate="1951")
    found = one(world, pull=False)
    version = world.there(patient)["meta"]["versionId"]
    assert (found.request.method, found.request.path) == ("PUT", f"Patient/{patient['id']}")
    assert found.request.headers["If-Match"] == f'W/"{version}"'
    assert found.answer == "200"
    [element] = found.elements
    assert (element.change.path, element.change.base, element.change.ours) == ("birthDate", "1950", "1951")
    assert origins(found, "birthDate") == [("birth_date", "adapter/mapping/client.py")]


def test_the_requests_that_are_shown_are_those_that_a_push_makes(world):
    patient = world.patient_there()
    gone = world.patient_there()
    subject = make_here(world)
    make_here(world, "Goal", lifecycleStatus="active", description={"text": "walk (Kanarifugl)"}, subject={"reference": subject.reference})
    world.sync(push=False)
    world.edit_here(patient, birthDate="1951")
    stored = world.here(gone)
    world.bridge.repository.commit([Change("Patient", stored.id, None, stored.version)])
    sent = []
    transaction, delete = type(world.hospital).transaction, type(world.hospital).delete

    def notes(client, bundle):
        sent.extend((entry["request"], entry.get("resource")) for entry in bundle["entry"])
        return transaction(client, bundle)

    def notes_deletion(client, type, id, *, if_match=None):
        sent.append(({"method": "DELETE", "url": f"{type}/{id}", "ifMatch": f'W/"{if_match}"'}, None))
        return delete(client, type, id, if_match=if_match)

    shown = [each.request for each in explained(world, pull=False)]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(type(world.hospital), "transaction", notes)
        patched.setattr(type(world.hospital), "delete", notes_deletion)
        world.sync(pull=False)
    asked = [(request, body) for request, body in sent if request["method"] != "GET"]
    assert [(request["method"], request["url"], body) for request, body in asked] == [(each.method, each.path, each.body) for each in shown]
    names = {"ifMatch": "If-Match", "ifNoneExist": "If-None-Exist"}
    for (request, _), each in zip(asked, shown, strict=True):
        assert {names[key]: value for key, value in request.items() if key in names}.items() <= each.headers.items()


def test_what_moved_there_is_predicted_to_be_refused(world):
    patient = world.patient_there()
    world.sync()
    world.edit_here(patient, birthDate="1951")
    world.edit_there(patient, gender="other")
    assert one(world, pull=False).answer == "409 or 412"


def test_after_a_pull_that_merges_the_push_is_explained_as_it_will_be(world):
    patient = world.patient_there()
    world.sync()
    world.edit_here(patient, birthDate="1951")
    world.edit_there(patient, gender="other")
    pulled, pushed = explained(world)
    assert (pulled.entry.action, pulled.request, pulled.answer) == ("merge", None, "not sent")
    assert [element.change.path for element in pulled.elements] == ["gender"]
    assert (pushed.entry.action, pushed.answer) == ("update", "200")
    assert pushed.request.headers["If-Match"] == f'W/"{world.there(patient)["meta"]["versionId"]}"'
    assert [element.change.path for element in pushed.elements] == ["birthDate"]


def test_what_an_owner_decides_is_said(world):
    world.bridge.remotes.change("hospital", {"owners": {"Patient.birthDate": "theirs"}})
    patient = world.patient_there(birthDate="1950")
    world.sync()
    world.edit_here(patient, birthDate="1951")
    world.edit_there(patient, birthDate="1952")
    pulled = explained(world)[0]
    [element] = pulled.elements
    assert element.note == "both sides changed it; it is theirs by its owner's rule"


def test_what_an_interrupted_push_made_is_predicted_to_be_found(world):
    ours = make_here(world)
    [(name, value)] = own_search("Patient", ours.id).items()
    assert name == "identifier"
    system, _, id = value.partition("|")
    world.hospital.create({**{key: ours.raw[key] for key in ("resourceType", "name")}, "identifier": [{"system": system, "value": id}]})
    assert one(world, pull=False).answer == "200"
    world.hospital.create({**{key: ours.raw[key] for key in ("resourceType", "name")}, "identifier": [{"system": system, "value": id}]})
    assert one(world, pull=False).answer == "412"


def test_what_is_wrong_in_itself_is_predicted_to_be_a_dead_letter(world):
    make_here(world, "Observation", status="final")
    found = one(world, pull=False)
    assert found.answer == "not sent"
    assert found.why.startswith("a dead letter: Not a valid Observation")


def test_an_explanation_only_reads_there(world):
    make_here(world)
    with Proxy(world.remote.url) as proxy:
        world.bridge.remotes.remove("hospital")
        world.bridge.remotes.add(type(world.remote)("hospital", proxy.url))
        explained(world)
        posts = [path for method, path in proxy.seen if method != "GET"]
        assert {path.rstrip("/") for path in posts} <= {"/fhir"}, "a batch of counts"
    assert not [raw for page in world.hospital.search("Patient", {}) for raw in page.entries]
