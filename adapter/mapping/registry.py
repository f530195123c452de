"""Finds mappings: by resource, by concept."""

from collections import defaultdict

from adapter.errors import NotFound
from adapter.fhir.resource import Raw
from adapter.mapping import (
    advocacy,
    appointment,
    assessment,
    authorisation,
    barrier,
    care_team,
    case,
    case_manager,
    client,
    condition,
    consent,
    coverage,
    education,
    eligibility_request,
    eligibility_response,
    encounter,
    endpoint,
    flag,
    follow_up,
    goal,
    healthcare_service,
    measurement,
    message,
    outcome,
    plan,
    planned_service,
    preauthorisation,
    professional_role,
    programme_application,
    referral,
    response,
    risk_evaluation,
    screening,
    stakeholder,
    strength,
    support_person,
    target_group,
    task,
    transition_plan,
)
from adapter.mapping.rules import Fields
from adapter.mapping.table import Mapping

# In order of precedence within a type: the first whose `when` holds takes the resource, so special ones come before general ones.
MAPPINGS: tuple[Mapping, ...] = (
    *client.MAPPINGS,
    *support_person.MAPPINGS,
    *case_manager.MAPPINGS,
    *stakeholder.MAPPINGS,
    *professional_role.MAPPINGS,
    *healthcare_service.MAPPINGS,
    *endpoint.MAPPINGS,
    *coverage.MAPPINGS,
    *eligibility_request.MAPPINGS,
    *eligibility_response.MAPPINGS,
    *consent.MAPPINGS,
    *care_team.MAPPINGS,
    *target_group.MAPPINGS,
    *case.MAPPINGS,
    *flag.MAPPINGS,
    *referral.MAPPINGS,
    *planned_service.MAPPINGS,
    *barrier.MAPPINGS,
    *condition.MAPPINGS,
    *follow_up.MAPPINGS,
    *encounter.MAPPINGS,
    *screening.MAPPINGS,
    *transition_plan.MAPPINGS,
    *outcome.MAPPINGS,
    *response.MAPPINGS,
    *assessment.MAPPINGS,
    *strength.MAPPINGS,
    *measurement.MAPPINGS,
    *risk_evaluation.MAPPINGS,
    *plan.MAPPINGS,
    *goal.MAPPINGS,
    *appointment.MAPPINGS,
    *programme_application.MAPPINGS,
    *task.MAPPINGS,
    *education.MAPPINGS,
    *advocacy.MAPPINGS,
    *message.MAPPINGS,
    *preauthorisation.MAPPINGS,
    *authorisation.MAPPINGS,
)

_BY_TYPE: dict[str, list[Mapping]] = defaultdict(list)
_BY_CONCEPT: dict[str, list[Mapping]] = defaultdict(list)
for _mapping in MAPPINGS:
    _BY_TYPE[_mapping.type].append(_mapping)
    _BY_CONCEPT[_mapping.concept].append(_mapping)

CONCEPTS = tuple(_BY_CONCEPT)
TYPES = tuple(_BY_TYPE)


def mapping_for(raw: Raw) -> Mapping | None:
    """The mapping that understands this resource, None where its type or kind is not mapped."""
    for mapping in _BY_TYPE.get(raw.get("resourceType", ""), ()):
        if mapping.when(raw):
            return mapping
    return None


def mappings_of(concept: str) -> list[Mapping]:
    """All mappings of a concept: its faces, or its alternatives. Raises NotFound for a concept that is not mapped."""
    if concept not in _BY_CONCEPT:
        raise NotFound(f"There is no concept {concept}; there are {', '.join(CONCEPTS)}.")
    return _BY_CONCEPT[concept]


def faces(concept: str, fields: Fields) -> list[Mapping]:
    """The mappings whose resources together are this record. Raises NotFound for a concept that is not mapped."""
    return [mapping for mapping in mappings_of(concept) if mapping.applies(fields)]
