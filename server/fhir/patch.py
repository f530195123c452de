"""A patch as a function from a resource to its changed copy, whichever way it is written. http://hl7.org/fhir/R4/http.html#patch"""

import base64
import binascii
from collections.abc import Callable
from typing import Any

from adapter.errors import Invalid, UnsupportedMedia
from adapter.fhir.resource import Raw, decode, parse
from server.fhir import fhirpath_patch, headers, json_patch, merge_patch
from server.fhir.messages import Request
from server.fhir.sizes import check_depth

_CHANGES = {"application/json-patch+json": json_patch.change, "application/merge-patch+json": merge_patch.change}
FORMATS = (*_CHANGES, headers.FHIR_JSON)


def of(request: Request) -> Callable[[Raw], Raw]:
    """The change that a PATCH asks for: a JSON Patch or Merge Patch (in a Bundle, in a Binary), or a FHIRPath Patch in Parameters.

    Raises UnsupportedMedia for any other format, Invalid for what is no patch.
    """
    if isinstance(request.body, bytes):
        kind = headers.content_kind(request)
        if kind in _CHANGES:
            return _CHANGES[kind](_decoded(request.body))
        headers.check_content(request, *_CHANGES)
        # fhirpy sends the elements to change, and calls them plain JSON.
        if kind == "application/json" and (elements := parse(request.body)).get("resourceType") != "Parameters":
            check_depth(elements)
            return merge_patch.change(elements)
    raw = request.resource()
    if raw.get("resourceType") == "Binary" and not isinstance(request.body, bytes):
        return _packed(raw)
    if raw.get("resourceType") != "Parameters":
        raise Invalid(f"A patch is Parameters with a FHIRPath Patch, {' or '.join(_CHANGES)}.")
    return fhirpath_patch.change(raw)


def _packed(binary: Raw) -> Callable[[Raw], Raw]:
    kind = str(binary.get("contentType"))
    if kind not in _CHANGES:
        raise UnsupportedMedia(f"A Binary for a patch holds {' or '.join(_CHANGES)}.")
    try:
        data = base64.b64decode(binary.get("data") or "", validate=True)
    except (binascii.Error, ValueError, TypeError):
        raise Invalid("The data of the Binary is not base64.", expression=["Binary.data"]) from None
    return _CHANGES[kind](_decoded(data))


def _decoded(text: bytes) -> Any:
    value = decode(text)
    check_depth(value)
    return value
