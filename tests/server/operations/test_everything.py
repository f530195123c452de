"""`$everything`: whose it is, what it refers to, in pages that lose and double nothing."""

import pytest

from adapter.store import care_dates, compartments, membership
from adapter.store.documents import Change

from ..fhir import assert_outcome, patient

AMBULATORY = {"class": {"code": "AMB"}}


def put(fhir, type, id, **more):
    answer = fhir.put({"resourceType": type, "id": id, **more})
    assert answer.status_code in (200, 201), answer.text
    return f"{type}/{id}"


def observation(fhir, id, subject, **more):
    return put(fhir, "Observation", id, status="final", code={"text": "Kanarifugl"}, subject={"reference": subject}, **more)


@pytest.fixture
def record(fhir):
    """Two patients; the first with a case, and with something that only refers to it and something it only refers to."""
    put(fhir, "Organization", "o1", name="Kanarifugl")
    put(fhir, "Organization", "o2", name="Kanarifugl")
    put(fhir, "Practitioner", "d1", name=[{"family": "Kanarifugl"}])
    for id in ("p1", "p2"):
        fhir.put({**patient(id), "id": id, "managingOrganization": {"reference": "Organization/o1"}})
    one = {"reference": "Patient/p1"}
    put(fhir, "EpisodeOfCare", "e1", status="active", patient=one, careManager={"reference": "Practitioner/d1"})
    put(fhir, "EpisodeOfCare", "e2", status="finished", patient=one)
    put(fhir, "Condition", "c1", subject=one, code={"text": "Kanarifugl"})
    put(
        fhir,
        "Encounter",
        "n1",
        status="finished",
        subject=one,
        episodeOfCare=[{"reference": "EpisodeOfCare/e1"}],
        **AMBULATORY,
    )
    observation(fhir, "b1", "Patient/p1", encounter={"reference": "Encounter/n1"}, performer=[{"reference": "Organization/o2"}])
    observation(fhir, "b2", "Patient/p2")
    observation(fhir, "b3", "Patient/p2", performer=[{"reference": "Patient/p1"}])
    observation(fhir, "b4", "Patient/p2", focus=[{"reference": "Patient/p1"}])
    put(fhir, "Device", "i1", patient=one)
    case = {"url": "http://hl7.org/fhir/StructureDefinition/workflow-episodeOfCare", "valueReference": {"reference": "EpisodeOfCare/e1"}}
    plan = {"status": "active", "intent": "plan", "subject": one, "addresses": [{"reference": "Condition/c1"}]}
    put(fhir, "CarePlan", "k1", extension=[case], **plan)


OWN = {
    "Patient/p1",
    "EpisodeOfCare/e1",
    "EpisodeOfCare/e2",
    "Condition/c1",
    "Encounter/n1",
    "Observation/b1",
    "Observation/b3",
    "CarePlan/k1",
    "Device/i1",
}
NEAR = {"Organization/o1", "Organization/o2", "Practitioner/d1"}


@pytest.mark.usefixtures("record")
class TestOfAPatient:
    def test_it_is_the_compartment_and_what_that_refers_to(self, operations):
        assert operations.all("Patient/p1/$everything") == OWN | NEAR

    def test_all_of_it_is_a_match_and_is_counted(self, fhir):
        bundle = fhir.send("GET", "Patient/p1/$everything").json
        names = [f"{each['resource']['resourceType']}/{each['resource']['id']}" for each in bundle["entry"]]
        assert [{*names[: len(OWN)]}, {*names[len(OWN) :]}] == [OWN, NEAR]
        assert {each["search"]["mode"] for each in bundle["entry"]} == {"match"}
        assert bundle["total"] == len(OWN | NEAR)
        assert bundle["entry"][0]["fullUrl"] == "http://localhost/fhir/Patient/p1"

    @pytest.mark.parametrize("count", [1, 2, 3, 7, 10, 150])
    def test_pages_lose_and_double_nothing(self, operations, count):
        pages = operations.pages(f"Patient/p1/$everything?_count={count}")
        assert {len(page) for page in pages[:-1]} <= {count}
        found = [name for page in pages for name in page]
        assert sorted(found) == sorted(OWN | NEAR)

    def test_pages_stay_right_while_data_changes(self, fhir, operations):
        first = fhir.send("GET", "Patient/p1/$everything?_count=4").json
        fhir.send("DELETE", "CarePlan/k1")
        url = next(link["url"] for link in first["link"] if link["relation"] == "next").partition("/fhir/")[2]
        seen = {f"{each['resource']['resourceType']}/{each['resource']['id']}" for each in first["entry"]}
        assert seen | operations.all(url) == OWN | NEAR

    def test_types_narrow_it(self, operations):
        assert operations.all("Patient/p1/$everything?_type=Condition,Practitioner") == {"Condition/c1", "Practitioner/d1"}

    def test_since_narrows_it(self, fhir, operations):
        fhir.put({"resourceType": "Practitioner", "id": "d1", "name": [{"family": "Kanarifugl", "given": ["New"]}]})
        since = fhir.send("GET", "Practitioner/d1").json["meta"]["lastUpdated"]
        assert operations.all(f"Patient/p1/$everything?_since={since}") == {"Practitioner/d1"}

    def test_the_links_say_what_was_asked_by_post(self, operations):
        answer = operations.ask("Patient/p1/$everything", ("_type", "valueCode", "Condition"), ("_count", "valueInteger", 5)).json
        assert answer["link"] == [{"relation": "self", "url": "http://localhost/fhir/Patient/p1/$everything?_count=5&_type=Condition"}]

    def test_what_was_deleted_is_not_in_it(self, fhir, operations):
        fhir.send("DELETE", "Observation/b1")
        assert operations.all("Patient/p1/$everything") == (OWN | NEAR) - {"Observation/b1", "Organization/o2"}

    def test_it_comes_back_as_it_was_sent(self, fhir):
        [entry] = fhir.send("GET", "Patient/p1/$everything?_type=Condition").json["entry"]
        assert entry["resource"] == fhir.send("GET", "Condition/c1").json


@pytest.mark.usefixtures("record")
class TestOfAnEpisode:
    CASE = {"EpisodeOfCare/e1", "Encounter/n1", "Observation/b1", "CarePlan/k1"}
    AROUND = {"Patient/p1", "Condition/c1", "Practitioner/d1", "Organization/o2"}

    def test_it_is_what_leads_to_the_episode_and_what_that_refers_to(self, operations):
        assert operations.all("EpisodeOfCare/e1/$everything") == self.CASE | self.AROUND

    @pytest.mark.parametrize("count", [1, 3])
    def test_pages_lose_and_double_nothing(self, operations, count):
        assert operations.all(f"EpisodeOfCare/e1/$everything?_count={count}") == self.CASE | self.AROUND

    def test_types_narrow_it(self, operations):
        assert operations.all("EpisodeOfCare/e1/$everything?_type=CarePlan") == {"CarePlan/k1"}

    def test_another_case_of_the_same_patient_has_none_of_it(self, operations):
        assert operations.all("EpisodeOfCare/e2/$everything") == {"EpisodeOfCare/e2", "Patient/p1"}


@pytest.mark.usefixtures("record")
class TestOfATime:
    @pytest.fixture(autouse=True)
    def dated(self, fhir):
        """Care of three years, by different people, and a condition that goes on."""
        for year, place in (("2023", "o2"), ("2024", "o3"), ("2025", "o4")):
            put(fhir, "Organization", place, name="Kanarifugl")
            more = {"effectiveDateTime": f"{year}-06-01", "performer": [{"reference": f"Organization/{place}"}]}
            observation(fhir, f"y{year}", "Patient/p1", encounter={"reference": "Encounter/n1"}, **more)
        one = {"reference": "Patient/p1"}
        put(fhir, "Condition", "open", subject=one, onsetDateTime="2010")
        put(fhir, "Condition", "healed", subject=one, onsetDateTime="2010", abatementDateTime="2024-01-15")
        put(fhir, "Goal", "goal", lifecycleStatus="active", description={"text": "Kanarifugl"}, subject=one, startDate="2024-07-01")
        put(fhir, "Encounter", "stay", status="finished", subject=one, period={"start": "2024-12-30", "end": "2025-01-02"}, **AMBULATORY)

    @pytest.mark.parametrize(
        ("asked", "there", "not_there"),
        [
            (
                "start=2024&end=2024",
                "Observation/y2024 Organization/o3 Condition/open Condition/healed Goal/goal Encounter/stay",
                "y2023 y2025 o4",
            ),
            ("start=2024-02", "Observation/y2024 Observation/y2025 Condition/open Goal/goal Encounter/stay", "y2023 healed"),
            ("end=2024-01-15", "Observation/y2023 Condition/healed Condition/open", "y2024 y2025 goal stay o3"),
            ("start=2025-01-02&end=2025-01-02", "Encounter/stay Goal/goal", "y2024 y2025 healed"),
        ],
    )
    def test_it_is_what_is_about_care_in_that_time(self, operations, asked, there, not_there):
        found = operations.all(f"Patient/p1/$everything?{asked}")
        assert {*there.split(), "Patient/p1", "Device/i1", "EpisodeOfCare/e1"} <= found
        assert not {name.partition("/")[2] for name in found} & {*not_there.split()}
        for count in (1, 4):
            assert operations.all(f"Patient/p1/$everything?{asked}&_count={count}") == found

    def test_of_a_case_it_is_what_is_about_care_in_that_time(self, operations):
        found = operations.all("EpisodeOfCare/e1/$everything?start=2025-06-01")
        assert {"EpisodeOfCare/e1", "Patient/p1", "Observation/y2025", "Organization/o4"} <= found
        assert not found & {"Observation/y2024", "Organization/o3"}

    def test_the_links_say_the_time(self, fhir):
        bundle = fhir.send("GET", "Patient/p1/$everything?start=2024&end=2025-01&_count=2").json
        assert all("?start=2024&end=2025-01&" in link["url"] for link in bundle["link"])

    @pytest.mark.parametrize("asked", ["start=soon", "end=2024-13", "start=2024-01-01T00:00:00Z"])
    def test_what_is_no_date_is_refused(self, fhir, asked):
        assert_outcome(fhir.send("GET", f"Patient/p1/$everything?{asked}"), 400, "invalid")


def test_only_types_of_a_patients_record_have_dates_of_care():
    assert care_dates.CARE.keys() <= membership.record("Patient").keys()


def test_everything_of_what_is_not_there_or_deleted_is_refused(fhir):
    id = fhir.create(patient())["id"]
    fhir.send("DELETE", f"Patient/{id}")
    assert_outcome(fhir.send("GET", f"Patient/{id}/$everything"), 410, "deleted")
    assert_outcome(fhir.send("GET", "Patient/none/$everything"), 404, "not-found")
    assert_outcome(fhir.send("GET", "EpisodeOfCare/none/$everything"), 404, "not-found")


def test_a_text_that_looks_like_a_reference_is_none():
    text = r'{"note":[{"text":"\"reference\":\"Patient/1\""}],"subject":{"reference":"Patient/2/_history/3"},"a":{"reference":"#x"}}'
    assert list(compartments.references(text)) == [("Patient", "2")]


@pytest.mark.parametrize("count", [1, 3, 101, 120, 200])
def test_many_of_a_type_are_paged_right_however_large_the_page(fhir, repository, operations, count):
    fhir.put({**patient(), "id": "p1"})
    changes = []
    for number in range(150):
        performer = [{"reference": "Patient/p1"}] if number % 3 == 0 else []
        subject = {"reference": "Patient/p1" if number % 3 else "Patient/p2"}
        raw = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}, "subject": subject, "performer": performer}
        changes.append(Change("Observation", f"o{number:03}", raw, 0))
        # It names the patient, but in an element that makes it no part of the record.
        focus = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}, "focus": [{"reference": "Patient/p1"}]}
        changes.append(Change("Observation", f"x{number:03}", focus, 0))
        condition = {"resourceType": "Flag", "status": "active", "code": {"text": "x"}, "subject": {"reference": "Patient/p1"}}
        changes.append(Change("Flag", f"c{number:03}", condition, 0))
    repository.commit(changes)
    pages = operations.pages(f"Patient/p1/$everything?_count={count}")
    assert {len(page) for page in pages[:-1]} <= {count}
    found = [name for page in pages for name in page]
    assert found == sorted(set(found), key=lambda name: (name != "Patient/p1", name))
    assert len(found) == 301


def test_the_devices_of_a_patient_are_in_its_record_and_not_in_its_compartment():
    assert "Device" in membership.record("Patient")
    assert "Device" not in membership.compartment("Patient")
