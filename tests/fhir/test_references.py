import pytest

from adapter.fhir.references import rewrite, split, walk, without
from adapter.fhir.resource import Raw, copy

PLAN: Raw = {
    "resourceType": "CarePlan",
    "subject": {"reference": "Patient/1"},
    "contained": [{"resourceType": "Goal", "id": "g", "subject": {"reference": "Patient/1"}}],
    "goal": [{"reference": "#g"}, {"identifier": {"value": "only a logical one"}}],
    "extension": [{"url": "urn:x", "valueReference": {"reference": "Device/2/_history/3", "display": "Kanarifugl"}}],
    "activity": [{"outcomeReference": [{"reference": "Observation/4"}], "detail": {"location": {"reference": "urn:uuid:5"}}}],
    "note": [{"text": "Patient/1"}],
}


def test_every_reference_is_found_wherever_it_is() -> None:
    found = [item["reference"] for item in walk(PLAN)]
    assert sorted(found) == ["#g", "Device/2/_history/3", "Observation/4", "Patient/1", "Patient/1", "urn:uuid:5"]


def test_rewriting_changes_references_and_nothing_else() -> None:
    before = copy(PLAN)
    after = rewrite(PLAN, lambda text: text.replace("Patient/1", "Patient/one"))
    assert before == PLAN
    assert [item["reference"] for item in walk(after)].count("Patient/one") == 2
    assert after["note"] == [{"text": "Patient/1"}]
    assert after["extension"] is PLAN["extension"]
    assert rewrite(after, lambda text: text.replace("Patient/one", "Patient/1")) == PLAN
    assert list(after) == list(PLAN)


def test_rewriting_to_the_same_gives_the_very_same_resource() -> None:
    assert rewrite(PLAN, lambda text: "".join(list(text))) is PLAN


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("Patient/1", ("Patient", "1", None)),
        ("Patient/a-b.C/_history/7", ("Patient", "a-b.C", "7")),
        ("#g", None),
        ("urn:uuid:5", None),
        ("https://ehr.example/fhir/Patient/1", None),
        ("Patient?identifier=a", None),
        ("Patient/1#x", None),
        ("Patient/", None),
        ("Patient/1\n", None),
        ("", None),
    ],
)
def test_only_a_relative_literal_reference_is_taken_apart(text: str, parts: tuple[str, str, str | None] | None) -> None:
    assert split(text) == parts


def test_a_reference_is_taken_out_with_what_holds_nothing_else() -> None:
    keep = {"reference": "Patient/1"}
    gone = {"reference": "ServiceRequest/2", "display": "an order"}
    raw = {
        "resourceType": "CarePlan",
        "subject": keep,
        "basedOn": [gone],
        "activity": [
            {"id": "a", "reference": gone},
            {"reference": gone, "progress": [{"text": "so far"}]},
            {"detail": {"status": "unknown"}},
        ],
        "extension": [{"url": "urn:example:order", "valueReference": gone}, {"url": "urn:example:both", "valueReference": keep}],
    }
    assert without(raw, lambda text: text == "ServiceRequest/2") == {
        "resourceType": "CarePlan",
        "subject": keep,
        "activity": [{"progress": [{"text": "so far"}]}, {"detail": {"status": "unknown"}}],
        "extension": [{"url": "urn:example:both", "valueReference": keep}],
    }


def test_what_holds_no_unwanted_reference_is_shared_and_not_copied() -> None:
    raw = {"resourceType": "Goal", "subject": {"reference": "Patient/1"}, "note": [], "target": [{}]}
    assert without(raw, lambda text: text == "Patient/2") is raw
