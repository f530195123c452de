"""What follows from an insurer's answers, and from the days that pass: a pure function of a case's records, the same whoever looks.

An authorisation that is asked for is a record of ours, which waits. The insurer's response to the request may be another resource, which
stays as its sender wrote it; what it says is taken over into ours, once. What cannot be taken over is left to a person (`unsettled`).
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from adapter.cases.consequences import Effect
from adapter.cases.facts import Facts, day, moment
from adapter.cases.insurance import OVER, demanded, lines, named_in, record_for, working
from adapter.cases.record import Fields

DECIDED = ("approved", "denied")
_SAID = ("number", "validity", "denial_reason", "decided_at")
"""What an answer says beside its status."""
OPEN = ("draft", "requested", "received", "accepted", "ready", "in_progress", "on_hold")
"""The statuses of a task that somebody still has to do."""
_MEANS = {"appealed": "denied", "expired": "approved"}
_APPEALS = {
    "approved": ("cancelled", "completed", "completed", "The denial was overturned."),
    "denied": ("denied", "completed", "completed", "The denial was upheld."),
    "cancelled": ("denied", "stopped", "cancelled", "The appeal was withdrawn."),
}
"""By what became of an appeal's authorisation: the status of the denial, of the advocacy and of its task; and the result in words.

A denial that was overturned is cancelled, which R4 says of what is "withdrawn, rescinded or reversed": http://hl7.org/fhir/R4/valueset-fm-status.html
"""


@dataclass(frozen=True)
class Look:
    """A case's records at a moment, and what the insurers' responses among them say."""

    facts: Facts
    said: Mapping[str, Fields]
    """By reference of an authorisation, its fields as a response: see `mapping.authorisation.answer`."""
    at: str
    later: Callable[[str, str], bool]
    """Whether the first of two records, by reference, was written after the second."""
    ours: Callable[[str], bool]
    """Whether a record was made here."""


class Answer(NamedTuple):
    """A response to a request of ours, and the record that it is about, which may not be there yet."""

    reference: str
    said: Fields
    own_reference: str
    own: Fields
    withdrawn: bool
    """Whether the request was, before the answer came."""


def settled(look: Look) -> list[Effect]:
    """The records that are otherwise by what insurers answered and by today; of each its last state, none that stays as it is."""
    now = {concept: dict(known) for concept, known in look.facts.records.items()}
    for follows in (_decisions, _expiries, _appeals, _insured, _required):
        for concept, reference, fields in list(follows(replace(look, facts=Facts(now)))):
            now.setdefault(concept, {})[reference] = fields
    return [
        (concept, reference, fields)
        for concept, known in now.items()
        for reference, fields in known.items()
        if fields != look.facts.of(concept).get(reference)
    ]


def _answers(look: Look) -> list[Answer]:
    """In the order in which they were decided."""
    return sorted(_found(look), key=lambda each: moment(each.said.get("decided_at", "0001")))


def _found(look: Look) -> Iterator[Answer]:
    known = look.facts.of("authorisation")
    for reference, said in look.said.items():
        asked = said.get("preauthorisation", "")
        request = look.facts.of("preauthorisation").get(asked, {})
        for line in lines(request):
            own = record_for(asked, line["service"])
            about = said.get("service", line["service"]) == line["service"]
            if about and (own in known or "service" not in said):
                yield Answer(reference, said, own, known.get(own) or _begun(asked, request, line), request["status"] == "cancelled")


def _begun(reference: str, request: Fields, line: Fields) -> Fields:
    """The record of a request for which nobody began one."""
    fields = {
        "client": request["client"],
        "case": request.get("case"),
        "service": line["service"],
        "preauthorisation": reference,
        "coverage": request["coverage"],
        "insurer": request.get("insurer"),
        "requestor": request["provider"],
        "request": "preauthorisation",
        "status": "cancelled" if request["status"] == "cancelled" else "requested",
        "requested_at": request["created_at"],
    }
    return {name: value for name, value in fields.items() if value}


def _news(answer: Answer) -> bool:
    """Whether a decision is to be taken over: ours waits, or the insurer has decided again since."""
    if answer.said["status"] not in DECIDED or answer.withdrawn:
        return False
    status = answer.own["status"]
    again = status in (*DECIDED, *_MEANS) and not _agree(answer) and _when(answer.said) > _when(answer.own)
    return bool(status == "requested" or again)


def _agree(answer: Answer) -> bool:
    status = answer.own["status"]
    return bool(_MEANS.get(status, status) == answer.said["status"])


def _when(authorisation: Fields) -> datetime:
    return moment(authorisation.get("decided_at", "0001"))


def _decisions(look: Look) -> Iterator[Effect]:
    for answer in _answers(look):
        if _news(answer):
            kept = {name: value for name, value in answer.own.items() if name not in _SAID}
            said = {name: answer.said[name] for name in ("status", *_SAID) if name in answer.said}
            yield "authorisation", answer.own_reference, {"insurer": answer.said["insurer"], **kept, **said}


def _expiries(look: Look) -> Iterator[Effect]:
    """C-22: an approval of ours ends with the last day of its validity; that of a service that is over is history."""
    facts = look.facts
    for reference, each in working(facts).items():
        end = each.get("validity", {}).get("end")
        service = facts.of("planned_service").get(each.get("service", ""), {})
        ended = each["status"] == "approved" and end and day(end) < day(look.at)
        if ended and service.get("status", OVER[0]) not in OVER and look.ours(reference):
            yield "authorisation", reference, {**each, "status": "expired"}


def _appeals(look: Look) -> Iterator[Effect]:
    """P-25: an appeal's answer settles the denial, the word that was put in against it, and the task of its deadline."""
    facts, known = look.facts, look.facts.of("authorisation")
    for reference, word in facts.of("advocacy").items():
        about = [each for each in word.get("about", []) if each in known]
        denials = [each for each in about if known[each]["status"] == "appealed"]
        new = next((each for each in about if each not in denials and known[each]["status"] in _APPEALS), None)
        if word["status"] != "in_progress" or not denials or new is None:
            continue
        denial, advocacy, task, result = _APPEALS[known[new]["status"]]
        yield "advocacy", reference, {**word, "status": advocacy, "result": result}
        for each in denials:
            yield "authorisation", each, {**known[each], "status": denial}
        for each, fields in facts.of("task").items():
            if fields.get("focus") == new and fields["status"] in OPEN:
                yield "task", each, {**fields, "status": task}


def _insured(look: Look) -> Iterator[Effect]:
    """C-22: a service names the authorisation of its request that an insurer approved."""
    services = look.facts.of("planned_service")
    for reference, each in working(look.facts).items():
        service = services.get(each.get("service", ""), {})
        asked = "preauthorisation" in each and each["status"] == "approved"
        if asked and service and reference not in service.get("insurance", []):
            yield "planned_service", each["service"], {**service, "insurance": [*service.get("insurance", []), reference]}


def _required(look: Look) -> Iterator[Effect]:
    """C-22: whether a service must be authorised, as the insurer says; of that and a person's word the later one counts.

    Of several answers only the latest: an older one that arrives after it was written later, and says less.
    """
    known = look.facts.of("planned_service")
    last = {service: (reference, word) for reference, service, word in demands(look.facts)}
    for service, (reference, word) in last.items():
        said = known[service].get("authorisation_required", "unknown")
        if said != word and (said == "unknown" or look.later(reference, service)):
            yield "planned_service", service, {**known[service], "authorisation_required": word}


def demands(facts: Facts) -> Iterator[tuple[str, str, str]]:
    """What insurers' answers say of the services that were asked about: the answer, the service, and yes or no; the latest answer last."""
    asked, known = facts.of("eligibility_request"), facts.of("planned_service")
    for reference, answer in sorted(facts.of("eligibility_response").items(), key=lambda item: moment(item[1]["as_of"])):
        if answer["status"] != "active" or answer["outcome"] not in ("complete", "partial"):
            continue
        benefits = [benefit for insurance in answer.get("insurance", []) for benefit in insurance.get("benefits", [])]
        for service in sorted(named_in(asked.get(answer["request"], {})) & known.keys()):
            if known[service]["status"] not in OVER and (word := demanded(known[service], benefits)) != "unknown":
                yield reference, service, word


def unsettled(look: Look) -> dict[str, Fields]:
    """The answers that say something which was not taken over, by reference, for a person to read: not understood, about a request that
    was withdrawn, or otherwise than was decided."""
    found, several = {}, _answers(look)
    for answer in several:
        status = answer.own["status"]
        unread = answer.said["status"] == "unknown" and (answer.withdrawn or status in ("requested", "unknown"))
        decided = answer.said["status"] in DECIDED and (answer.withdrawn or status in (*DECIDED, *_MEANS))
        otherwise = decided and not _agree(answer) and not _news(answer) and not any(_overrules(other, answer) for other in several)
        if unread or otherwise:
            found[answer.reference] = answer.said
    return found


def _overrules(other: Answer, answer: Answer) -> bool:
    """Whether what stands is by a later answer of the insurer's."""
    return other.own_reference == answer.own_reference and _agree(other) and _when(other.said) > _when(answer.said)
