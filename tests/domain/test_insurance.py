"""The insurer's part: what it writes here by FHIR is taken up, and a denial is appealed."""


def authorised(office, api):
    """A service of a case of the office whose authorisation was asked for: the case, the service, and what waits."""
    insurer = office.organization("insurer")
    case = office.case("planning")
    api.create("coverages", {"client": case["client"], "status": "active", "payers": [insurer], "member_id": "M-1"})
    agreed = {"client": case["client"], "status": "active", "scope": "sharing_payer", "decision": "permit", "performers": [case["client"]]}
    api.create("consents", agreed | {"actor": insurer})
    made = office.work(case)["planned_service"]
    service = office.amend("planned_service", made, code={"text": "therapy"}, authorisation_required="yes")
    return case, service, api.create(f"planned-services/{service['id']}/authorisation", {})


def response(waits, day, **elements):
    """What the insurer writes."""
    return {
        "resourceType": "ClaimResponse",
        "status": "active",
        "use": "preauthorization",
        "type": {"text": "professional"},
        "patient": {"reference": waits["client"]},
        "created": f"{day}",
        "insurer": {"reference": waits["insurer"]},
        "request": {"reference": waits["preauthorisation"]},
        "outcome": "complete",
        **elements,
    }


def test_an_insurer_that_writes_its_answer_here_authorises_the_service(office, api, fhir, time, watch):
    """C-22, V-11"""
    case, service, waits = authorised(office, api)
    claim = fhir.send("GET", waits["preauthorisation"]).json
    assert (claim["use"], claim["item"][0]["extension"][0]["valueReference"]["reference"]) == (
        "preauthorization",
        service["meta"]["reference"],
    )
    booked = office.of(case) | {"status": "booked", "client_attendance": "accepted", "services": [service["meta"]["reference"]]}
    assert api.send("POST", "appointments", booked).json["rule"] == "authorisation_missing"
    answer = fhir.send("POST", "ClaimResponse", response(waits, time.now.date(), preAuthRef="A-1"))
    assert answer.status_code == 201
    watch()
    assert api.get(f"authorisations/{waits['id']}")["number"] == "A-1"
    [row] = [each for each in api.get(f"cases/{case['id']}/insurance")["services"] if each["service"] == service["meta"]["reference"]]
    assert (row["status"], row["number"]) == ("approved", "A-1")
    assert api.create("appointments", booked)["status"] == "booked"


def test_a_denial_is_appealed_and_the_insurer_s_second_answer_overturns_it(office, api, fhir, time, watch):
    """P-25"""
    case, _, waits = authorised(office, api)
    nothing = [{"category": {"coding": [{"code": "benefit"}]}, "amount": {"value": 0, "currency": "USD"}, "reason": {"text": "Kanarifugl"}}]
    fhir.send("POST", "ClaimResponse", response(waits, time.now.date(), adjudication=nothing))
    watch()
    assert office.tasks(case)["authorisation-denied"]["focus"] == waits["meta"]["reference"]
    word = {"issue": "Kanarifugl needs it", "action": "Kanarifugl's letter", "due": "2099-01-31"}
    appeal = api.create(f"authorisations/{waits['id']}/appeal", word)
    related = fhir.send("GET", appeal["preauthorisation"]).json["related"]
    assert related[0]["claim"] == {"reference": waits["preauthorisation"]}
    fhir.send("POST", "ClaimResponse", response(appeal, time.now.date(), preAuthRef="A-2"))
    watch()
    assert api.get(f"authorisations/{waits['id']}")["status"] == "cancelled"
    [entry] = api.get(f"advocacy?client={case['client']}")["items"]
    assert (entry["status"], entry["result"]) == ("completed", "The denial was overturned.")
    assert office.tasks(case)["appeal"]["status"] == "completed"
