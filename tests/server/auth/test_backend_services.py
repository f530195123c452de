"""A program of an organisation that asks for itself: SMART Backend Services, over a real socket, by our own client and by hand."""

import pytest
import requests

from adapter.clock import utc_now
from adapter.fhir.auth import auth_from
from adapter.fhir.client import FhirClient
from adapter.fhir.jwks import fetch
from adapter.fhir.keys import ALGORITHMS, Keys
from adapter.fhir.scopes import OAUTH_URIS
from server.auth.identity import Issuer

from .site import SECONDS, Site, keys


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_our_own_client_proves_who_it_is_and_writes_and_reads(site: Site, tmp_path, algorithm):
    made = keys(tmp_path / "keys" / "city", algorithm)
    site.service("city", made, role_name="administrator", scope="system/*.cruds")
    settings = {"kind": "smart-backend", "client_id": "city", "keys": "city", "keys_folder": str(tmp_path / "keys")}
    with FhirClient(site.fhir, auth=auth_from({**settings, "scope": "system/Patient.cruds"}, site.fhir)) as client:
        client.create({"resourceType": "Patient", "name": [{"family": "Kanarifugl"}]})
        assert client.count("Patient", {}) == 1


def test_the_answer_says_what_was_granted_and_for_five_minutes_at_most(site: Site):
    answer = site.ask(scope="system/*.rs")
    told = answer.json()
    assert (told["token_type"], told["scope"], told["expires_in"] <= 300) == ("Bearer", "system/*.rs", True)
    assert "no-store" in answer.headers["Cache-Control"]


def test_a_scope_of_version_1_is_granted_in_its_own_words(site: Site):
    assert site.ask(scope="system/Patient.read").json()["scope"] == "system/Patient.read"


def test_what_is_asked_beyond_what_is_registered_is_cut_to_it(site: Site, tmp_path):
    made = keys(tmp_path / "east")
    site.service("east", made, scope="system/CarePlan.rs?category=assess-plan system/Patient.r")
    key = made.all()[-1]
    asked = site.ask(site.signed(site.claims(iss="east", sub="east"), key), scope="system/*.cruds")
    assert asked.json()["scope"] == "system/CarePlan.rs?category=assess-plan system/Patient.r"


def test_a_role_is_a_ceiling_whatever_is_registered(site: Site, tmp_path):
    made = keys(tmp_path / "east")
    site.service("east", made, role_name="auditor", scope="system/*.cruds")
    asked = site.ask(site.signed(site.claims(iss="east", sub="east"), made.all()[-1]), scope="system/*.cruds")
    assert set(asked.json()["scope"].split()) == {f"system/{type}.rs" for type in ("AuditEvent", "CodeSystem", "Consent", "Provenance")}


def test_nothing_that_is_asked_for_being_granted_is_invalid_scope(site: Site):
    answer = site.ask(scope="user/*.rs")
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_scope")


def test_a_token_has_no_more_scopes_than_a_commit_can_read_of_whoever_is_told(site: Site):
    def several(many: int) -> str:
        return " ".join(("system/Patient.rs", *(f"system/Patient.rs?_id={number}" for number in range(many))))

    assert site.ask(scope=several(100)).json()["scope"] == several(100)
    answer = site.ask(scope=several(400))
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_scope")


def test_few_words_get_no_more_scopes_either(site: Site, tmp_path):
    """What is asked for and what is registered are joined, each with each."""
    made = keys(tmp_path / "east")
    site.service("east", made, scope=" ".join(f"system/Patient.rs?_id={number}" for number in range(100)))
    asked = " ".join(f"system/Patient.rs?name=x{number}" for number in range(50))
    answer = site.ask(site.signed(site.claims(iss="east", sub="east"), made.all()[-1]), scope=asked)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_scope")


def test_an_assertion_that_was_good_since_the_first_year_is_good(site: Site):
    assert site.ask(site.signed(site.claims(nbf=-62135596800))).status_code == 200


def test_keys_at_a_url_are_fetched_and_a_new_one_is_taken_at_once(site: Site, repository, tmp_path, monkeypatch):
    made, seen = keys(tmp_path / "west"), []

    def published(url: str):
        seen.append(url)
        return made.jwks()

    monkeypatch.setattr(site.gate._server._client_auth._methods["private_key_jwt"]._published, "_fetch", published)
    site.service("west", made, jwks=None, jwks_url="https://west.example/jwks.json")

    def asked() -> int:
        return site.ask(site.signed(site.claims(iss="west", sub="west"), made.all()[-1])).status_code

    assert (asked(), asked(), len(seen)) == (200, 200, 1)
    assert seen == ["https://west.example/jwks.json"]


def test_a_key_set_that_cannot_be_fetched_is_told_as_temporary(site: Site, tmp_path):
    made = keys(tmp_path / "west")
    site.service("west", made, jwks=None, jwks_url="http://127.0.0.1:9/jwks.json")
    answer = site.ask(site.signed(site.claims(iss="west", sub="west"), made.all()[-1]))
    assert (answer.status_code, answer.json()["error"]) == (503, "temporarily_unavailable")


def test_of_an_export_a_narrower_token_of_the_same_client_gets_nothing(site: Site):
    wide, narrow = site.token("system/*.rs"), site.token("system/Patient.rs")
    begun = site.send(wide, "GET", "fhir/Patient/$export", Prefer="respond-async")
    assert begun.status_code == 202, begun.text
    status = begun.headers["Content-Location"].removeprefix(f"{site.fhir}/")
    file = f"{status.replace('status', 'file')}/Patient.1.ndjson"
    asked = [("GET", status), ("GET", file), ("DELETE", status)]
    assert [site.send(narrow, method, f"fhir/{path}").status_code for method, path in asked] == [403, 403, 403]
    assert site.send(wide, "DELETE", f"fhir/{status}").status_code == 202


def test_a_key_set_is_read_over_http_from_who_publishes_it(site: Site):
    assert fetch(f"{site.address}/oauth/jwks")["keys"][0]["kty"] == "RSA"


def test_a_revoked_token_is_refused_at_once_and_one_of_another_client_is_not_revoked(site: Site, tmp_path):
    token = site.token()
    assert site.get(token, "Patient").status_code == 200
    made = keys(tmp_path / "east")
    site.service("east", made)
    proof = {"client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}
    stranger = site.signed(site.claims(iss="east", sub="east"), made.all()[-1])
    refused = requests.post(f"{site.address}/oauth/revoke", {**proof, "client_assertion": stranger, "token": token}, timeout=SECONDS)
    assert (refused.status_code, site.get(token, "Patient").status_code) == (400, 200)
    assert site.proven("/oauth/revoke", token=token).status_code == 200
    assert site.get(token, "Patient").status_code == 401


def test_introspection_tells_a_client_of_its_own_tokens_only(site: Site, tmp_path):
    token = site.token()
    told = site.proven("/oauth/introspect", token=token).json()
    assert (told["active"], told["client_id"], told["scope"], told["iss"]) == (True, "north", "system/*.rs", site.address)
    made = keys(tmp_path / "east")
    site.service("east", made)
    proof = {"client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}
    stranger = site.signed(site.claims(iss="east", sub="east"), made.all()[-1])
    other = requests.post(f"{site.address}/oauth/introspect", {**proof, "client_assertion": stranger, "token": token}, timeout=SECONDS)
    assert other.json() == {"active": False}
    site.proven("/oauth/revoke", token=token)
    assert site.proven("/oauth/introspect", token=token).json() == {"active": False}


def test_a_client_that_is_disabled_is_out_at_once_and_gets_no_other_token(site: Site):
    token = site.token()
    site.gate.registers.clients.disable("north")
    assert site.get(token, "Patient").status_code == 401
    assert site.ask().json()["error"] == "invalid_client"


def test_a_client_whose_keys_are_replaced_is_known_by_the_new_ones_alone(site: Site, tmp_path):
    old, new = site.key, keys(tmp_path / "new")
    site.gate.registers.clients.rotate("north", jwks=new.jwks())
    assert site.ask(site.signed(site.claims(), old)).status_code == 400
    assert site.ask(site.signed(site.claims(), new.all()[-1])).status_code == 200


def test_a_token_that_has_expired_is_refused(site: Site, monkeypatch):
    token = site.token()
    later = utc_now().timestamp() + 301
    monkeypatch.setattr(site.gate.registers.tokens, "_clock", lambda: type(utc_now()).fromtimestamp(later, utc_now().tzinfo))
    assert site.get(token, "Patient").status_code == 401


def test_tokens_are_kept_by_their_hash_alone(site: Site, database):
    token = site.token()
    assert token not in str([*database["tokens"].find()])


def test_the_signing_keys_are_made_once_and_readable_by_nobody_else(tmp_path):
    for _ in range(2):
        Issuer(Keys(tmp_path / "issuer"), utc_now)
    [file] = (tmp_path / "issuer").glob("*.pem")
    assert file.stat().st_mode & 0o777 == 0o600


def test_the_capability_statement_names_the_token_endpoint_too(site: Site):
    """Where clients of SMART 1 look for it."""
    told = requests.get(f"{site.fhir}/metadata", timeout=SECONDS).json()
    [oauth] = told["rest"][0]["security"]["extension"]
    uris = {each["url"]: each["valueUri"] for each in oauth["extension"]}
    assert (oauth["url"], uris["token"]) == (OAUTH_URIS, site.token_url)
    assert (
        requests.get(f"{site.fhir}/.well-known/smart-configuration", timeout=SECONDS).json()["authorization_endpoint"] == uris["authorize"]
    )
