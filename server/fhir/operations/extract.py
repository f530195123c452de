"""`QuestionnaireResponse/$extract`: http://hl7.org/fhir/uv/sdc/STU3/extraction.html, by observation and by definition.

The answer is a transaction that the caller posts. Each extracted resource has an id made from the response's and the question's, so the
extract of an amended response updates what the first one made, and takes away what it no longer says. The scores of our own instruments
are extracted too, under the ids they have here.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from adapter.config import CS
from adapter.errors import Invalid, RuleViolated
from adapter.fhir.resource import Raw, check_structure, dumps
from adapter.mapping.derived import derived
from adapter.mapping.registry import mapping_for
from adapter.store.syntax import plain
from server.fhir.messages import Answer
from server.fhir.operations import definitional, held
from server.fhir.operations.answered import Question, every, questions, slot, value
from server.fhir.operations.call import Call, parameters

_STATUS = {"completed": "final", "amended": "amended"}
_TAG = {"system": f"{CS}/tag", "code": "extracted"}
_UNIT = (("unit", "display"), ("system", "system"), ("code", "code"))
_SLOTS = 50
"""How many answers to one question are looked for when an amended response has fewer."""
# What an Observation's value may be of what an answer may be: http://hl7.org/fhir/R4/observation-definitions.html#Observation.value_x_
_AS_THEY_ARE = ("Boolean", "DateTime", "Quantity", "String", "Time")


def run(call: Call) -> Answer:
    """The transaction Bundle, with an OperationOutcome beside it where an answer could not be extracted.

    Raises RuleViolated for a response that is not complete, NotFound where its Questionnaire is not held here.
    """
    raw = call.inputs.one("questionnaire-response") if call.id is None else call.repository.read(call.type, call.id).raw
    if raw is None or raw.get("resourceType") != "QuestionnaireResponse":
        raise Invalid(
            "$extract needs the parameter questionnaire-response, a QuestionnaireResponse.", expression=["questionnaire-response"]
        )
    check_structure(raw)
    if "id" not in raw or "questionnaire" not in raw:
        raise Invalid("$extract needs a response with its id and the url of its Questionnaire.", expression=["QuestionnaireResponse.id"])
    if raw["status"] not in _STATUS:
        raise RuleViolated("Only a completed or amended response is extracted.", code="response-not-complete")
    questionnaire = held.get(call.repository, "Questionnaire", raw["questionnaire"])
    asked = questions(questionnaire)
    left_out: list[str] = []
    made = [*_observations(raw, asked, left_out), *definitional.extracted(raw, questionnaire, asked), *_scores(raw)]
    for resource in made:
        _check(resource)
    gone = _gone(call, made, _slots(raw["id"], questionnaire, asked))
    entries = [_put(call.request.base, resource) for resource in made]
    entries += [{"request": {"method": "DELETE", "url": reference}} for reference in gone]
    bundle = {"resourceType": "Bundle", "type": "transaction", **({"entry": entries} if entries else {})}
    if not left_out:
        return Answer(200, dumps(bundle))
    issue = {"severity": "warning", "code": "not-supported", "diagnostics": "An Observation cannot have the type of these answers."}
    outcome = {"resourceType": "OperationOutcome", "issue": [{**issue, "expression": left_out}]}
    return parameters(("return", "resource", bundle), ("issues", "resource", outcome))


def _observations(raw: Raw, asked: dict[str, Question], left_out: list[str]) -> Iterator[Raw]:
    counts: Counter[str] = Counter()
    for item in every(raw):
        link_id = str(item.get("linkId"))
        question = asked.get(link_id)
        if question is None or not question.observed or "code" not in question.raw:
            continue
        for answer in item.get("answer", ()):
            found = value(answer)
            if found is None:
                continue
            number, counts[link_id] = counts[link_id], counts[link_id] + 1
            said = _value(question, *found)
            if said is None:
                left_out.append(f"QuestionnaireResponse.item.where(linkId = '{plain(link_id)}')")
            else:
                yield _observation(raw, question, slot(raw["id"], "Observation", link_id, number), said)


def _value(question: Question, type: str, held: Any) -> Raw | None:
    if type in ("Decimal", "Integer") and (question.unit or type == "Decimal"):
        unit = {ours: question.unit[theirs] for ours, theirs in _UNIT if question.unit and theirs in question.unit}
        return {"valueQuantity": {"value": held, **unit}}
    if type == "Coding":
        return {"valueCodeableConcept": {"coding": [held]}}
    renamed = {"Integer": "Integer", "Date": "DateTime", "Uri": "String"}.get(type, type if type in _AS_THEY_ARE else None)
    return {f"value{renamed}": held} if renamed else None


def _observation(raw: Raw, question: Question, id: str, said: Raw) -> Raw:
    near: Raw = {name: raw[name] for name in ("subject", "encounter") if name in raw}
    when = {"effectiveDateTime": raw["authored"]} if "authored" in raw else {}
    return {
        "resourceType": "Observation",
        "id": id,
        "meta": {"tag": [dict(_TAG)]},
        "status": _STATUS[raw["status"]],
        **({"category": [*question.categories]} if question.categories else {}),
        "code": {"coding": question.raw["code"], **({"text": question.raw["text"]} if "text" in question.raw else {})},
        **near,
        **when,
        **({"performer": [raw["author"]]} if "author" in raw else {}),
        **said,
        "derivedFrom": [{"reference": f"QuestionnaireResponse/{raw['id']}"}],
    }


def _scores(raw: Raw) -> list[Raw]:
    mapping = mapping_for(raw)
    if mapping is None:
        return []
    return derived(mapping.concept, raw["id"], mapping.type, mapping.extract(raw).fields)


def _slots(response: str, questionnaire: Raw, asked: dict[str, Question]) -> Iterator[tuple[str, str]]:
    """(type, id) of all that an extract of this response can have made before."""
    # A question in a group that repeats is answered several times, too.
    repeats = any(question.raw.get("repeats") for question in asked.values())
    for link_id, question in asked.items():
        if question.observed and "code" in question.raw:
            yield from (("Observation", slot(response, "Observation", link_id, number)) for number in range(_SLOTS if repeats else 1))
    for link_id, type in definitional.contexts(questionnaire, asked):
        yield from ((type, slot(response, type, link_id, number)) for number in range(_SLOTS))


def _gone(call: Call, made: list[Raw], slots: Iterator[tuple[str, str]]) -> list[str]:
    now = {(raw["resourceType"], raw["id"]) for raw in made}
    by_type: dict[str, list[str]] = {}
    for type, id in slots:
        if (type, id) not in now:
            by_type.setdefault(type, []).append(id)
    return [f"{row.type}/{row.id}" for type, ids in by_type.items() for row in call.repository.rows(type, ids)]


def _check(resource: Raw) -> None:
    try:
        check_structure(resource)
    except Invalid as error:
        text = f"The Questionnaire does not say all that a {resource['resourceType']} needs, or says it wrongly."
        raise RuleViolated(text, code="extract-not-whole", expression=error.expression) from None


def _put(base: str, resource: Raw) -> Raw:
    url = f"{resource['resourceType']}/{resource['id']}"
    return {"fullUrl": f"{base}/{url}", "resource": resource, "request": {"method": "PUT", "url": url}}
