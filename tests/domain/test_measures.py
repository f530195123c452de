"""O: what comes of case management, counted over cases of known stays."""

from tests.server.fhir import entry, transaction

ACT = "http://terminology.hl7.org/CodeSystem/v3-"


def stay(client, start, end):
    """A stay as an emergency inpatient."""
    return {
        "resourceType": "Encounter",
        "status": "finished",
        "class": {"system": f"{ACT}ActCode", "code": "IMP"},
        "priority": {"coding": [{"system": f"{ACT}ActPriority", "code": "EM"}]},
        "subject": {"reference": client},
        "period": {"start": start, "end": end},
    }


def known(fhir, *stays):
    """Let the server know of stays."""
    answer = fhir.send("POST", "", transaction(*(entry("POST", "Encounter", each) for each in stays)))
    assert answer.status_code == 200, answer.text


def population(fhir, id, period):
    """The counts of a measure's only group, and its score."""
    [group] = fhir.send("GET", f"Measure/{id}/$evaluate-measure?{period}").json["group"]
    return {each["code"]["coding"][0]["code"]: each["count"] for each in group["population"]}, group["measureScore"]["value"]


def test_stays_of_four_six_and_eight_days_last_six_on_average(office, api, fhir):
    """O-01"""
    clients = [office.case()["client"] for _ in range(3)]
    known(fhir, *(stay(client, "2026-03-03", end) for client, end in zip(clients, ("2026-03-07", "2026-03-09", "2026-03-11"), strict=True)))
    counts, mean = population(fhir, "length-of-stay", "periodStart=2026-03-01&periodEnd=2026-03-31")
    assert (counts["initial-population"], mean) == (3, 6)
    [group] = api.get("measures/length-of-stay?start=2026-03-01&end=2026-03-31")["groups"]
    assert (group["initial"], group["mean"], group["median"]) == (3, 6, 6)


def test_of_twenty_discharges_three_were_followed_by_a_readmission_of_day_thirty_at_the_latest(office, fhir, time):
    """O-02"""
    manager = office.manager()
    clients = [office.case(case_manager=manager)["client"] for _ in range(20)]
    known(fhir, *(stay(client, "2026-05-04", "2026-05-10") for client in clients))
    again = ("2026-05-12", "2026-05-30", "2026-06-09", "2026-06-10")  # the last is day 31
    known(fhir, *(stay(client, day, day) for client, day in zip(clients, again, strict=False)))
    time.pass_(days=150)
    counts, rate = population(fhir, "readmission-30-days", "periodStart=2026-05-01&periodEnd=2026-05-11")
    assert (counts["denominator"], counts["numerator"], rate) == (20, 3, 0.15)
