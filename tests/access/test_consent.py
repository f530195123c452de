"""What Consents say: the deepest provision that fits, denials first, and what cannot be judged narrows."""

from datetime import UTC, datetime

import pytest

from adapter.access.consent import Ask, Content, Said, compiled, conditions, decide, named
from adapter.access.viewer import Viewer, purposes
from adapter.fhir.dates import span

NOW = datetime(2025, 4, 22, 12, tzinfo=UTC)
INSURER = Ask(Viewer("insurer-reader", frozenset(("Organization/ins",)), "COVERAGE"), NOW, "payer", frozenset(("Organization/us",)))
PLAN = Content("CarePlan")


def coding(system, code):
    return {"system": f"http://terminology.hl7.org/CodeSystem/{system}", "code": code}


def actor(reference, role="IRCP"):
    return {"role": {"coding": [coding("v3-ParticipationType", role)]}, "reference": {"reference": reference}}


def consent(provision=None, base="OPTOUT", scope="patient-privacy", status="active", **more):
    return {
        "resourceType": "Consent",
        "status": status,
        "scope": {"coding": [coding("consentscope", scope)]},
        "patient": {"reference": "Patient/river"},
        **({"policyRule": {"coding": [coding("v3-ActCode", base)]}} if base else {}),
        **({"provision": provision} if provision else {}),
        **more,
    }


def said(*consents, content=PLAN, ask=INSURER):
    return decide([found for each in consents if (found := compiled(each))], ask, content)


def test_the_base_policy_counts_where_no_provision_fits():
    assert said(consent(base="OPTIN")).word == "permit"
    assert said(consent(base="OPTOUT")).word == "deny"
    assert said(consent(base=None)) == said() == Said()
    assert said(consent({"type": "permit", "actor": [actor("Organization/other")]})).word == "deny"
    assert said(consent({"type": "deny", "actor": [actor("Organization/other")]}, base="OPTIN")).word == "permit"


def test_an_outermost_provision_that_decides_nothing_says_where_the_base_policy_counts():
    past = {"period": {"end": "2025-04-21"}}
    assert said(consent(past, base="OPTIN")) == Said()
    assert said(consent({"period": {"end": "2025-04-22"}}, base="OPTIN")).word == "permit"


def test_a_provision_is_an_exception_to_the_one_around_it():
    inner = {"type": "deny", "class": [{"system": "http://hl7.org/fhir/resource-types", "code": "Observation"}]}
    outer = consent({"type": "permit", "actor": [actor("Organization/ins")], "provision": [inner]})
    assert said(outer).word == "permit"
    assert said(outer, content=Content("Observation")).word == "deny"


def test_of_provisions_and_of_consents_beside_each_other_one_that_denies_counts():
    assert said(consent({"provision": [{"type": "permit"}, {"type": "deny"}]})).word == "deny"
    assert said(consent({"type": "permit"}), consent({"type": "deny"})).word == "deny"
    assert said(consent({"type": "permit"}), consent(base="OPTOUT")).word == "permit"


@pytest.mark.parametrize(
    ("condition", "fits"),
    [
        ({"purpose": [coding("v3-ActReason", "HPAYMT")]}, True),
        ({"purpose": [coding("v3-ActReason", "ELIGVER")]}, False),
        ({"period": {"start": "2025-04-22", "end": "2025-04-22"}}, True),
        ({"period": {"start": "2025-04-23"}}, False),
        ({"period": {"end": "2025-04-22T23:59:60Z"}}, True),
        ({"period": {"start": "2025-04-01", "end": "2025-04-21T23:59:60Z"}}, False),
        ({"action": [{"coding": [coding("consentaction", "disclose")]}]}, True),
        ({"action": [{"coding": [coding("consentaction", "collect")]}]}, False),
        ({"actor": [actor("Organization/ins")]}, True),
        ({"actor": [actor("Organization/ins"), actor("Organization/us", "CST")]}, True),
        ({"data": [{"meaning": "instance", "reference": {"reference": "CarePlan/2"}}]}, False),
    ],
)
def test_a_condition_fits_or_does_not(condition, fits):
    for word in ("permit", "deny"):
        assert (said(consent({"type": word, **condition}, base=None)).word == word) is fits


@pytest.mark.parametrize(
    "condition",
    [
        {"actor": [actor("Organization/ins", "INF")]},
        {"actor": [{"role": {"coding": [coding("v3-ParticipationType", "IRCP")]}, "reference": {"display": "The insurer"}}]},
        {"actor": [actor("Organization/elsewhere", "CST")]},
        {"purpose": [{"system": "urn:own", "code": "HPAYMT"}]},
        {"class": [{"system": "urn:ietf:bcp:13", "code": "application/pdf"}]},
        {"securityLabel": [coding("v3-Confidentiality", "N")]},
        {"code": [{"text": "everything about the heart"}]},
        {"period": {"start": "soon"}},
        {"period": {"start": "2025-04-01", "end": "soon"}},
        {"period": {"start": "2025-04-01", "end": "2025-04-31"}},
        {"period": {"start": "soon", "end": "2025-04-30"}},
        {"data": [{"meaning": "authoredby", "reference": {"reference": "Practitioner/1"}}]},
        {"purpose": ["HPAYMT"]},
        {"modifierExtension": [{"url": "urn:x", "valueBoolean": True}]},
    ],
)
def test_what_cannot_be_judged_permits_nothing_and_each_denial_counts(condition):
    assert said(consent({"type": "permit", **condition}, base=None)).word is None
    assert said(consent({"type": "deny", **condition}, base=None)).word == "deny"
    around = {"type": "deny", "provision": [{"type": "permit"}], **condition}
    assert said(consent(around, base="OPTIN")).word == "deny"


def test_a_permission_names_the_categories_of_the_labels_on_its_way():
    psychiatry = {"securityLabel": [coding("v3-ActCode", "PSY")]}
    open_to = consent({"type": "permit", "provision": [{"type": "permit", **psychiatry}]})
    secret = Content("CarePlan", frozenset(("mental-health",)))
    assert said(open_to, content=secret) == Said("permit", frozenset(("mental-health",)))
    assert said(open_to) == Said("permit")
    assert named([compiled(open_to)]) == {"mental-health"}


def test_data_in_a_time_are_permitted_where_they_lie_in_it_and_denied_where_they_touch_it():
    spring = {"dataPeriod": {"start": "2025-03-01", "end": "2025-05-31"}}
    within, across, after = (
        Content("CarePlan", dates=(span(start)[0], span(end)[1]))
        for start, end in (("2025-04-01", "2025-05-31"), ("2025-05-01", "2025-06-01"), ("2025-06-01", "2025-07-01"))
    )
    permits, denies = consent({"type": "permit", **spring}, base=None), consent({"type": "deny", **spring}, base=None)
    assert [said(permits, content=each).word for each in (within, across, after, PLAN)] == ["permit", None, None, None]
    assert [said(denies, content=each).word for each in (within, across, after, PLAN)] == ["deny", "deny", None, "deny"]
    assert "dates" in conditions([compiled(permits)])
    garbled = {"dataPeriod": {"start": "2025-03-15", "end": "soon"}}
    permits, denies = consent({"type": "permit", **garbled}, base=None), consent({"type": "deny", **garbled}, base=None)
    before = Content("CarePlan", dates=(span("2025-03-01")[0], span("2025-03-10")[1]))
    assert [said(permits, content=each).word for each in (before, within, after)] == [None, None, None]
    assert [said(denies, content=each).word for each in (before, within, after)] == ["deny", "deny", "deny"]


@pytest.mark.parametrize("status", ["draft", "proposed", "rejected", "inactive", "entered-in-error"])
def test_a_consent_counts_while_it_is_in_force_and_about_who_is_told(status):
    assert compiled(consent({"type": "permit"}, status=status)) is None
    assert compiled(consent({"type": "permit"}, scope="treatment")) is None


def test_a_consent_to_research_is_asked_for_research_only():
    study = consent({"type": "permit"}, base=None, scope="research")
    researcher = Ask(Viewer("insurer-reader", frozenset(), "CLINTRCH"), NOW)
    assert said(study).word is None
    assert said(study, ask=researcher).word == "permit"


def test_a_consent_towards_the_family_says_nothing_to_an_insurer():
    towards = {"extension": [{"url": "https://casebridge.example/fhir/StructureDefinition/consent-scope", "valueCode": "sharing-support"}]}
    assert said(consent({"type": "permit"}, **towards)) == Said()
    assert said(consent(base="OPTIN", **towards)) == Said()


def test_a_purpose_is_all_that_it_is_a_kind_of():
    assert purposes("ELIGVER") == {"ELIGVER", "COVERAGE", "HPAYMT"}
    assert purposes("urn:own") == {"urn:own"}
