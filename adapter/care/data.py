"""Care knowledge as typed, frozen data: the base class of what is in a data file, step tables, and where and how the files are read.

The files of the package are in the folders beside this module; a site's own in folders of the same names under `CASEBRIDGE_CARE`.
"""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar, cast

import msgspec

from adapter.config import care_folder
from adapter.errors import Invalid

Number = int | Decimal

_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_BYTE = re.compile(r" \(byte (\d+)\)$")


class Data(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An object of a data file; a field that its class does not name is an error, so a typing slip cannot pass as a default."""


class Named(Data, frozen=True, kw_only=True):
    """The content of a file that is named by its id."""

    id: str


class Coding(Data, frozen=True, kw_only=True):
    """A code with its system's url and its name."""

    system: str
    code: str
    display: str


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


Content = TypeVar("Content", bound=msgspec.Struct)


def names(folder: str) -> tuple[str, ...]:
    """The names, without `.json`, of the data files in `folder`, the site's among them, in alphabetical order.

    Raises Invalid for a file of the site's whose name is no name of ours, or the package's own.
    """
    return tuple(_files(folder, care_folder()))


def read(folder: str, name: str, kind: type[Content]) -> Content:
    """The content of the data file, checked. Raises Invalid as `decode` does, and where the file is named by another id than its own."""
    return cast(Content, _read(folder, name, kind, care_folder()))


def content(folder: str, name: str) -> bytes:
    """The data file as it stands."""
    return _files(folder, care_folder())[name].read_bytes()


def decode(file: str, content: bytes, kind: type[Content]) -> Content:
    """`content` as a `kind`. Raises Invalid, its text naming `file` and the path in it, such as `$.items[3].answers`, or the line."""
    try:
        return msgspec.json.decode(content, type=kind)
    except msgspec.DecodeError as error:
        raise Invalid(f"{file}: {_with_line(str(error), content)}") from None


@cache
def _read(folder: str, name: str, kind: type[msgspec.Struct], site: Path | None) -> msgspec.Struct:
    found = decode(f"{name}.json", _files(folder, site)[name].read_bytes(), kind)
    if isinstance(found, Named) and found.id != name:
        raise Invalid(f"{name}.json: a file is named by the id in it - at `$.id`")
    return found


@cache
def _files(folder: str, site: Path | None) -> Mapping[str, Traversable]:
    """By name. What is in a folder is looked at once in a process: a site's file counts from the next start on."""
    ours = _json(resources.files("adapter.care").joinpath(folder))
    theirs = _json(site / folder) if site and (site / folder).is_dir() else {}
    for name in theirs:
        if not _NAME.fullmatch(name):
            raise Invalid(f"{folder}/{name}.json: a name is small letters and digits, words joined by _, such as my_model.json.")
        if name in ours:
            raise Invalid(f"{folder}/{name}.json: casebridge has a file of this name; give yours another.")
    return MappingProxyType(dict(sorted((ours | theirs).items())))


def _json(place: Traversable) -> dict[str, Traversable]:
    return {entry.name.removesuffix(".json"): entry for entry in place.iterdir() if entry.name.endswith(".json")}


def _with_line(text: str, content: bytes) -> str:
    """The text with the line instead of the byte."""
    found = _BYTE.search(text)
    if found is None:
        return text
    line = content.count(b"\n", 0, int(found[1])) + 1
    return f"{text[: found.start()]} - at line {line}"
