"""S: what helps a case manager to understand and to speak with people."""

import re
from html import unescape

from tests.server.api.conftest import DANA

ORIGIN = {"Origin": "http://localhost"}
SNOMED = "http://snomed.info/sct"


def words(html):
    """What of a page is read, without its tags."""
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", html)))


def test_a_code_has_a_name_for_people_or_says_that_it_has_none(office, api):
    """S-01"""
    case = office.case()
    for code in ({"code": "38341003", "display": "Hypertensive disorder"}, {"code": "44054006"}):
        api.create("conditions", {**office.of(case), "clinical_status": "active", "code": {"system": SNOMED, **code}})
    told = [item.get("what") for item in api.get(f"cases/{case['id']}/timeline")["items"] if item["concept"] == "condition"]
    assert sorted(told) == ["44054006 (unresolved)", "Hypertensive disorder"]


def test_a_client_is_called_by_the_name_that_they_prefer(office, fhir, client):
    """S-04"""
    names = [{"use": "official", "family": "Kanarifugl", "given": ["Alma"]}, {"use": "usual", "family": "Kanarifugl", "given": ["Mo"]}]
    case = office.case(client=office.client(names=names))
    patient = fhir.send("GET", case["client"]).json
    assert [name["given"] for name in patient["name"] if name["use"] == "usual"] == [["Mo"]]
    assert client.post("/sign-in", data={"actor": DANA, "to": "/"}, headers=ORIGIN).status_code == 303
    shown = words(client.get(f"/cases/{case['id']}").text)
    assert "Mo Kanarifugl" in shown
    assert "Alma Kanarifugl" not in shown
