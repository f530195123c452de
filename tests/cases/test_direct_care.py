"""What is treatment by the case manager, and what is not (M-01, M-04)."""

import pytest

from adapter.cases.direct_care import in_appointment, in_encounter, in_procedure, in_service
from adapter.cases.facts import Facts, Situation

DANA, KIM = "Practitioner/dana", "Practitioner/kim"
CODE = {"system": "http://snomed.info/sct", "code": "91251008"}
SERVICES = {
    "ServiceRequest/pt": {"kind": "therapy", "status": "scheduled", "intent": "order", "code": CODE},
    "ServiceRequest/visit": {"kind": "monitoring", "status": "scheduled", "intent": "order", "code": {"text": "Kanarifugl is visited"}},
}
APPOINTMENTS = {
    "Appointment/pt": {"status": "booked", "services": ["ServiceRequest/pt"]},
    "Appointment/along": {"status": "fulfilled", "services": ["ServiceRequest/pt"], "accompanied": True},
    "Appointment/visit": {"status": "booked", "services": ["ServiceRequest/visit"]},
}


def now(*models, **credentials):
    case = {"client": "Patient/1", "case_manager": DANA, "models": [{"model": model} for model in models]}
    manager = {"credentials": [{"kind": "RN", "active": True, "unrestricted": True}]} if credentials.get("licensed") else {}
    records = {"planned_service": SERVICES, "appointment": APPOINTMENTS, "case_manager": {DANA: manager}}
    return Situation(case, Facts(records), "2025-05-01T12:00:00Z", DANA, None)


def appointment(*people, services=("ServiceRequest/pt",), status="booked", **fields):
    return {"status": status, "services": [*services], "participants": [{"actor": who, **how} for who, how in people], **fields}


def encounter(*people, **fields):
    return {"status": "finished", "participants": [{"individual": who, **how} for who, how in people], **fields}


PERFORMER, ATTENDER = {"role": {"code": "PPRF"}}, {"role": {"code": "ATND"}}
TREATS = [
    (in_service, {"kind": "therapy", "status": "not_started", "performers": [KIM, DANA]}),
    (in_service, {"kind": "rehabilitation", "status": "not_started", "performers": ["PractitionerRole/dana"]}),
    (in_appointment, appointment((DANA, {}))),
    (in_appointment, appointment((DANA, {}), ("Location/room", {}), ("RelatedPerson/jon", {}))),
    (in_appointment, appointment((DANA, PERFORMER), (KIM, {}))),
    (in_appointment, appointment((DANA, {}), services=(), service_types=[CODE])),
    (in_encounter, encounter((DANA, {}), appointments=["Appointment/pt"])),
    (in_encounter, encounter((DANA, PERFORMER), appointments=["Appointment/along"])),
    (in_encounter, encounter((DANA, PERFORMER), (KIM, ATTENDER), types=[CODE])),
    (in_encounter, encounter((DANA, {}), service_type=CODE)),
    (in_procedure, {"status": "completed", "services": ["ServiceRequest/pt"], "performers": [DANA]}),
    (in_procedure, {"status": "completed", "codes": [CODE], "performers": [KIM, DANA]}),
]
TREATS_NOT = [
    (in_service, {"kind": "monitoring", "status": "not_started", "performers": [DANA]}),
    (in_service, {"kind": "therapy", "status": "not_started", "performers": [KIM]}),
    (in_service, {"kind": "therapy", "status": "cancelled", "performers": [DANA]}),
    (in_appointment, appointment((KIM, {}))),
    (in_appointment, appointment((KIM, {}), (DANA, {}))),
    (in_appointment, appointment((DANA, {}), status="fulfilled", accompanied=True)),
    (in_appointment, appointment((DANA, {}), status="cancelled")),
    (in_appointment, appointment((DANA, PERFORMER), services=("ServiceRequest/visit",))),
    (in_encounter, encounter((DANA, PERFORMER))),
    (in_encounter, encounter((DANA, {}), appointments=["Appointment/along"])),
    (in_encounter, encounter((DANA, PERFORMER), appointments=["Appointment/visit"])),
    (in_encounter, encounter((DANA, PERFORMER), types=[{"text": "assessment"}], service_type={"text": "Kanarifugl"})),
    (in_procedure, {"status": "completed", "services": ["ServiceRequest/pt"], "performers": [KIM]}),
    (in_procedure, {"status": "not_done", "services": ["ServiceRequest/pt"], "performers": [DANA]}),
    (in_procedure, {"status": "completed", "codes": [{"code": "91251008"}], "performers": [DANA]}),
]


@pytest.mark.parametrize(("forbidden", "fields"), TREATS)
def test_a_case_manager_who_performs_what_treats_needs_a_model_that_permits_it(forbidden, fields):
    """M-01, M-02, M-05"""
    assert forbidden(fields, now("brokerage"))
    assert forbidden(fields, now("intensive"))
    assert not forbidden(fields, now("clinical"))
    assert not forbidden(fields, now("brokerage", "clinical"))
    assert not forbidden(fields, now("intensive", licensed=True))


@pytest.mark.parametrize(("forbidden", "fields"), TREATS_NOT)
def test_coming_along_assessing_and_what_others_do_is_no_treatment(forbidden, fields):
    """M-01, M-04"""
    assert not forbidden(fields, now("brokerage"))
