"""A pull takes the patients that the settings select, what refers to them, and what that refers to; and keeps what left the scope."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from adapter.clock import utc_now
from adapter.config import OWN_ID
from adapter.errors import Invalid, RemoteFatal, RemoteTemporary
from adapter.fhir.retry import RetryPolicy
from adapter.sync.certificates.certificate import Certificate
from adapter.sync.pulling import searches
from tests.sync.faulty import changes, says
from tests.sync.test_two_sides import changed
from tests.sync.ward import Ward, all_but, ward

REFUSED = b'{"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "forbidden"}]}'
FEW = all_but(*("Appointment", "CarePlan", "CareTeam", "EpisodeOfCare", "Group", "Observation", "Organization", "Patient", "Practitioner"))
TAG = {"system": "urn:example:programme", "code": "falls"}


@dataclass
class House:
    """A hospital with two patients and all that refers to them, of which one is to be pulled."""

    world: Ward
    ago: list[timedelta]
    """How long ago it is at the hospital and here, as its only item: what is made in the past is not new to the second pull."""
    ids: dict[str, str] = field(default_factory=dict)

    def make(self, name: str, of: str, /, **elements: Any) -> str:
        """Type/id of a new resource, to be called `name` in this test."""
        self.ids[name] = f"{of}/{self.world.hospital.create({'resourceType': of, **elements}).id}"
        return self.ids[name]

    def person(self, name: str, /, **elements: Any) -> str:
        return self.make(name, "Patient", name=[{"family": "Kanarifugl"}], **elements)

    def seen(self, name: str, patient: str, doctor: str) -> str:
        """An observation of the patient's by the doctor."""
        more = {"subject": {"reference": self.ids[patient]}, "performer": [{"reference": self.ids[doctor]}]}
        return self.make(name, "Observation", status="final", code={"text": "Kanarifugl"}, **more)

    def doctor(self, name: str, /, **elements: Any) -> str:
        return self.make(name, "Practitioner", name=[{"family": "Kanarifugl"}], **elements)

    def sync(self) -> Certificate:
        """A pull; its account holds."""
        certificate = self.world.sync(push=False)
        assert certificate.holds, certificate.to_json()
        return certificate

    def here(self) -> set[str]:
        """The names of what is here and not deleted."""
        keys = {f"hospital|{reference}": name for name, reference in self.ids.items()}
        repository = self.world.bridge.repository
        stored = (each for type in repository.types() for each in repository.scan(type, {"fhir.deleted": False}))
        return {keys[link.key] for each in stored for link in each.links}


@pytest.fixture
def house(new_database: Callable[[], Any], database: Any) -> Iterator[House]:
    ago = [timedelta(hours=1)]
    with ward(database, new_database(), clock=lambda: utc_now() - ago[0], types=()) as world:
        made = House(world, ago)
        world.lacks(FEW)
        for person, doctor in (("alma", "ada"), ("river", "bo")):
            made.person(person)
            made.doctor(doctor)
            made.seen(f"{person}'s", person, doctor)
        ago[0] = timedelta(0)
        yield made


def only(house: House, **scope: str) -> None:
    house.world.set(scope=scope)


ALMA = {"alma", "alma's", "ada"}


class TestOnePatient:
    def test_comes_with_what_refers_to_her_and_what_that_refers_to(self, house):
        only(house, patients=house.ids["alma"])
        assert house.sync().clean
        assert house.here() == ALMA

    def test_changes_arrive_of_all_of_it(self, house):
        only(house, patients=house.ids["alma"].partition("/")[2])
        house.sync()
        for name in ("alma", "alma's", "ada", "river", "bo"):
            type, _, id = house.ids[name].partition("/")
            house.world.edit_there({"resourceType": type, "id": id}, language="nb")
        house.seen("another", "alma", "bo")
        assert changed(house.sync().pulled) == {"create": 2, "update": 3}
        assert house.here() == {*ALMA, "another", "bo"}
        assert changed(house.sync().pulled) == {}

    def test_deletions_arrive_of_all_of_it(self, house):
        only(house, patients=house.ids["alma"])
        house.sync()
        for name in ("alma's", "ada", "river's"):
            house.world.hospital.delete(*house.ids[name].split("/"))
        assert changed(house.sync().pulled) == {"delete": 2}
        assert house.here() == {"alma"}

    def test_another_patient_does_not_come_because_she_is_referred_to(self, house):
        other = [{"other": {"reference": house.ids["river"]}, "type": "seealso"}]
        house.person("cloud", link=other)
        only(house, patients=house.ids["cloud"])
        certificate = house.sync()
        assert house.here() == {"cloud"}
        assert certificate.pulled.reasons["referred to, and of a patient out of the scope: a Patient"] == 1

    def test_what_is_another_s_does_not_come_because_it_is_referred_to(self, house):
        more = {"subject": {"reference": house.ids["alma"]}, "derivedFrom": [{"reference": house.ids["river's"]}]}
        house.make("derived", "Observation", status="final", code={"text": "Kanarifugl"}, **more)
        only(house, patients=house.ids["alma"])
        assert house.sync().pulled.reasons["referred to, and of a patient out of the scope: a Observation"] == 1
        assert house.here() == {*ALMA, "derived"}

    def test_who_comes_later_comes_with_what_is_old(self, house):
        only(house, patients=house.ids["alma"])
        house.sync()
        only(house, patients=f"{house.ids['alma']}, {house.ids['river']}")
        assert changed(house.sync().pulled) == {"create": 3}
        assert house.here() == {*ALMA, "river", "river's", "bo"}

    def test_who_leaves_is_kept_and_the_certificate_says_so(self, house):
        only(house, patients=f"{house.ids['alma']} {house.ids['river']}")
        house.sync()
        only(house, patients=house.ids["alma"])
        certificate = house.sync()
        assert changed(certificate.pulled) == {}
        assert house.here() == {*ALMA, "river", "river's", "bo"}
        assert certificate.pulled.reasons["kept: a Patient that left the scope, with what refers to it"] == 1

    def test_without_a_scope_again_all_comes(self, house):
        only(house, patients=house.ids["alma"])
        house.sync()
        only(house)
        house.sync()
        assert house.here() == {*house.ids}

    def test_who_is_of_two_searches_is_counted_once(self, house, monkeypatch):
        monkeypatch.setattr(searches, "_IDS", 1)
        both = [{"actor": {"reference": house.ids[name]}, "status": "accepted"} for name in ("alma", "river")]
        house.make("meeting", "Appointment", status="booked", participant=both)
        only(house, patients=f"{house.ids['alma']} {house.ids['river']}")
        certificate = house.sync()
        assert (certificate.pulled.expected["Appointment"], certificate.pulled.total("create")) == (1, 7)


class TestWhoIsSelected:
    def test_by_a_group_are_its_members_each_time_anew(self, house):
        member = [{"entity": {"reference": house.ids["alma"]}}, {"entity": {"reference": house.ids["river"]}, "inactive": True}]
        group = house.make("group", "Group", type="person", actual=True, member=member)
        only(house, group=group.partition("/")[2])
        house.sync()
        assert house.here() >= ALMA
        assert "river" not in house.here()
        house.world.edit_there(
            {"resourceType": "Group", "id": group.partition("/")[2]}, member=[{"entity": {"reference": house.ids["river"]}}]
        )
        house.sync()
        assert {"river", "river's", "bo"} <= house.here()

    def test_by_a_group_of_groups_are_the_members_of_all(self, house):
        inner = house.make("inner", "Group", type="person", actual=True, member=[{"entity": {"reference": house.ids["alma"]}}])
        outer = house.make("outer", "Group", type="person", actual=True, member=[{"entity": {"reference": inner}}])
        only(house, group=outer)
        house.sync()
        assert house.here() >= ALMA
        assert "river" not in house.here()

    def test_by_a_group_may_be_named_with_the_remote_s_own_address(self, house):
        member = [{"entity": {"reference": f"{house.world.remote.url}/{house.ids['alma']}"}}]
        only(house, group=house.make("group", "Group", type="person", actual=True, member=member))
        house.sync()
        assert house.here() >= ALMA

    def test_by_a_care_manager_are_those_of_her_episodes_teams_and_plans_that_are_not_over(self, house):
        her = {"reference": house.ids["ada"]}
        for name in ("teamed", "planned", "former"):
            house.person(name)

        def of(name: str) -> dict[str, Any]:
            return {"reference": house.ids[name]}

        house.make("episode", "EpisodeOfCare", status="active", patient=of("alma"), careManager=her)
        house.make("over", "EpisodeOfCare", status="finished", patient=of("former"), careManager=her)
        house.make("team", "CareTeam", status="active", subject=of("teamed"), participant=[{"member": her}])
        activity = [{"detail": {"status": "in-progress", "performer": [her]}}]
        house.make("plan", "CarePlan", status="active", intent="plan", subject=of("planned"), activity=activity)
        only(house, care_manager=house.ids["ada"])
        house.sync()
        assert house.here() == {*ALMA, "teamed", "planned", "episode", "team", "plan"}

    def test_by_an_identifier_system_are_those_with_one_of_it(self, house):
        house.person("member", identifier=[{"system": "urn:example:insurer", "value": "7"}])
        only(house, identifier_system="urn:example:insurer")
        house.sync()
        assert house.here() == {"member"}

    def test_by_a_tag_are_those_that_carry_it(self, house):
        house.person("tagged", meta={"tag": [TAG]})
        only(house, tag=f"{TAG['system']}|{TAG['code']}")
        house.sync()
        assert house.here() == {"tagged"}

    def test_by_several_ways_are_those_of_any(self, house):
        house.person("tagged", meta={"tag": [TAG]})
        only(house, tag=f"{TAG['system']}|{TAG['code']}", patients=house.ids["alma"])
        house.sync()
        assert house.here() == {*ALMA, "tagged"}

    def test_nobody_any_more_keeps_what_is_here(self, house):
        group = house.make("group", "Group", type="person", actual=True, member=[{"entity": {"reference": house.ids["alma"]}}])
        only(house, group=group)
        house.sync()
        house.world.edit_there({"resourceType": "Group", "id": group.partition("/")[2]}, member=None)
        certificate = house.sync()
        assert certificate.pulled.reasons["kept: a Patient that left the scope, with what refers to it"] == 1
        assert house.here() >= ALMA
        assert house.sync().pulled.reasons["kept: a Patient that left the scope, with what refers to it"] == 0

    def test_nobody_is_nothing_and_the_certificate_says_so(self, house):
        only(house, identifier_system="urn:example:nobody")
        certificate = house.sync()
        assert house.here() == set()
        assert certificate.pulled.reasons["the scope selects no patient"] == 1

    def test_in_a_way_that_is_not_known_is_refused(self, house):
        with pytest.raises(Invalid, match="scope must have no keys but patients, group"):
            only(house, ward="7")

    def test_by_a_group_that_cannot_be_read_ends_the_run_and_nothing_is_changed(self, house):
        only(house, patients=house.ids["alma"])
        house.sync()
        only(house, group="gone")
        with pytest.raises(RemoteFatal):
            house.world.sync()
        assert house.here() == ALMA

    def test_a_remote_that_cannot_search_by_patient_is_told_of(self, house):
        def cannot(raw: dict[str, Any]) -> None:
            for type in raw["rest"][0]["resource"] if raw["resourceType"] == "CapabilityStatement" else ():
                if type["type"] == "Observation":
                    type["searchParam"] = [each for each in type["searchParam"] if each["name"] not in ("patient", "subject", "performer")]

        house.world.lacks(FEW, cannot)
        only(house, patients=house.ids["alma"])
        certificate = house.sync()
        assert house.here() == {"alma"}
        assert certificate.pulled.reasons["not asked for, since the remote cannot search it by patient: Observation"] == 1


class TestASearchOfAType:
    def test_narrows_it(self, house):
        house.world.set(searches={"Observation": f"subject={house.ids['alma']}"})
        house.sync()
        assert house.here() == {*house.ids} - {"river's"}

    def test_narrows_all_others_by_a_star(self, house):
        house.person("tagged", meta={"tag": [TAG]})
        house.world.set(searches={"*": f"_tag={TAG['system']}|{TAG['code']}", "Practitioner": "family=kanari"})
        house.sync()
        assert house.here() == {"tagged", "ada", "bo"}

    def test_that_is_another_than_before_reads_from_the_beginning(self, house):
        house.world.set(searches={"Observation": f"subject={house.ids['alma']}"})
        house.sync()
        house.world.set(searches={})
        house.sync()
        assert house.here() == {*house.ids}

    @pytest.mark.parametrize("query", ["", "status", "_count=5", "status=final&_lastUpdated=gt2020", "_sort:asc=date"])
    def test_that_is_none_or_not_its_own_to_say_is_refused(self, house, query):
        with pytest.raises(Invalid, match="searches must hold searches such as status=active"):
            house.world.set(searches={"Observation": query})


class TestWhatIsReferredTo:
    def test_stays_away_at_no_depth(self, house):
        house.world.set(scope={"patients": house.ids["alma"]}, reference_depth=0)
        house.sync()
        assert house.here() == {"alma", "alma's"}

    def test_comes_as_many_steps_as_the_depth_says(self, house):
        clinic = house.make("clinic", "Organization", name="Kanarifugl")
        house.doctor("dan", qualification=[{"code": {"text": "Kanarifugl"}, "issuer": {"reference": clinic}}])
        house.seen("third", "alma", "dan")
        only(house, patients=house.ids["alma"])
        house.sync()
        assert house.here() == {*ALMA, "third", "dan"}
        house.world.set(reference_depth=2)
        house.world.edit_there({"resourceType": "Observation", "id": house.ids["third"].partition("/")[2]}, language="nb")
        house.world.edit_there({"resourceType": "Practitioner", "id": house.ids["dan"].partition("/")[2]}, language="nb")
        house.sync()
        assert house.here() == {*ALMA, "third", "dan", "clinic"}

    def test_comes_with_some_types_only_too(self, house):
        house.world.set(types=("Observation",), reference_depth=1)
        house.sync()
        assert house.here() == {*house.ids}

    def test_beyond_the_limit_is_left_to_the_next_pull(self, house):
        house.ago[0] = timedelta(hours=1)
        for number in range(60):
            house.doctor(f"doctor {number}")
            house.seen(f"seen {number}", "alma", f"doctor {number}")
        house.ago[0] = timedelta(0)
        house.world.set(scope={"patients": house.ids["alma"]}, reference_limit=50)
        certificate = house.sync()
        assert certificate.pulled.reasons["referred to, and left for the next pull"] == 11
        assert len([name for name in house.here() if name.startswith("doctor")]) + ("ada" in house.here()) == 50
        assert changed(house.sync().pulled) == {"create": 11}
        assert {name for name in house.here() if name.startswith("doctor")} == {f"doctor {number}" for number in range(60)}
        assert changed(house.sync().pulled) == {}

    def test_comes_with_the_next_pull_when_one_ends_before_it_is_fetched(self, house, monkeypatch):
        monkeypatch.setattr(RetryPolicy, "wait", lambda self, attempt: 0.0)
        only(house, patients=house.ids["alma"])
        house.world.goes_wrong(says(503), method="POST", body="Practitioner/")
        with pytest.raises(RemoteTemporary):
            house.world.sync(push=False)
        assert house.here() == {"alma", "alma's"}
        house.world.proxy.mend()
        house.world.lacks(FEW)
        house.sync()
        assert house.here() == ALMA

    def test_and_not_there_is_asked_for_once_and_told(self, house):
        house.world.hospital.delete(*house.ids["ada"].split("/"))
        house.seen("again", "alma", "ada")
        only(house, patients=house.ids["alma"])
        certificate = house.sync()
        assert house.here() == {"alma", "alma's", "again"}
        assert certificate.pulled.reasons["referred to, and not there: a Practitioner"] == 1

    def test_is_asked_for_one_by_one_where_there_are_no_batches(self, house):
        only(house, patients=house.ids["alma"])
        house.world.goes_wrong(says(405, REFUSED), method="POST")
        assert house.sync().clean
        assert house.here() == ALMA

    def test_and_refused_is_told(self, house):
        only(house, patients=house.ids["alma"])
        house.world.goes_wrong(says(403, REFUSED), method="GET", path=house.ids["ada"])
        refused = {"response": {"status": "403 no"}}
        house.world.goes_wrong(changes(lambda raw: raw.update(entry=[refused])), method="POST", body=house.ids["ada"])
        assert house.sync().pulled.reasons["referred to, and not shown to us: a Practitioner"] == 1
        assert house.here() == {"alma", "alma's"}

    def test_and_cannot_be_searched_for_what_is_ours_fails_nothing(self, house):
        house.make("clinic", "Organization", name="Kanarifugl", identifier=[{"system": OWN_ID, "value": "our-clinic"}])
        only(house, patients=house.ids["alma"])
        refused = house.world.goes_wrong(says(403, REFUSED), method="GET", path="/Organization?")
        assert house.sync().clean
        assert refused.struck == 2, "for the time, and for what is ours"
        assert house.here() == ALMA

    def test_and_born_here_is_known_as_ours(self, house):
        """Its resource there carries our id, and nothing but a reference of the patient's leads to it."""
        house.doctor("ours", identifier=[{"system": OWN_ID, "value": "our-doctor"}])
        house.seen("by ours", "alma", "ours")
        only(house, patients=house.ids["alma"])
        house.sync()
        repository = house.world.bridge.repository
        kept = repository.linked(f"hospital|{house.ids['by ours']}")
        assert kept.raw["performer"] == [{"reference": "Practitioner/our-doctor"}]
        assert repository.read("Practitioner", "our-doctor").link("hospital").reference == house.ids["ours"]
