"""`$validate`: structure, the rules of R4 that matter here, and what casebridge would not understand of it.

http://hl7.org/fhir/R4/resource-operation-validate.html. What was not checked is said, so that silence never passes for approval.
"""

from collections.abc import Iterator

from adapter.cases.registry import RECORDS
from adapter.errors import Invalid
from adapter.fhir.resource import Raw, check_structure, dumps
from adapter.mapping.registry import mapping_for
from server.fhir.messages import Answer
from server.fhir.operations import invariants
from server.fhir.operations.call import Call

_MODES = ("create", "update", "delete", "profile")


def run(call: Call) -> Answer:
    """An OperationOutcome with what is wrong; its last issue says what was not checked. 200, for the question itself was answered."""
    raw, mode = call.inputs.one("resource"), call.inputs.one("mode")
    if mode is not None and mode not in _MODES:
        raise Invalid(f"The mode is one of {', '.join(_MODES)}.", expression=["mode"])
    if raw is None and call.id is None:
        raise Invalid("$validate on a type needs the parameter resource.", expression=["resource"])
    if raw is None or mode == "delete":
        raw = call.repository.read(call.type, call.target).raw if call.id is not None else raw
    issues = list(_judged(call, raw, mode))
    return Answer(200, dumps({"resourceType": "OperationOutcome", "issue": [*issues, *_unchecked(call, raw, mode)]}))


def _judged(call: Call, raw: Raw, mode: str | None) -> Iterator[Raw]:
    if raw.get("resourceType") != call.type:
        yield _issue("error", "invalid", "The resource is not of the type that was asked.", ["resourceType"])
        return
    if mode == "update" and "id" not in raw:
        yield _issue("error", "required", "An update needs the id in the resource.", [f"{call.type}.id"])
    if mode == "update" and call.id is not None and raw.get("id", call.id) != call.id:
        yield _issue("error", "invalid", "The id in the resource is not the id in the URL.", [f"{call.type}.id"])
    try:
        check_structure(raw)
    except Invalid as error:
        yield _issue("error", "structure", error.text, error.expression)
        return
    for row, path in invariants.broken(raw):
        yield _issue("error", "invariant", f"{row.key}: {row.text}", [path])
    yield from _as_record(raw)


def _as_record(raw: Raw) -> Iterator[Raw]:
    """What casebridge keeps but could not work with: our code systems and extensions, and the rules of our records."""
    mapping = mapping_for(raw)
    if mapping is None:
        return
    found = mapping.extract(raw)
    for problem in found.problems:
        yield _issue("warning", "code-invalid" if found.understood else "extension", problem.reason, [f"{mapping.type}.{problem.path}"])
    if found.understood:
        for text in RECORDS[mapping.concept].of(found.fields).problems():
            yield _issue("warning", "business-rule", f"As a {mapping.concept} of casebridge, {text}", [])


def _unchecked(call: Call, raw: Raw, mode: str | None) -> Iterator[Raw]:
    meta = raw.get("meta")
    claimed = meta.get("profile", []) if isinstance(meta, dict) else []
    asked = [call.inputs.one("profile")] if call.inputs.one("profile") else []
    profiles = [*asked, *(claimed if isinstance(claimed, list) else [])]
    if profiles:
        yield _issue("warning", "not-supported", f"Not checked: {len(set(map(str, profiles)))} profile(s), asked for or claimed.", [])
    if mode == "delete":
        yield _issue("information", "informational", "Not checked: whether anything refers to the resource.", [])
    text = "Not checked: code systems of other publishers, narratives, the targets of references, and rules of R4 beyond "
    keys = [row.key for row in invariants.INVARIANTS if row.type == call.type]
    yield _issue("information", "informational", f"{text}{', '.join([*keys, invariants.PERIOD.key])}.", [])


def _issue(severity: str, code: str, text: str, expression: object) -> Raw:
    found: Raw = {"severity": severity, "code": code, "diagnostics": text}
    return {**found, "expression": list(expression)} if isinstance(expression, list | tuple) and expression else found
