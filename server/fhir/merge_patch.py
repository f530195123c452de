"""JSON Merge Patch: the elements that change, as they are to be; null takes one away. http://www.rfc-editor.org/rfc/rfc7396"""

from collections.abc import Callable
from typing import Any

from adapter.errors import Invalid
from adapter.fhir.resource import Raw, copy


def change(patch: Any) -> Callable[[Raw], Raw]:
    """The function that makes the patched copy of a resource. Raises Invalid for what is no object."""
    if not isinstance(patch, dict):
        raise Invalid("A JSON Merge Patch is an object.")
    return lambda raw: _merged(raw, patch)


def _merged(old: Any, patch: Raw) -> Raw:
    merged = copy(old) if isinstance(old, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = _merged(merged.get(name), value) if isinstance(value, dict) else copy(value)
    return merged
