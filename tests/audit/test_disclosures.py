"""An accounting of disclosures is read from AuditEvents: who was told, of what, when, why, by which rule."""

import csv
from io import StringIO

from adapter.audit.disclosures import COLUMNS, as_csv, as_page, disclosures
from adapter.audit.event import CREATED, DELETED, REFUSED, UPDATED, Asker, Told, audit_event

AT = "2026-03-02T09:00:00.000Z"
NORTH = Asker("north", organisation="Organization/north", role="insurer-reader", purpose="HPAYMT")
DANA = Asker("console", "dana", "Practitioner/dana", purpose="CAREMGT")
RULE = "insurer-reader: payor; consent opt-in"


def rows(*events):
    return [*disclosures({**event, "id": str(number)} for number, event in enumerate(events))]


def test_a_disclosure_names_the_recipient_and_who_asked():
    told = Told(["CarePlan/a", "CarePlan/b", "Goal/c"], 3, RULE)
    [row] = rows(audit_event("search-type", NORTH, AT, patients=["Patient/river"], query="GET CarePlan", told=told))
    assert (row.date, row.recipient, row.by) == (AT, "Organization/north", "client north")
    assert (row.what, row.purpose, row.rule, row.event) == ("search-type: 2 CarePlan, 1 Goal", "HPAYMT", RULE, "AuditEvent/0")


def test_a_person_without_an_organisation_is_the_recipient():
    [row] = rows(audit_event("read", DANA, AT, patients=["Patient/river"], targets=["Goal/c"], told=Told(count=1)))
    assert (row.recipient, row.by, row.what) == ("Practitioner/dana", "Practitioner/dana", "read: Goal/c")


def test_the_time_is_told_in_utc_whatever_zone_it_was_written_in():
    written = ("2026-03-02T10:00:00+01:00", "2016-12-31T23:59:60Z")
    assert [row.date for row in rows(*(audit_event("read", DANA, at) for at in written))] == [AT, written[1]]


def test_what_was_told_of_several_people_together_says_so():
    [row] = rows(audit_event("search-type", NORTH, AT, patients=["Patient/a", "Patient/b"], told=Told(["Goal/c", "Goal/d"], 2)))
    assert row.what == "search-type: 2 Goal (of 2 patients)"


def test_refusals_and_changes_are_no_disclosures():
    assert rows(audit_event("read", NORTH, AT, outcome=REFUSED), audit_event("update", DANA, AT), audit_event("delete", DANA, AT)) == []


def test_changes_by_whatever_interaction_are_no_disclosures():
    assert rows(*(audit_event("transaction", DANA, AT, writes=action) for action in (CREATED, UPDATED, DELETED))) == []


def test_a_change_that_wrote_nothing_and_told_what_is_there_is_a_disclosure():
    [row] = rows(audit_event("create", NORTH, AT, told=Told(count=1), reads=True))
    assert (row.recipient, row.what) == ("Organization/north", "create: 1")


def test_a_csv_has_a_head_and_no_cell_that_a_spreadsheet_would_run():
    odd = Asker("north", organisation="Organization/north", purpose='=HYPERLINK("x")')
    head, line = csv.reader(StringIO(as_csv(rows(audit_event("read", odd, AT))), newline=""))
    assert (tuple(head), line[4]) == (COLUMNS, '\'=HYPERLINK("x")')


def test_a_page_loads_nothing_and_escapes_what_it_tells():
    odd = Asker("<north>", organisation="Organization/north")
    page = as_page("Patient/river", rows(audit_event("read", odd, AT)), AT)
    assert "&lt;north&gt;" in page
    assert "<north>" not in page
    assert "1 disclosure," in page
    assert "default-src 'none'" in page
    assert "No disclosures," in as_page("Patient/river", [], AT)
