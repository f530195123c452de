"""Each request has an id, one line in the log, and its place in the metrics; none of them tells of a patient."""

import logging

import pytest
from prometheus_client.parser import text_string_to_metric_families

from adapter.store.repository import Repository
from server import create_app

from .fhir import Fhir, patient


def samples(client, name: str) -> dict[tuple[str, ...], float]:
    """The values of a metric by its labels' values."""
    text = client.get("/metrics").text
    return {
        tuple(sample.labels[label] for label in ("method", "interaction", "type", "status") if label in sample.labels): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name
    }


def lines(caplog) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.getMessage().startswith("request.answered")]


@pytest.mark.parametrize("given", ["abc", "3f2b8c1e-0000-4000-8000-1234567890ab", "A" * 64, "urn:uuid:1/2+3=4._"])
def test_the_callers_id_of_a_request_comes_back(fhir, given):
    assert fhir.send("GET", "Patient", X_Request_Id=given).headers["X-Request-Id"] == given


@pytest.mark.parametrize("given", ["", " ", "A" * 65, "a b", 'a"b', "a\tb", "<a>", "å", "a,b", "a\\nb"])
def test_an_id_that_is_too_long_or_not_plain_is_replaced(fhir, given):
    made = {fhir.send("GET", "Patient", X_Request_Id=given).headers["X-Request-Id"] for _ in range(2)}
    assert len(made) == 2
    assert given not in made


def test_every_answer_has_an_id_whatever_it_is(client, fhir):
    answers = [client.get(path) for path in ("/health", "/metrics", "/nowhere", "/fhir/metadata", "/fhir/Patient/none")]
    answers += [client.get("/fhir/Patient", headers={"Host": "attacker.example"}), fhir.send("POST", "Patient", "{")]
    assert all(len(answer.headers["X-Request-Id"]) == 16 for answer in answers)


def test_a_request_is_one_line_of_closed_words(fhir, caplog):
    caplog.set_level(logging.INFO, "casebridge")
    fhir.put(patient(id="kanarifugl-1970"))
    fhir.send("GET", "Patient/kanarifugl-1970/_history/1?_pretty=Kanarifugl", X_Request_Id="r1")
    fhir.send("GET", "Patient?family=Kanarifugl&_count=1")
    written, read, searched = lines(caplog)
    assert "method=PUT interaction=update type=Patient status=201 bytes=" in written
    assert read.startswith("request.answered request=r1 method=GET interaction=vread type=Patient status=200 bytes=")
    assert "method=GET interaction=search-type type=Patient status=200 bytes=" in searched
    assert "kanarifugl" not in f"{written}{read}{searched}".casefold()


def test_a_failure_of_ours_is_a_warning_and_a_callers_mistake_is_not(database, monkeypatch, caplog):
    repository = Repository(database)
    fhir = Fhir(create_app(repository).test_client())
    fhir.send("GET", "Patient/none")
    monkeypatch.setattr(repository, "row", lambda type, id: {}["Kanarifugl"])
    fhir.send("GET", "Patient/none")
    told = [record for record in caplog.records if record.getMessage().startswith("request.answered")]
    assert [(record.levelname, f"status={status}" in record.getMessage()) for record, status in zip(told, (404, 500), strict=True)] == [
        ("INFO", True),
        ("WARNING", True),
    ]


def test_requests_are_counted_and_timed_by_what_they_are(client, fhir):
    fhir.create(patient())
    for _ in range(3):
        fhir.send("GET", "Patient?family=Kanarifugl")
    fhir.send("GET", "Patient/none")
    counts = samples(client, "casebridge_requests_total")
    assert counts[("POST", "create", "Patient", "2xx")] == 1
    assert counts[("GET", "search-type", "Patient", "2xx")] == 3
    assert counts[("GET", "read", "Patient", "4xx")] == 1
    assert samples(client, "casebridge_request_seconds_count")[("search-type",)] == 3
    # The request for the metrics is itself in flight.
    assert samples(client, "casebridge_requests_in_flight") == {(): 1.0}


def test_what_callers_make_up_adds_no_series(client, fhir):
    def ask(word: str) -> None:
        for method in ("GET", "DELETE", word):
            for path in (f"/{word}", f"/fhir/{word}", f"/fhir/Patient/{word}", f"/fhir/Patient/1/${word}", f"/fhir?{word}={word}"):
                client.open(path, method=method)

    ask("Gull")
    before = samples(client, "casebridge_requests_total")
    for number in range(20):
        ask(f"Gull{number}")
    after = samples(client, "casebridge_requests_total")
    assert after.keys() == before.keys() | {("GET", "other", "", "2xx")}
    assert sum(after.values()) > sum(before.values())
    assert "gull" not in client.get("/metrics").text.casefold()


def test_two_applications_count_apart(client, new_database):
    other = create_app(Repository(new_database())).test_client()
    client.get("/health")
    assert samples(other, "casebridge_requests_total") == {}
