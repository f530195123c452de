"""A resource as JSON text and as a plain dict: parse, serialise, compare, hash, check its structure.

Decimals keep their digits (`1.50` stays `1.50`) because FHIR counts precision as meaning: http://hl7.org/fhir/R4/datatypes.html#decimal
"""

import hashlib
import importlib
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from adapter.errors import Invalid

Raw = dict[str, Any]
"""A resource, or part of one, as received: strings, ints, Decimals, bools, None, lists and dicts."""

_decoder = msgspec.json.Decoder(float_hook=Decimal)
_encoder = msgspec.json.Encoder(decimal_format="number")
_sorted_encoder = msgspec.json.Encoder(decimal_format="number", order="deterministic")

# What a server owns and changes on every write: never content.
SERVER_META = ("versionId", "lastUpdated", "source")
# Of these R4B has other definitions than R4: http://hl7.org/fhir/R4B/diff.html
UNLIKE_R4 = frozenset({"Evidence", "EvidenceVariable"})


def decode(text: str | bytes) -> Any:
    """The JSON value in `text`, decimals kept. Raises Invalid with the position, never the content."""
    try:
        return _decoder.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        reason = str(error) if isinstance(error, msgspec.DecodeError) else "it is nested too deep or is not UTF-8"
        raise Invalid(f"The text is not JSON: {reason}") from None


def parse(text: str | bytes) -> Raw:
    """The JSON object in `text`, decimals kept. Raises Invalid."""
    value = decode(text)
    if not isinstance(value, dict):
        raise Invalid("The text is JSON but not an object; a resource is an object with a resourceType.")
    return value


def parse_resource(text: str | bytes) -> Raw:
    """Like `parse`, and the object says which resource type it is."""
    raw = parse(text)
    resource_type(raw)
    return raw


def resource_type(raw: Raw) -> str:
    """The resource's type. Raises Invalid where there is none or it cannot be a type's name."""
    name = raw.get("resourceType")
    if not isinstance(name, str) or not name.isascii() or not name.isalpha() or not name[0].isupper():
        raise Invalid("There is no resourceType, or it is not the name of a type.", expression=["resourceType"])
    return name


def dumps(raw: Any) -> str:
    """The value as compact JSON text, keys in the order they have."""
    return _encoder.encode(raw).decode()


def laid_out(text: str) -> str:
    """JSON text with an indent of two, for people to read; its numbers and strings stay as they are written."""
    return msgspec.json.format(text, indent=2)


def copy(value: Any) -> Any:
    """A deep copy of JSON data; several times faster than copy.deepcopy because JSON has no cycles and few types."""
    if isinstance(value, dict):
        return {key: copy(item) for key, item in value.items()}
    if isinstance(value, list):
        return [copy(item) for item in value]
    return value


def has_tag(raw: Raw, tag: Mapping[str, str]) -> bool:
    """Whether the resource carries this tag, by system and code."""
    tags = (raw.get("meta") or {}).get("tag") or ()
    return any(each.get("system") == tag["system"] and each.get("code") == tag["code"] for each in tags)


def content(raw: Raw) -> Raw:
    """The resource without what its server owns: id, meta.versionId, meta.lastUpdated, meta.source and a generated narrative."""
    body = {key: value for key, value in raw.items() if key not in ("id", "meta")}
    text = body.get("text")
    if isinstance(text, dict) and text.get("status") == "generated":
        del body["text"]
    meta = {key: value for key, value in (raw.get("meta") or {}).items() if key not in SERVER_META}
    if meta:
        body["meta"] = meta
    return body


def content_hash(raw: Raw) -> str:
    """A hash of `content`, the same for any order of keys."""
    return hashlib.sha256(_sorted_encoder.encode(content(raw))).hexdigest()[:32]


def version_of(raw: Raw) -> str:
    """The version of a resource as a server told it; the hash of what it says where that has no versions."""
    return str((raw.get("meta") or {}).get("versionId") or content_hash(raw))


def same(left: Any, right: Any) -> bool:
    """Whether two JSON values mean the same: any order of keys, 1.0 is not 1.00, and one moment may be written in two ways."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(value, right[key]) for key, value in left.items())
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, str) and isinstance(right, str):
        return left == right or (len(left) > 15 and _moment(left) is not None and _moment(left) == _moment(right))
    if isinstance(left, Decimal) or isinstance(right, Decimal):
        return not isinstance(left, bool | str) and not isinstance(right, bool | str) and str(left) == str(right)
    return type(left) is type(right) and bool(left == right)


def _moment(text: str) -> datetime | None:
    if text[4:5] != "-" or text[10:11] != "T":
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def check_structure(raw: Raw) -> None:
    """Raise Invalid, naming element paths only, unless the resource has the structure of its R4 type.

    fhir.resources has R4B models, not R4; they agree on every type that casebridge maps. A type without a model of R4 is not checked.
    """
    name = resource_type(raw)
    if name in UNLIKE_R4:
        return
    try:
        module = importlib.import_module(f"fhir.resources.R4B.{name.lower()}")
    except ModuleNotFoundError:
        return
    try:
        getattr(module, name).model_validate(raw)
    except RecursionError:
        raise Invalid(f"Not a valid {name}: it is nested too deep.", expression=[name]) from None
    except (AttributeError, KeyError, TypeError):
        # fhir.resources 8.3 falls over a contained resource that is no object or says no type.
        raise Invalid(f"Not a valid {name}: an element is of another kind than it must be.", expression=[name]) from None
    except ValueError as error:
        # str() of a pydantic error prints the input; its paths and kinds do not.
        found = error.errors(include_input=False, include_url=False, include_context=False)  # type: ignore[attr-defined]
        paths = [".".join([name, *(str(step) for step in item["loc"])]) for item in found]
        kinds = sorted({str(item["type"]) for item in found})
        raise Invalid(f"Not a valid {name}: {', '.join(kinds)} at {', '.join(paths[:5])}", expression=paths) from None
