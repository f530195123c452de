"""The packet through the gate: by a token, over a socket, and written down."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from adapter.fhir.jwks import fetch
from adapter.fhir.keys import Keys
from adapter.packet.forms import FORMS
from adapter.store.repository import Repository
from tests.packet.scene import filled, to

from .site import Site, keys, opened

# A kind of that for which an insurer asks (HPAYMT).
KIND = "CLMATTCH"
PACKET = {"resourceType": "Parameters", "parameter": [{"name": "patient", "valueReference": to("Patient/river")}]}


@pytest.fixture
def site(repository: Repository, tmp_path: Path, issuer: Keys) -> Iterator[Site]:
    with opened(filled(repository), tmp_path, issuer, fetch, limited=True) as made:
        yield made


@pytest.fixture
def token(site: Site, tmp_path: Path) -> Callable[..., str]:
    """Registers a service of an insurer and gives its token."""

    def made(name: str, scope: str = "system/*.rs") -> str:
        own = keys(tmp_path / name)
        site.service(name, own, organisation=f"Organization/{name}", scope=scope)
        answer = site.ask(site.signed(site.claims(iss=name, sub=name), own.all()[-1]), scope=scope)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])

    return made


def test_a_packet_is_for_the_insurer_alone_and_whom_it_told_of_what_is_written_down(site: Site, token: Any, repository: Repository) -> None:
    ours, other, narrow = token("ins"), token("other"), token("narrow", "system/CarePlan.rs")
    told = site.send(ours, "POST", "fhir/$payer-packet", PACKET)
    assert told.status_code == 200, told.text
    [bundle] = [each["resource"] for each in told.json()["parameter"] if each["name"] == "packet"]
    assert all(entry["fullUrl"].startswith(f"{site.fhir}/") for entry in bundle["entry"])
    assert [site.send(each, "POST", "fhir/$payer-packet", PACKET).status_code for each in (other, narrow, "none")] == [422, 403, 401]
    lines = {**PACKET, "parameter": [*PACKET["parameter"], {"name": "form", "valueCode": "ndjson"}]}
    streamed = site.send(ours, "POST", "fhir/$payer-packet", lines)
    assert (streamed.status_code, streamed.headers["Content-Type"]) == (200, "application/fhir+ndjson")
    assert len(streamed.text.splitlines()) == 1 + len(bundle["entry"])
    about = [each.raw for each in repository.scan("AuditEvent") if "$payer-packet" in str(each.raw["subtype"])]
    assert {"0", "4"} == {each["outcome"] for each in about}
    patients = [[entity.get("what") for entity in each.get("entity", ())] for each in about if each["outcome"] == "0"]
    assert any(to("Patient/river") in each for each in patients)
    assert to("Patient/river") not in [
        what for each in about if each["outcome"] == "4" for entity in each.get("entity", ()) for what in [entity.get("what")]
    ]


def test_what_a_packet_told_and_for_what_is_written_down_in_each_form(site: Site, token: Any, repository: Repository) -> None:
    own = token("ins")
    asked = [*PACKET["parameter"], {"name": "purpose", "valueCode": KIND}]
    answers = {
        form: site.send(own, "POST", "fhir/$payer-packet", {**PACKET, "parameter": [*asked, {"name": "form", "valueCode": form}]})
        for form in FORMS
    }
    assert {answer.status_code for answer in answers.values()} == {200}
    [bundle] = [each["resource"] for each in answers["searchset"].json()["parameter"] if each["name"] == "packet"]
    names = {entry["fullUrl"].removeprefix(f"{site.fhir}/") for entry in bundle["entry"]}
    assert len(names) > 5
    events = [each.raw for each in repository.scan("AuditEvent") if "$payer-packet" in str(each.raw["subtype"])]
    assert {each["purposeOfEvent"][0]["coding"][0]["code"] for each in events} == {KIND}
    details = [{one["type"]: one["valueString"] for one in entity.get("detail", ())} for each in events for entity in each["entity"]]
    told = [({*each["told"].split()}, each["count"]) for each in details if "told" in each]
    assert told == [(names, str(len(names)))] * len(FORMS)


def test_of_a_bundle_those_packets_are_written_down_that_it_answers_and_their_purpose_where_it_is_that_of_all(
    site: Site, token: Any, repository: Repository
) -> None:
    own = token("ins")

    def packet(form: str) -> dict[str, Any]:
        more = [{"name": "purpose", "valueCode": KIND}, {"name": "form", "valueCode": form}]
        resource = {**PACKET, "parameter": [*PACKET["parameter"], *more]}
        return {"resource": resource, "request": {"method": "POST", "url": "$payer-packet"}}

    read = {"request": {"method": "GET", "url": "CarePlan"}}
    for entries in ([packet("ndjson"), read], [packet("searchset"), read], [packet("searchset")]):
        body = {"resourceType": "Bundle", "type": "batch", "entry": entries}
        assert site.send(own, "POST", "fhir/", body).status_code == 200
    found = [each.raw for each in repository.scan("AuditEvent") if "transaction" in str(each.raw["subtype"]) and each.raw["outcome"] == "0"]
    events = sorted(found, key=lambda raw: raw["recorded"])
    assert [each["purposeOfEvent"][0]["coding"][0]["code"] for each in events] == ["HPAYMT", "HPAYMT", KIND]
    details = [{one["type"]: one["valueString"] for entity in each["entity"] for one in entity.get("detail", ())} for each in events]
    refused, both, alone = (int(each["count"]) for each in details)
    assert refused < both
    assert alone > 5
