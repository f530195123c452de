"""The vectors of DOMAIN sections 6.1 to 6.6, and what the scorer refuses."""

from decimal import Decimal

import pytest

from adapter.care.instrument import load
from adapter.care.scoring import score
from adapter.errors import Invalid, NotFound
from tests.care.answers import NO_NEED, band, digits, in_order


@pytest.mark.parametrize(
    ("answers", "value", "name", "phq2", "flags"),
    [
        ("000000000", 0, "minimal", 0, ()),
        ("111110000", 5, "mild", 2, ()),
        ("222220000", 10, "moderate", 4, ()),
        ("333330000", 15, "moderately_severe", 6, ()),
        ("333333300", 21, "severe", 6, ()),
        ("333333333", 27, "severe", 6, ("suicide_item",)),
        ("100000001", 2, "minimal", 1, ("suicide_item",)),
        ("12-------", None, None, 3, ()),
        ("--------1", None, None, None, ("suicide_item",)),
    ],
)
def test_phq9_sums_nine_items_and_flags_the_ninth_whatever_the_total(answers, value, name, phq2, flags):
    result = in_order("phq9", digits(answers))
    assert (result.value, band(result), result.subtotals["phq2"], result.flags) == (value, name, phq2, flags)
    assert result.complete is (value is not None)
    assert result.positive is (None if value is None else value >= 10)


def test_what_is_missing_is_named_and_an_optional_item_is_not_missed():
    assert in_order("phq9", digits("00000000-")).missing == ("44260-8",)
    assert in_order("phq9", digits("000000000")).missing == ()


def test_the_difficulty_item_is_taken_and_not_scored():
    answers = {item.link_id: [1] for item in load("phq9").items[:9]} | {"69722-7": ["LA6574-3"]}
    assert score("phq9", answers).value == 9


@pytest.mark.parametrize(("answers", "value", "positive"), [("12", 3, True), ("22", 4, True), ("11", 2, False), ("00", 0, False)])
def test_phq2_of_three_or_more_is_positive_and_advises_phq9(answers, value, positive):
    result = in_order("phq2", digits(answers))
    assert (result.value, result.positive, band(result)) == (value, positive, "positive" if positive else "negative")
    assert result.advice == (("give_phq9",) if positive else ())


@pytest.mark.parametrize(
    ("answers", "value", "name"),
    [
        ("0000000", 0, "minimal"),
        ("1111000", 4, "minimal"),
        ("1111100", 5, "mild"),
        ("2222200", 10, "moderate"),
        ("3333300", 15, "severe"),
        ("3333333", 21, "severe"),
    ],
)
def test_gad7_sums_seven_items(answers, value, name):
    result = in_order("gad7", digits(answers))
    assert (result.value, band(result)) == (value, name)


def test_a_published_alternative_code_means_the_same_answer():
    """LOINC's form of the second GAD-7 item words the third answer with a code of its own."""
    for code in ("LA6570-1", "LA18938-3"):
        assert score("gad7", {"68509-9": [code]}).points == {"68509-9": 2}


@pytest.mark.parametrize(
    ("answers", "value", "woman", "man", "advice"),
    [
        ([0, None, None], 0, False, False, ()),
        ([0, 3, 2], 0, False, False, ()),
        ([1, 0, 1], 2, False, False, ()),
        ([3, 0, 0], 3, True, False, ("review_recent_intake",)),
        ([2, 1, 1], 4, True, True, ()),
        ([4, 4, 4], 12, True, True, ()),
    ],
)
def test_audit_c_has_a_cut_point_by_gender(answers, value, woman, man, advice):
    given = {i.link_id: [a] for i, a in zip(load("audit_c").items, answers, strict=True) if a is not None}
    for gender, positive in (("female", woman), ("male", man)):
        result = score("audit_c", given, gender=gender)
        assert (result.value, result.positive, result.complete, result.advice) == (value, positive, True, advice)
    for gender in ("other", "unknown", None):
        result = score("audit_c", given, gender=gender)
        assert (result.positive, result.advice) == (woman, (*advice, "cut_point_assumed"))


def test_audit_c_needs_its_later_items_unless_the_first_is_never():
    result = in_order("audit_c", [3, None, None])
    assert (result.value, result.missing, result.advice) == (None, ("68519-8", "68520-6"), ())


def hits(*points: int) -> dict[str, list[int]]:
    return dict(zip(("95618-5", "95617-7", "95616-9", "95615-1"), ([point] for point in points), strict=True))


@pytest.mark.parametrize(
    ("change", "domains", "total", "flags"),
    [
        ({}, (), 4, ()),
        ({"71802-3": ["LA31994-9"]}, ("housing",), 4, ()),
        ({"71802-3": ["LA31995-6"]}, ("housing",), 4, ()),
        ({"96778-6": ["LA28580-1", "LA32001-2"]}, ("housing",), 4, ()),
        ({"88123-5": ["LA6729-3"]}, ("food",), 4, ()),
        ({"93030-5": ["LA33-6"]}, ("transport",), 4, ()),
        ({"96779-4": ["LA32002-0"]}, ("utilities",), 4, ()),
        (hits(3, 3, 3, 1), (), 10, ()),
        (hits(3, 3, 3, 2), ("safety",), 11, ("safety_hits_positive",)),
        ({"93030-5": ["LA33-6"], "76513-1": ["LA22683-9"]}, ("transport", "financial"), 4, ()),
        ({"93159-2": ["LA10044-8"], "93038-8": ["LA13902-4"]}, ("social", "stress"), 4, ()),
        ({"93038-8": ["LA13909-9"], "69861-3": [True]}, ("disability",), 4, ()),
        ({"96780-2": ["LA31981-6"], "96782-8": [True]}, ("employment", "education"), 4, ()),
        ({"96780-2": ["LA31983-2"], "96782-8": ["LA32-8"]}, (), 4, ()),
        ({"96781-0": ["LA31978-2"]}, ("support",), 4, ()),
        ({"96781-0": ["LA31979-0"], "97027-7": [True]}, ("support",), 4, ()),
        ({"96781-0": ["LA31977-4"], "89555-7": ["LA6111-4"], "68516-4": ["LA6111-4"]}, (), 4, ()),
    ],
)
def test_ahc_hrsn_reports_positive_domains_and_the_hits_total(change, domains, total, flags):
    result = score("ahc_hrsn", NO_NEED | change)
    assert (result.value, result.complete, result.positive_domains) == (None, True, domains)
    assert (result.subtotals, result.flags) == ({"hits": total}, flags)


@pytest.mark.parametrize(
    ("change", "advice"),
    [
        ({"44250-9": ["LA6570-1"], "44255-8": ["LA6568-5"]}, ()),
        ({"44250-9": ["LA6570-1"], "44255-8": ["LA6569-3"]}, ("phq2_positive",)),
        ({"44255-8": ["LA6571-9"]}, ("phq2_positive",)),
        ({"68517-2": ["LA6270-8"], "96842-0": ["LA6270-8"], "95530-2": ["LA6270-8"], "68524-8": ["LA6270-8"]}, ()),
        ({"68524-8": ["LA26460-8"]}, ("substance_use_reported",)),
        ({"96842-0": ["LA18934-2"], "44250-9": ["LA6571-9"]}, ("phq2_positive", "substance_use_reported")),
    ],
)
def test_ahc_hrsn_s_supplemental_items_advise_a_closer_look(change, advice):
    result = score("ahc_hrsn", NO_NEED | change)
    assert (result.advice, result.flags, result.positive_domains, result.complete) == (advice, (), (), True)


def test_ahc_hrsn_takes_each_answer_of_each_item_that_the_catalogue_names():
    supplemental = {item.link_id for item in load("ahc_hrsn").items if not item.required}
    social = "76513-1 96780-2 96781-0 93159-2 97027-7 96782-8 93038-8 69858-9 69861-3"
    health = "89555-7 68516-4 68517-2 96842-0 95530-2 68524-8 44250-9 44255-8"
    assert supplemental == {*social.split(), *health.split()}
    for item in load("ahc_hrsn").items:
        for answer in item.answers:
            assert score("ahc_hrsn", NO_NEED | {item.link_id: [answer.code]}).complete


def test_ahc_hrsn_with_a_safety_item_missing_has_no_hits_total_and_keeps_what_is_proven():
    partial = {key: value for key, value in (NO_NEED | hits(5, 5, 5, 1)).items() if key != "95615-1"}
    result = score("ahc_hrsn", partial)
    assert (result.complete, result.subtotals, result.flags) == (False, {"hits": None}, ("safety_hits_positive",))


@pytest.mark.parametrize(
    ("first", "second", "name", "code", "complete"),
    [
        ("LA28398-8", "LA28398-8", "no_risk", "LA19983-8", True),
        ("LA6729-3", "LA28398-8", "at_risk", "LA19952-3", True),
        ("LA15775-2", "LA28397-0", "at_risk", "LA19952-3", True),
        ("LA15775-2", "LA28398-8", None, None, True),
        ("LA28397-0", None, "at_risk", "LA19952-3", False),
        ("LA28398-8", None, None, None, False),
    ],
)
def test_hunger_vital_sign_is_undetermined_only_when_the_rest_decides(first, second, name, code, complete):
    result = in_order("hunger_vital_sign", [first, second])
    assert (band(result), result.band.code if result.band else None, result.complete) == (name, code, complete)
    assert result.unknown == (("88122-7",) if first == "LA15775-2" else ())


PRAPARE_BEST = {
    "71802-3": ["LA30189-7"],
    "93033-9": ["LA32-8"],
    "82589-3": ["LA30193-9"],
    "67875-5": ["LA30136-8"],
    "76437-3": ["LA6350-8"],
    "93030-5": ["LA32-8"],
    "93029-7": ["LA30132-7"],
    "93038-8": ["LA6568-5"],
}


@pytest.mark.parametrize(
    ("change", "needs"),
    [
        ({}, 0),
        ({"71802-3": ["LA30190-5"], "93033-9": ["LA33-6"]}, 1),
        ({"93030-5": ["LA30133-5", "LA30134-3"]}, 1),
        ({"93038-8": ["LA13909-9"]}, 0),
        ({"82589-3": ["LA30122-8"], "93031-3": ["LA30122-8"]}, 0),
        (
            {
                "71802-3": ["LA30190-5"],
                "82589-3": ["LA30191-3"],
                "67875-5": ["LA17956-6"],
                "76437-3": ["LA30194-7"],
                "93031-3": ["LA30125-1", "LA46-8"],
                "93030-5": ["LA30134-3"],
                "93029-7": ["LA30130-1"],
                "93038-8": ["LA13914-9"],
                "93026-3": ["LA32-8"],
            },
            9,
        ),
    ],
)
def test_prapare_counts_domains_of_need_and_a_declined_answer_is_never_a_point(change, needs):
    result = score("prapare", PRAPARE_BEST | change)
    assert (result.value, result.complete) == (needs, True)
    assert result.unknown == tuple(sorted(item for item, given in change.items() if given == ["LA30122-8"]))


@pytest.mark.parametrize(
    ("instrument_id", "link_id", "given"),
    [
        ("phq9", "44250-9", [4]),
        ("phq9", "44250-9", ["LA6270-8"]),
        ("phq9", "44250-9", [True]),
        ("phq9", "44250-9", [1, 2]),
        ("phq9", "69722-7", [0]),
        ("ahc_hrsn", "96778-6", ["LA28580-1", "LA9-3"]),
        ("ahc_hrsn", "96778-6", ["LA28580-1", "LA28580-1"]),
        ("ahc_hrsn", "71802-3", [1]),
        ("ahc_hrsn", "71802-3", ["LA30190-5"]),
        ("prapare", "71802-3", ["LA31994-9"]),
        ("prapare", "93031-3", ["LA30125-1", "LA30122-8"]),
        ("hunger_vital_sign", "88122-7", [2]),
        ("lace", "length_of_stay", [-1]),
        ("lace", "length_of_stay", [Decimal("1.5")]),
        ("lace", "length_of_stay", [True]),
        ("lace", "acute_admission", [1]),
        ("lace", "acute_admission", ["yes"]),
        ("lace", "emergency_visits", ["2"]),
        ("hospital", "718-7", [Decimal("128")]),
        ("hospital", "718-7", [Decimal("NaN")]),
        ("charlson", "comorbidity", ["none", "dementia"]),
        ("phq9", "no-such-item", [1]),
    ],
)
def test_an_answer_out_of_range_is_refused_by_its_link_id_and_never_shown(instrument_id, link_id, given):
    with pytest.raises(Invalid) as refused:
        score(instrument_id, {link_id: given})
    assert refused.value.expression == (link_id,)
    assert not any(isinstance(value, str) and value in refused.value.text for value in given)


def test_an_unknown_instrument_or_method_is_not_found():
    for instrument_id, method in (("phq99", None), ("../phq9", None), ("hospital", "1999"), ("phq9", "2016")):
        with pytest.raises(NotFound):
            score(instrument_id, {}, method=method)


def test_a_score_says_how_it_was_made():
    result = in_order("katz", digits("110011"))
    assert (result.instrument, result.version, result.method) == ("katz", load("katz").version, None)
    assert sum(result.points.values()) == result.value == 4
