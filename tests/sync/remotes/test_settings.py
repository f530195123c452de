"""Settings made from a dataclass: every kind of field is read from text, TOML and the store, checked, and shown."""

from dataclasses import dataclass, field

import pytest

from adapter.errors import Invalid
from adapter.sync.remotes.settings import assigned, between, each_of, meanings, one_of, read_file, require, settings_of, shown, typed


@dataclass(frozen=True)
class Boat:
    """Something with a setting of each kind."""

    name: str
    """What is
    painted on it."""
    sails: int = 2
    draught: float = 1.5
    motor: bool = False
    ports: tuple[str, ...] = ()
    owners: dict[str, str] = field(default_factory=dict)
    crew: dict[str, tuple[str, ...]] = field(default_factory=dict)
    berth: str | None = None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("name=Fie", "Fie"),
        ("sails=3", 3),
        ("sails=", 2),
        ("draught=2", 2.0),
        ("draught=0.75", 0.75),
        ("motor=yes", True),
        ("motor=off", False),
        ("ports=Oslo, Moss", ("Oslo", "Moss")),
        ('ports=["a,b", "c"]', ("a,b", "c")),
        ("ports=", ()),
        ("owners.Hull.plank=us", {"mast": "them", "Hull.plank": "us"}),
        ("owners.mast=", {}),
        ('owners={keel = "us"}', {"keel": "us"}),
        ("crew.watch=a,b", {"watch": ("a", "b")}),
        ("berth=7", "7"),
        ("berth=", None),
    ],
)
def test_a_text_becomes_the_kind_of_value_that_the_field_has(text, value):
    name = text.partition("=")[0].partition(".")[0]
    assert assigned(Boat, [text], {"owners": {"mast": "them"}}) == {name: value}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("sail=3", "is sails meant"),
        ("sails", "NAME=VALUE"),
        ("name=", "no default"),
        ("sails=many", "a whole number"),
        ("sails=1.5", "a whole number"),
        ("motor=2", "yes or no"),
        ("draught=deep", "a number"),
        ("ports.first=Oslo", "no keys"),
        ("ports=[", "not TOML"),
        ("ports=[1]", "a text"),
        ("owners=us", "a table of text"),
    ],
)
def test_a_text_that_is_no_setting_is_refused_by_name_and_without_its_value(text, told):
    with pytest.raises(Invalid, match=told) as refused:
        assigned(Boat, [text], {})
    assert "many" not in refused.value.text
    assert "deep" not in refused.value.text


def test_several_keys_of_a_table_are_set_one_by_one():
    assert assigned(Boat, ["owners.a=us", "owners.b=them"], {}) == {"owners": {"a": "us", "b": "them"}}


def test_what_the_store_gives_back_is_what_was_kept():
    kept = {"ports": ["Oslo"], "draught": 2, "crew": {"watch": ["a"]}, "berth": None, "motor": True}
    assert Boat("Fie", **typed(Boat, kept)) == Boat("Fie", draught=2.0, motor=True, ports=("Oslo",), crew={"watch": ("a",)})


@pytest.mark.parametrize("values", [{"sails": True}, {"sails": "3"}, {"motor": 1}, {"owners": ["a"]}, {"name": None}, {"ports": "Oslo"}])
def test_a_value_of_another_kind_is_refused(values):
    with pytest.raises(Invalid):
        typed(Boat, values)


def test_a_file_of_settings_is_toml(tmp_path):
    file = tmp_path / "boat.toml"
    file.write_text('sails = 3\nports = ["Oslo"]\n[owners]\n"Hull.plank" = "us"\n')
    assert read_file(Boat, file) == {"sails": 3, "ports": ("Oslo",), "owners": {"Hull.plank": "us"}}
    file.write_text("sails = = 3")
    with pytest.raises(Invalid, match="boat.toml is not TOML at line 1, column 9"):
        read_file(Boat, file)


@pytest.mark.parametrize(
    ("check", "good", "bad"),
    [
        (between(1, 3), 3, 4),
        (one_of("a", "b"), "a", "c"),
        (each_of("a"), ("a",), ("a", "c")),
        (each_of("a"), {"key": "a"}, {"a": "c"}),
    ],
)
def test_a_check_refuses_what_it_does_not_allow(check, good, bad):
    require({"it": check}, {"it": good})
    require({"it": check}, {})
    with pytest.raises(Invalid, match="The setting it must"):
        require({"it": check}, {"it": bad})


def test_the_table_of_settings_is_that_of_the_fields():
    table = settings_of(Boat)
    assert list(table) == ["name", "sails", "draught", "motor", "ports", "owners", "crew", "berth"]
    assert (table["sails"].default, table["ports"].kind, table["crew"].kind) == (2, "a list of text", "a table of list of text")
    assert meanings(Boat) == {"name": "What is painted on it."}


def test_a_value_is_shown_as_it_can_be_set():
    assert [shown(value) for value in (True, 2.0, 0.75, ("a", "b"), {"k": "v"}, None)] == ["yes", "2", "0.75", "a, b", "k=v", ""]
