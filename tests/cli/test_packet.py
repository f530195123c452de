"""`casebridge packet`: the packet of a registered client, by file."""

import json

import pytest

from adapter.fhir.resource import parse
from adapter.store.repository import Repository
from tests.packet.scene import BORN, MEMBER, coverage, filled

JWKS = "https://north.example/jwks.json"


@pytest.fixture
def ask(casebridge, database):
    """Asks for the packet of river on behalf of `ins`."""
    filled(Repository(database))
    register = ("client", "add", "ins", "--role", "insurer-reader", "--organisation", "Organization/ins", "--purpose", "HPAYMT")
    assert casebridge(*register, "--scope", "system/*.rs", "--jwks-url", JWKS).code == 0
    return lambda *more, who=("--patient", "Patient/river"): casebridge("packet", "--for", "ins", *who, *more)


def account(parameters):
    return {each["name"] for each in parameters["parameter"]}


def test_a_packet_goes_to_standard_output_or_into_a_file_of_its_owner_alone(ask, tmp_path):
    ran = ask()
    assert (ran.code, ran.err) == (0, "")
    assert {"member", "coverage", "decision", "withheld", "packet"} <= account(ran.json)
    out = tmp_path / "packet.json"
    ran = ask("--form", "transaction", "--out", out)
    assert (ran.code, ran.out) == (0, "")
    [bundle] = [each["resource"] for each in json.loads(out.read_text())["parameter"] if each["name"] == "packet"]
    assert bundle["type"] == "transaction"
    assert f"{len(bundle['entry'])} resources, 2 of them plans" in ran.err
    assert out.stat().st_mode & 0o777 == 0o600


def test_lines_go_to_a_file_or_into_a_file_for_each_type(ask, tmp_path):
    ran = ask("--form", "ndjson", "--from", "2025-01-01")
    first, *lines = map(parse, ran.out.splitlines())
    assert (ran.code, first["resourceType"], len(lines)) == (0, "Parameters", 15)
    assert ask("--form", "ndjson", "--from", "2025-01-01", "--out", tmp_path / "lines.ndjson").code == 0
    assert (tmp_path / "lines.ndjson").read_text().splitlines()[1:] == ran.out.splitlines()[1:]
    folder = tmp_path / "folder"
    assert ask("--form", "ndjson", "--from", "2025-01-01", "--to", "2025-12-31", "--out", folder).code == 0
    assert folder.stat().st_mode & 0o777 == 0o700
    assert "account.json" in {path.name for path in folder.iterdir()}
    assert [json.loads(line)["id"] for line in (folder / "CarePlan.ndjson").read_text().splitlines()] == ["now"]
    assert ask("--out", tmp_path / "other").code == 0
    assert json.loads((tmp_path / "other" / "bundle.json").read_text())["type"] == "searchset"


def test_a_member_is_named_by_an_identity_in_a_file(ask, tmp_path):
    patient = {"resourceType": "Patient", "name": [{"family": "Kanarifugl"}], "birthDate": BORN}
    given = {"MemberPatient": patient, "CoverageToMatch": {"resourceType": "Coverage", "identifier": [MEMBER], **coverage("x", "ins")}}
    path = tmp_path / "member.json"
    path.write_text(
        json.dumps({"resourceType": "Parameters", "parameter": [{"name": name, "resource": raw} for name, raw in given.items()]})
    )
    ran = ask(who=("--member", path))
    assert ran.code == 0
    path.write_text(json.dumps({"resourceType": "Parameters"}))
    assert ask(who=("--member", path)).code == 2


def test_a_privacy_officer_is_told_what_is_withheld_and_nothing_else(ask):
    ran = ask("--withheld", "--from", "2025-01-01")
    assert ran.code == 0
    rows = [line.split() for line in ran.out.splitlines()]
    assert ["sensitive", "Condition", "mental-health", "1"] in rows
    assert ["consent", "RiskAssessment", "Consent/yes", "Consent.provision.provision[0]", "1"] in rows
    assert "packet" not in account(ask("--withheld", "--json").json)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--for", "nobody", "--patient", "Patient/river"), 2),
        (("--for", "ins", "--patient", "Patient/alma"), 2),
        (("--for", "ins", "--patient", "Patient/nobody"), 2),
        (("--for", "ins", "--patient", "river"), 2),
        (("--for", "ins"), 2),
        (("--for", "ins", "--patient", "Patient/river", "--from", "2025-02-01", "--to", "2025-01-01"), 2),
        (("--for", "ins", "--patient", "Patient/river", "--purpose", "TREAT"), 4),
        (("--for", "ins", "--patient", "Patient/river", "--json"), 2),
    ],
)
def test_what_cannot_be_had_is_one_line(ask, casebridge, arguments, code):
    ran = casebridge("packet", *arguments)
    assert (ran.code, ran.out) == (code, "")
    assert ran.err


def test_a_client_whose_scopes_are_too_narrow_gets_nothing_and_neither_does_an_app(ask, casebridge):
    narrow = ("--role", "insurer-reader", "--organisation", "Organization/ins")
    assert casebridge("client", "add", "plans", *narrow, "--scope", "system/CarePlan.rs", "--jwks-url", JWKS).code == 0
    assert casebridge("client", "add", "app", *narrow, "--scope", "user/*.rs", "--redirect", "https://app.example/back").code == 0
    codes = [casebridge("packet", "--for", name, "--patient", "Patient/river").code for name in ("plans", "app")]
    assert codes == [4, 2]
    assert casebridge("client", "disable", "ins").code == 0
    assert ask().code == 2


def test_whom_a_packet_is_made_for_is_in_the_account_of_disclosures(ask, casebridge):
    assert ask("--withheld").code == 0
    assert casebridge("audit", "disclosures", "river", "--json").json == []
    told = ask().json
    [entry] = casebridge("audit", "disclosures", "river", "--json").json
    assert (entry["recipient"], entry["by"], entry["purpose"]) == ("Organization/ins", "client ins", "HPAYMT")
    count = sum("resource" in each for part in told["parameter"] if part["name"] == "packet" for each in part["resource"]["entry"])
    assert f"{count}" == str(sum(int(each.split()[0]) for each in entry["what"].partition(": ")[2].split(", ")))
    assert casebridge("audit", "verify").code == 0


def test_a_folder_that_holds_anything_is_left_as_it_is_and_nothing_is_told(ask, casebridge, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "Observation.ndjson").write_text("of another member")
    ran = ask("--form", "ndjson", "--out", folder)
    assert (ran.code, ran.out) == (2, "")
    assert "holds something already" in ran.err
    assert [path.name for path in folder.iterdir()] == ["Observation.ndjson"]
    assert casebridge("audit", "disclosures", "river", "--json").json == []


def test_what_cannot_be_written_leaves_nothing(ask, tmp_path):
    ran = ask("--out", tmp_path / "none" / "packet.json")
    assert ran.code == 2
    assert [*tmp_path.glob("**/*.partial")] == []
