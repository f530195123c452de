"""Care knowledge as typed, frozen data: the base class of what is in a data file, step tables, and the reader."""

from collections.abc import Sequence
from decimal import Decimal
from importlib import resources
from typing import TypeVar

import msgspec

from adapter.errors import Invalid

Number = int | Decimal


class Data(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An object of a data file; a field that its class does not name is an error, so a typing slip cannot pass as a default."""


class Step(Data, frozen=True, kw_only=True):
    """From this value on, up to the next step, these points."""

    low: int = msgspec.field(name="from")
    points: int


def points_at(steps: Sequence[Step], value: Number) -> int:
    """The points of the last step that starts at or below `value`, which is not below the first step."""
    return next(step.points for step in reversed(steps) if step.low <= value)


def check_ascending(steps: Sequence[Step]) -> None:
    """Raise ValueError unless the steps start higher and higher."""
    starts = [step.low for step in steps]
    if starts != sorted(set(starts)):
        raise ValueError("the steps do not start higher and higher")


Content = TypeVar("Content", bound=Data)


def names(package: str) -> tuple[str, ...]:
    """The names, without `.json`, of the data files in `package`, in alphabetical order."""
    files = (entry.name for entry in resources.files(package).iterdir())
    return tuple(sorted(name.removesuffix(".json") for name in files if name.endswith(".json")))


def read(package: str, name: str, kind: type[Content]) -> Content:
    """The content of `<name>.json` in `package`, checked. Raises Invalid as `decode` does."""
    return decode(f"{name}.json", resources.files(package).joinpath(f"{name}.json").read_bytes(), kind)


def decode(file: str, content: bytes, kind: type[Content]) -> Content:
    """`content` as a `kind`. Raises Invalid, its text naming `file` and the path in it, such as `$.items[3].answers`."""
    try:
        return msgspec.json.decode(content, type=kind)
    except msgspec.DecodeError as error:
        raise Invalid(f"{file}: {error}") from None
