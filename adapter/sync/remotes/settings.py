"""Settings as a table made from a dataclass's fields: their kinds, defaults and meaning; values read from text and files, and checked.

A value in text is `yes`/`no`, a number, a text, or a list with commas; one that starts with [ or { is read as TOML (https://toml.io).
"""

import ast
import inspect
import re
import textwrap
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, dataclass, fields
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from adapter.errors import Invalid

Check = Callable[[Any], str]
"""What a value must be, in words that follow "must", such as `be 1 to 1000`; empty where it is that."""

_WORDS = {"yes": True, "true": True, "on": True, "1": True, "no": False, "false": False, "off": False, "0": False}
_NUMBER = re.compile(r"[+-]?[0-9]{1,12}(\.[0-9]{1,12})?")
_KINDS = {bool: "yes or no", int: "a whole number", float: "a number", str: "a text"}


@dataclass(frozen=True)
class Setting:
    """One field: `default` is MISSING where it has none."""

    name: str
    type: Any
    default: Any

    @property
    def kind(self) -> str:
        """The kind of value, in words."""
        return _kind(self.type)


@lru_cache
def settings_of(owner: type) -> Mapping[str, Setting]:
    """The settings of a dataclass, by name, in the order of its fields."""
    hints = get_type_hints(owner)
    return {
        each.name: Setting(each.name, hints[each.name], each.default_factory() if each.default_factory is not MISSING else each.default)
        for each in fields(owner)
    }


def meanings(owner: type) -> dict[str, str]:
    """What each setting does, by name: the text below the field in the source, as one line."""
    body = ast.parse(textwrap.dedent(inspect.getsource(owner))).body[0]
    found, name = {}, ""
    for node in body.body if isinstance(body, ast.ClassDef) else ():
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and name:
            found[name] = " ".join(str(node.value.value).split())
        name = node.target.id if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) else ""
    return found


def typed(owner: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """Plain values, as TOML, JSON or the store gives them, as the fields have them. Raises Invalid naming the setting, never its value."""
    return {name: _as(_setting(owner, name).type, value, name) for name, value in values.items()}


def assigned(owner: type, assignments: Iterable[str], now: Mapping[str, Any]) -> dict[str, Any]:
    """The values that `name=value` texts set; `name.key=value` sets one key of a table, nothing after = returns to the default.

    `now` holds the values there are. Raises Invalid for a text that is none of these.
    """
    given: dict[str, Any] = {}
    for text in assignments:
        path, equals, value = text.partition("=")
        name, dot, key = path.strip().partition(".")
        if not equals:
            raise Invalid(f"A setting is written NAME=VALUE, such as page_size=100; {name or 'one'} has no =.", expression=[name])
        setting = _setting(owner, name)
        if dot:
            table = {**_table(setting, given.get(name, now.get(name, setting.default)))}
            table.pop(key, None)
            given[name] = {**table, key: _read(get_args(setting.type)[1], value, path)} if value else table
        else:
            given[name] = _read(setting.type, value, name) if value else _default(setting)
    return given


def read_file(owner: type, path: Path) -> dict[str, Any]:
    """The settings in a TOML file. Raises Invalid for one that is not TOML or holds what is no setting."""
    try:
        return typed(owner, tomllib.loads(path.read_text("utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        where = re.search(r"\(at (.*)\)$", str(error))
        raise Invalid(f"{path.name} is not TOML{f' at {where[1]}' if where else ''}.") from None


def require(checks: Mapping[str, Check], values: Mapping[str, Any]) -> None:
    """Raise Invalid for the first value that its check refuses."""
    for name, check in checks.items():
        if name in values and (must := check(values[name])):
            raise Invalid(f"The setting {name} must {must}.", expression=[name])


def between(low: float, high: float) -> Check:
    """A check that a number is in a range, its ends included."""
    return lambda value: "" if low <= value <= high else f"be {low} to {high}"


def one_of(*choices: str) -> Check:
    """A check that a text is one of these."""
    return lambda value: "" if value in choices else f"be one of {', '.join(choices)}"


def each_of(*choices: str) -> Check:
    """A check that every text of a list, or every value of a table, is one of these."""
    return lambda value: (
        "" if {*(value.values() if isinstance(value, Mapping) else value)} <= {*choices} else f"hold only {', '.join(choices)}"
    )


def shown(value: Any) -> str:
    """A value as a person reads it, and as `assigned` takes it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={shown(item)}" for key, item in value.items())
    return ", ".join(map(shown, value)) if isinstance(value, tuple | list) else "" if value is None else str(value)


def _setting(owner: type, name: str) -> Setting:
    known = settings_of(owner)
    if name not in known:
        near = get_close_matches(name, known, n=1)
        raise Invalid(f"There is no setting {name}{f'; is {near[0]} meant?' if near else '.'}", expression=[name])
    return known[name]


def _default(setting: Setting) -> Any:
    if setting.default is MISSING:
        raise Invalid(f"The setting {setting.name} has no default; give it a value.", expression=[setting.name])
    return setting.default


def _table(setting: Setting, now: Any) -> Mapping[str, Any]:
    if get_origin(setting.type) is not dict:
        raise Invalid(f"The setting {setting.name} is {setting.kind}, and has no keys.", expression=[setting.name])
    return now if isinstance(now, Mapping) else {}


def _read(hint: Any, text: str, name: str) -> Any:
    """The value that a text stands for."""
    if text.lstrip()[:1] in ("[", "{"):
        try:
            return _as(hint, tomllib.loads(f"value = {text}")["value"], name)
        except tomllib.TOMLDecodeError:
            raise Invalid(f"The value of {name} starts as TOML does and is not TOML.", expression=[name]) from None
    hint = _certain(hint)
    if get_origin(hint) is tuple:
        return tuple(_read(get_args(hint)[0], part.strip(), name) for part in text.split(",") if part.strip())
    if hint is bool and text.lower() in _WORDS:
        return _WORDS[text.lower()]
    if hint in (int, float) and _NUMBER.fullmatch(text) and (hint is float or "." not in text):
        return hint(text)
    return _as(hint, text, name)


def _as(hint: Any, value: Any, name: str) -> Any:
    """The value as its field has it."""
    if value is None and NoneType in get_args(hint):
        return None
    hint = _certain(hint)
    origin, inner = get_origin(hint) or hint, get_args(hint)
    if origin is tuple and isinstance(value, list | tuple):
        return tuple(_as(inner[0], item, name) for item in value)
    if origin is dict and isinstance(value, Mapping):
        return {str(key): _as(inner[1], item, name) for key, item in value.items()}
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if hint is Any or (hint in _KINDS and type(value) is hint):
        return value
    raise Invalid(f"The setting {name} must be {_kind(hint)}.", expression=[name])


def _certain(hint: Any) -> Any:
    """The type without its None."""
    if get_origin(hint) in (Union, UnionType):
        return next(kind for kind in get_args(hint) if kind is not NoneType)
    return hint


def _kind(hint: Any) -> str:
    hint = _certain(hint)
    plural = {tuple: "a list", dict: "a table"}.get(get_origin(hint))
    if plural:
        return f"{plural} of {_kind(get_args(hint)[-1 if plural == 'a table' else 0]).removeprefix('a ')}"
    return _KINDS.get(hint, "a value")
