"""An access about more people than one AuditEvent names."""

from dataclasses import replace

from adapter.audit.disclosures import disclosures
from server.audit import account

from .conftest import AUDITED, INSURER


def test_where_one_event_cannot_name_all_the_others_lead_to_the_first(site, token, told, repository, monkeypatch):
    site.get(token(INSURER), "Patient/river")
    site.get(token(replace(INSURER, organisation="Organization/other")), "Patient/alma")
    monkeypatch.setattr(account, "_AT_ONCE", 1)
    told()
    assert site.get(token(AUDITED), "AuditEvent?subtype=read&_sort=-_lastUpdated&_count=2").status_code == 200
    first, *others = told()
    assert {"Patient/river", "Patient/alma"} <= {patient for event in (first, *others) for patient in event["patients"]}
    assert {len(event["patients"]) for event in (first, *others)} == {1}
    assert (first["query"], len(first["details"]["told"].split())) == (
        "GET AuditEvent?subtype=read&_sort=-_lastUpdated&_count=2",
        int(first["details"]["count"]),
    )
    for event in others:
        assert (event["query"], "told" in event["details"], event["details"]["count"]) == (None, False, first["details"]["count"])
        assert event["details"]["first"].startswith("AuditEvent/")
    said = [each.what for each in disclosures(stored.raw for stored in repository.scan("AuditEvent"))]
    of_first = others[0]["details"]["first"]
    assert f"search-type: {first['details']['count']}, as {of_first} says" in said
