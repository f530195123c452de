"""By which name and address the server is known, directly and behind a reverse proxy."""

import pytest

from adapter.errors import Invalid
from server import create_app

from .fhir import Fhir, assert_outcome, patient

PROXY = "https://fhir.example"


@pytest.fixture
def behind_proxy(repository):
    return Fhir(create_app(repository, url=PROXY).test_client())


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "localhost:8080", "127.0.0.1", "127.0.0.1:1", "[::1]", "[::1]:65535"])
def test_it_is_known_by_the_names_of_loopback(fhir, host):
    answer = fhir.send("POST", "Patient", patient(), Host=host)
    assert answer.headers["Location"].startswith(f"http://{host}/fhir/Patient/")


@pytest.mark.parametrize(
    "host",
    [
        "attacker.example",
        "localhost.attacker.example",
        "127.0.0.1.attacker.example",
        "a@localhost",
        "localhost:",
        "localhost:x",
        "[::1",
        " ",
    ],
)
def test_it_is_not_known_by_another_name(fhir, host):
    assert_outcome(fhir.send("POST", "Patient", patient(), Host=host), 400, "invalid")
    assert fhir.ids("Patient") == set()


def test_behind_a_proxy_links_name_the_proxy(behind_proxy):
    created = behind_proxy.send("POST", "Patient", patient(), Host="fhir.example")
    assert created.headers["Location"].startswith(f"{PROXY}/fhir/Patient/")
    page = behind_proxy.send("GET", "Patient?_count=1", Host="FHIR.example").json
    assert page["link"][0]["url"].startswith(f"{PROXY}/fhir/Patient?")
    assert page["entry"][0]["fullUrl"].startswith(f"{PROXY}/fhir/Patient/")


def test_behind_a_proxy_its_own_pages_may_write_and_those_of_other_names_may_not(behind_proxy):
    assert behind_proxy.send("POST", "Patient", patient(), Host="fhir.example", Origin=PROXY).status_code == 201
    answer = behind_proxy.send("POST", "Patient", patient(), Host="fhir.example", Origin="http://fhir.example")
    assert_outcome(answer, 403, "forbidden")


def test_behind_a_proxy_it_is_still_asked_directly_by_loopback_and_by_nobody_else(behind_proxy):
    assert behind_proxy.send("GET", "Patient", Host="localhost").status_code == 200
    assert_outcome(behind_proxy.send("GET", "Patient", Host="fhir.example:8443"), 400, "invalid")


@pytest.mark.parametrize("url", ["fhir.example", "ftp://fhir.example", f"{PROXY}/", f"{PROXY}/path", "https://a b", ""])
def test_what_is_no_address_is_refused_at_the_start(repository, url):
    with pytest.raises(Invalid):
        create_app(repository, url=url)
