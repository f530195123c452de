"""A patch as a function from a resource to its changed copy, whichever way it is written. http://hl7.org/fhir/R4/http.html#patch"""

import base64
import binascii
from collections.abc import Callable

from adapter.errors import Invalid, UnsupportedMedia
from adapter.fhir.resource import Raw, decode
from server.fhir import fhirpath_patch, headers, json_patch
from server.fhir.messages import Request

JSON_PATCH = "application/json-patch+json"
FORMATS = (JSON_PATCH, headers.FHIR_JSON)


def of(request: Request) -> Callable[[Raw], Raw]:
    """The change that a PATCH asks for: a JSON Patch, a FHIRPath Patch in Parameters, or, in a Bundle, a Binary with a JSON Patch.

    Raises UnsupportedMedia for any other format, Invalid for what is no patch.
    """
    if isinstance(request.body, bytes) and headers.content_kind(request) == JSON_PATCH:
        return json_patch.change(decode(request.body))
    headers.check_content(request, JSON_PATCH)
    raw = request.resource()
    if raw.get("resourceType") == "Binary" and not isinstance(request.body, bytes):
        return json_patch.change(decode(_unpacked(raw)))
    if raw.get("resourceType") != "Parameters":
        raise Invalid(f"A patch is Parameters with a FHIRPath Patch, or {JSON_PATCH}.")
    return fhirpath_patch.change(raw)


def _unpacked(binary: Raw) -> bytes:
    if binary.get("contentType") != JSON_PATCH:
        raise UnsupportedMedia(f"A Binary for a patch holds {JSON_PATCH}.")
    try:
        return base64.b64decode(binary.get("data") or "", validate=True)
    except (binascii.Error, ValueError, TypeError):
        raise Invalid("The data of the Binary is not base64.", expression=["Binary.data"]) from None
