"""The data files hold together, and one that does not is refused by file and path."""

import json
from importlib import resources

import pytest

from adapter.care.data import decode
from adapter.care.instrument import Instrument, load, names
from adapter.errors import Invalid

EVERY = [(name, method) for name in names() for method in load(name).all_methods or (None,)]


def content(name: str) -> dict:
    return json.loads(resources.files("adapter.care.instruments").joinpath(f"{name}.json").read_bytes())


def change(target: dict, path: str, value: object) -> dict:
    """`target` with the value at `path`, such as items.0.type, changed."""
    *steps, last = [int(step) if step.isdigit() else step for step in path.split(".")]
    inner = target
    for step in steps:
        inner = inner[step]
    inner[last] = value
    return target


def test_there_is_a_file_for_every_instrument_of_the_domain():
    assert set(names()) == {
        *("ahc_hrsn", "audit_c", "charlson", "gad7", "hospital", "hunger_vital_sign", "katz", "lace"),
        *("morse", "phq2", "phq9", "prapare", "steadi"),
    }


@pytest.mark.parametrize("name", names())
def test_a_file_is_named_by_the_id_in_it_and_says_licence_and_source(name):
    instrument = load(name)
    assert instrument.id == name
    assert instrument.licence
    assert instrument.source


@pytest.mark.parametrize(("name", "method"), [(name, method) for name, method in EVERY if load(name, method).scoring.bands])
def test_bands_reach_from_the_lowest_to_the_highest_total(name, method):
    instrument = load(name, method)
    if instrument.scoring.kind == "any":
        lowest, highest = 0, 1
    else:
        spans = [span(item) for item in instrument.items if item.link_id in instrument.scoring.items]
        lowest, highest = sum(low for low, _ in spans), sum(high for _, high in spans)
    assert (instrument.scoring.bands[0].low, instrument.scoring.bands[-1].high) == (lowest, highest)


def span(item) -> tuple[int, int]:
    """The lowest and the highest points of an item."""
    worth = [step.points for step in item.points] or [answer.score for answer in item.answers]
    return min(worth), max(worth)


def test_an_instrument_cannot_be_changed():
    with pytest.raises(AttributeError):
        load("phq9").items[0].required = False


@pytest.mark.parametrize(
    ("name", "path", "value", "where"),
    [
        ("phq9", "items.3.type", "picture", "$.items[3].type"),
        ("phq9", "items.3.requred", False, "$.items[3]"),
        ("phq9", "items.0.answers.1.score", "1", "$.items[0].answers[1].score"),
        ("phq9", "items.0.answers.1.code", "LA6568-5", "$.items[0]"),
        ("phq9", "items.0.answers", [], "$.items[0]"),
        ("phq9", "items.1.linkId", "44250-9", "used twice: 44250-9"),
        ("phq9", "scoring.bands.1.from", 6, "$.scoring"),
        ("phq9", "scoring.items.0", "44250-0", "no such linkId: 44250-0"),
        ("phq9", "scoring.flags.0.items.0", "44260-0", "no such linkId: 44260-0"),
        ("phq9", "scoring.kind", "domains", "$.scoring"),
        ("lace", "items.2.answers.6.replaces.0", "sugar", "$.items[2]"),
        ("lace", "items.0.points.1.from", 0, "$.items[0]"),
        ("lace", "items.0.points.0.from", 1, "$.items[0]"),
        ("lace", "items.0.maximum", None, "$.items[0]"),
        ("audit_c", "items.0.skip_if", {"item": "68519-8", "answer": "LA15694-5"}, "no such earlier linkId: 68519-8"),
        ("hospital", "methods.simplified2017.omit.0", "718-7", "no such linkId: 718-7"),
        ("hospital", "methods.2016", {}, "a method has the name of the default"),
    ],
)
def test_a_bad_data_file_is_refused_by_name_and_path(name, path, value, where):
    broken = json.dumps(change(content(name), path, value)).encode()
    with pytest.raises(Invalid, match=f"^{name}.json: ") as refused:
        decode(f"{name}.json", broken, Instrument)
    assert where in refused.value.text


def test_a_data_file_that_is_not_json_is_refused_by_name():
    with pytest.raises(Invalid, match=r"^x\.json: "):
        decode("x.json", b"{", Instrument)
