"""Which operation is asked where: the definitions, joined to the functions that carry them out."""

from collections.abc import Callable, Sequence
from functools import cache
from types import MappingProxyType

from adapter.errors import Invalid, NotFound
from adapter.fhir.resource import Raw, dumps
from adapter.store.repository import Repository
from adapter.store.search_parameters import parameters
from server.errors import MethodNotAllowed
from server.fhir import interactions
from server.fhir.messages import Answer, Request
from server.fhir.operations import (
    apply,
    bulk_member_match,
    case_process,
    case_trace,
    davinci_data_export,
    disclosures,
    evaluate_measure,
    everything,
    export,
    extract,
    inputs,
    lastn,
    member_match,
    meta,
    payer_packet,
    populate,
    terminology,
    validate,
)
from server.fhir.operations.call import Call, Operation
from server.fhir.operations.definition import SYSTEM, Definition, definitions

OPERATIONS: dict[str, Operation] = {
    "CodeSystem-lookup": terminology.lookup,
    "ConceptMap-translate": terminology.translate,
    "EpisodeOfCare-assign": case_process.assign,
    "EpisodeOfCare-case-trace": case_trace.run,
    "EpisodeOfCare-everything": everything.episode,
    "EpisodeOfCare-open": case_process.open,
    "EpisodeOfCare-transition": case_process.transition,
    "Group-bulk-member-match": bulk_member_match.run,
    "Group-davinci-data-export": davinci_data_export.run,
    "Group-export": export.run,
    "Measure-evaluate-measure": evaluate_measure.run,
    "Observation-lastn": lastn.run,
    "Patient-disclosures": disclosures.run,
    "Patient-everything": everything.patient,
    "Patient-export": export.run,
    "Patient-member-match": member_match.run,
    "PlanDefinition-apply": apply.run,
    "Questionnaire-populate": populate.run,
    "QuestionnaireResponse-extract": extract.run,
    "Resource-meta": meta.show,
    "Resource-meta-add": meta.add,
    "Resource-meta-delete": meta.delete,
    "Resource-validate": validate.run,
    "System-export": export.run,
    "System-payer-packet": payer_packet.run,
    "ValueSet-expand": terminology.expand,
}
"""By the id of the OperationDefinition."""
_SEARCHING = frozenset({"Observation-lastn"})
"""Whose definition leaves further parameters to the search of the type."""


def on_system(request: Request, repository: Repository, operation: str) -> Answer:
    """The answer to `$operation`."""
    return _carry_out(request, repository, SYSTEM, None, operation)


def on_type(request: Request, repository: Repository, type: str, operation: str) -> Answer:
    """The answer to `Type/$operation`."""
    return _carry_out(request, repository, type, None, operation)


def on_instance(request: Request, repository: Repository, type: str, id: str, operation: str) -> Answer:
    """The answer to `Type/id/$operation`."""
    return _carry_out(request, repository, type, id, operation)


def read_definition(request: Request, repository: Repository, type: str, id: str) -> Answer:
    """A read, in which an OperationDefinition or Measure that nobody stored under its id is the one that this server works by."""
    try:
        return interactions.read(request, repository, type, id)
    except NotFound:
        own = _OWN[type](id) if type in _OWN else None
        if own is None:
            raise
        return Answer(200, dumps(own))


def _operation(id: str) -> Raw | None:
    return definitions()[id].raw if id in OPERATIONS else None


_OWN: dict[str, Callable[[str], Raw | None]] = {"OperationDefinition": _operation, "Measure": evaluate_measure.published}
"""By type: what this server works by, of an id."""


def claims(type: str, *, writing: bool = True) -> list[Raw]:
    """The operations of a type, with "Resource" of all types, with SYSTEM of the server, as a CapabilityStatement lists them.

    `writing`: those that change what is stored, too.
    """
    rows = [row for id in OPERATIONS if type in (row := definitions()[id]).listed and (writing or not row.writes)]
    return [{"name": row.code, "definition": row.url, "documentation": row.raw["description"]} for row in rows]


@cache
def _by_place() -> MappingProxyType[tuple[str | None, bool, str], str]:
    return MappingProxyType(
        {(type, instance, definitions()[id].code): id for id in OPERATIONS for type, instance in definitions()[id].places}
    )


def _carry_out(request: Request, repository: Repository, type: str, id: str | None, code: str) -> Answer:
    if type != SYSTEM:
        parameters(type)
    definition = _definition(type, id, code)
    if definition.writes and request.method != "POST":
        raise MethodNotAllowed("This operation changes what is stored, so it is asked by POST.", allowed=["POST"])
    try:
        given = inputs.read(definition, request, search=definition.id in _SEARCHING)
        return OPERATIONS[definition.id](Call(request, repository, type, id, given))
    except RecursionError:
        # What is parsed may be nested deeper than Python can walk; no resource that means anything is.
        raise Invalid("The body is nested too deep.") from None


def _definition(type: str, id: str | None, code: str) -> Definition:
    places: Sequence[tuple[str | None, bool, str]] = [(type, id is not None, code), (None, id is not None, code)]
    found = next((_by_place()[place] for place in places if place in _by_place()), None)
    if found is None:
        raise NotFound("This operation is not offered here; metadata lists those that are, and docs/operations.md where.")
    return definitions()[found]
