"""`Questionnaire/$populate`: a response in progress with what is known already. http://hl7.org/fhir/uv/sdc/STU3/populate.html

By `initial` values and by `initialExpression`: FHIRPath that begins at a launch context, such as `%patient.birthDate`. What cannot be
answered so is left open and told in `issues`. The answers to Charlson, LACE and HOSPITAL are proposed from what was imported, and `issues`
tells from what; the context `encounter` is the stay they are about.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from adapter.care.proposal import Proposal
from adapter.clock import instant
from adapter.errors import CasebridgeError, Invalid
from adapter.fhir import references
from adapter.fhir.resource import Raw, check_structure
from adapter.store.search_parameters import table
from adapter.store.syntax import plain
from server.fhir import fhirpath
from server.fhir.messages import Answer
from server.fhir.operations import held, proposed
from server.fhir.operations.answered import SDC, extension
from server.fhir.operations.call import Call, parameters

_LAUNCH, _INITIAL = f"{SDC}/sdc-questionnaire-launchContext", f"{SDC}/sdc-questionnaire-initialExpression"


@dataclass
class _Known:
    """The resources by the names that expressions give them, and the questions that could not be answered."""

    resources: dict[str, Raw]
    proposal: Proposal | None = None
    left_open: list[str] = field(default_factory=list)
    wholes: dict[str, fhirpath.Whole] = field(default_factory=dict)
    """Those that paths were followed in: all paths of a form share the effort that they may take."""

    def whole(self, name: str) -> fhirpath.Whole:
        """The resource of this name. Raises Invalid for one whose elements are not known here."""
        if name not in self.wholes:
            self.wholes[name] = fhirpath.root(self.resources[name])
        return self.wholes[name]


def run(call: Call) -> Answer:
    """Parameters with the QuestionnaireResponse in `response`. Raises NotFound for a form or a resource that is not here."""
    questionnaire = _questionnaire(call)
    subject = call.inputs.one("subject")
    contexts = _contexts(call, questionnaire, subject)
    known = _Known(contexts, _proposal(call, questionnaire, contexts))
    response: Raw = {
        "resourceType": "QuestionnaireResponse",
        **({"questionnaire": _canonical(questionnaire)} if "url" in questionnaire else {}),
        "status": "in-progress",
        "subject": subject,
        "authored": instant(call.repository.clock()),
    }
    found = _items(questionnaire, known)
    response |= {"item": found} if found else {}
    told = [*_open(known.left_open), *(proposed.issues(known.proposal) if known.proposal else ())]
    outcome = [("issues", "resource", {"resourceType": "OperationOutcome", "issue": told})] if told else []
    return parameters(("response", "resource", response), *outcome)


def _open(left_open: list[str]) -> list[Raw]:
    text = "These questions say how they are answered in a way that is not served here, or that finds no answer of their type."
    return [{"severity": "warning", "code": "not-supported", "diagnostics": text, "expression": left_open}] if left_open else []


def _proposal(call: Call, questionnaire: Raw, contexts: dict[str, Raw]) -> Proposal | None:
    patient, stay = contexts.get("patient"), contexts.get("encounter")
    if patient is None:
        return None
    about = f"Encounter/{stay['id']}" if stay else None
    return proposed.answers(call.repository, questionnaire, f"Patient/{patient['id']}", about)


def _questionnaire(call: Call) -> Raw:
    inputs = call.inputs
    if call.id is not None:
        return call.repository.read("Questionnaire", call.id).raw
    if inputs.one("questionnaire"):
        check_structure(inputs.one("questionnaire"))
        given: Raw = inputs.one("questionnaire")
        return given
    if inputs.one("questionnaireRef"):
        return _read(call, "questionnaireRef", inputs.one("questionnaireRef"))
    if inputs.one("canonical"):
        return held.get(call.repository, "Questionnaire", inputs.one("canonical"))
    raise Invalid("$populate needs questionnaire, questionnaireRef or canonical.", expression=["questionnaire"])


def _contexts(call: Call, questionnaire: Raw, subject: Raw) -> dict[str, Raw]:
    """By name: what `context` gives, and for a patient whom the form wants and nobody gives, the subject."""
    found = {}
    for given in call.inputs.all("context"):
        content = given.one("content")
        if given.one("name") and content:
            found[given.one("name")] = _read(call, "context", content)
    about = _read(call, "subject", subject)
    for launch in questionnaire.get("extension", ()):
        if launch.get("url") == _LAUNCH:
            name = extension(launch, "name")
            name = name.get("code") if isinstance(name, dict) else name
            if name not in found and extension(launch, "type") == about["resourceType"]:
                found[name] = about
    return {"patient": about, **found} if about["resourceType"] == "Patient" else found


def _read(call: Call, name: str, reference: Raw) -> Raw:
    literal = references.split(str(reference.get("reference", "")).removeprefix(f"{call.request.base}/"))
    if literal is None or literal[0] not in table():
        raise Invalid(f"The parameter {name} is a reference to a resource here, such as Patient/1.", expression=[name])
    return call.repository.read(literal[0], literal[1]).raw


def _items(node: Raw, known: _Known) -> list[Raw]:
    found = []
    for item in node.get("item", ()):
        if "linkId" not in item or item.get("type") == "display":
            continue
        answers, below = _answers(item, known), _items(item, known)
        made: Raw = {"linkId": item["linkId"], **({"text": item["text"]} if "text" in item else {})}
        if item.get("type") == "group":
            found.append({**made, **({"item": below} if below else {})})
        elif answers:
            # What is below a question is below each of its answers: http://hl7.org/fhir/R4/questionnaireresponse.html#notes
            found.append({**made, "answer": [{**answer, **({"item": below} if below else {})} for answer in answers]})
        else:
            found.append(made)
    return found


def _answers(item: Raw, known: _Known) -> list[Raw]:
    if known.proposal and (given := proposed.written(known.proposal, item)):
        return given
    expression = extension(item, _INITIAL)
    if expression is None:
        return [dict(initial) for initial in item.get("initial", ())]
    answers: list[Raw] = []
    try:
        values = _evaluated(expression, known)
        answers = [answer for value in values if (answer := _answer(item, value))]
    except CasebridgeError:
        values = [None]
    if values and not answers:
        known.left_open.append(f"Questionnaire.item.where(linkId = '{plain(item['linkId'])}')")
    return answers if item.get("repeats") else answers[:1]


def _evaluated(expression: Any, known: _Known) -> list[Any]:
    if not isinstance(expression, dict) or expression.get("language") != "text/fhirpath":
        raise Invalid("Only FHIRPath is served.")
    name, _, path = str(expression.get("expression", "")).strip().removeprefix("%").partition(".")
    if name not in known.resources:
        raise Invalid("The expression begins at no context that was given.")
    return [node.value for node in fhirpath.parse(path).nodes(known.whole(name))] if path else [known.resources[name]]


def _answer(item: Raw, value: Any) -> Raw | None:
    """The answer of the item's type that a value makes, None where it makes none."""
    key, convert = _TYPES.get(item.get("type", ""), ("", lambda _item, _value: None))
    made = convert(item, value)
    return None if made is None else {key: made}


def _plain(kind: type | tuple[type, ...]) -> Callable[[Raw, Any], Any]:
    def convert(_item: Raw, value: Any) -> Any:
        fits = isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
        return value if fits else None

    return convert


def _date(_item: Raw, value: Any) -> str | None:
    return value[:10] if isinstance(value, str) else None


def _coding(item: Raw, value: Any) -> Raw | None:
    if isinstance(value, dict):
        return value if "code" in value else next(iter(value.get("coding", ())), None)
    if not isinstance(value, str):
        return None
    options = [option["valueCoding"] for option in item.get("answerOption", ()) if "valueCoding" in option]
    return next((option for option in options if option.get("code") == value), {"code": value})


def _referred(_item: Raw, value: Any) -> Raw | None:
    if not isinstance(value, dict):
        return None
    if "resourceType" in value:
        return {"reference": f"{value['resourceType']}/{value['id']}"}
    return value if "reference" in value or "identifier" in value else None


def _number(_item: Raw, value: Any) -> Any:
    return None if isinstance(value, bool | str | dict | list) else value


def _quantity(_item: Raw, value: Any) -> Raw | None:
    return value if isinstance(value, dict) and "value" in value else None


_TYPES: dict[str, tuple[str, Callable[[Raw, Any], Any]]] = {
    "boolean": ("valueBoolean", _plain(bool)),
    "choice": ("valueCoding", _coding),
    "date": ("valueDate", _date),
    "dateTime": ("valueDateTime", _plain(str)),
    "decimal": ("valueDecimal", _number),
    "integer": ("valueInteger", _plain(int)),
    "open-choice": ("valueCoding", _coding),
    "quantity": ("valueQuantity", _quantity),
    "reference": ("valueReference", _referred),
    "string": ("valueString", _plain(str)),
    "text": ("valueString", _plain(str)),
    "time": ("valueTime", _plain(str)),
    "url": ("valueUri", _plain(str)),
}


def _canonical(questionnaire: Raw) -> str:
    return f"{questionnaire['url']}|{questionnaire['version']}" if "version" in questionnaire else str(questionnaire["url"])
