"""fhirclient does the story: `program.py BASE STORY` prints an account of it as JSON."""

import json
import sys
from importlib.metadata import version
from pathlib import Path

import requests
from fhirclient.client import FHIRClient
from fhirclient.models.bundle import Bundle
from fhirclient.models.careplan import CarePlan
from fhirclient.models.fhirdate import FHIRDate
from fhirclient.models.patient import Patient
from fhirclient.models.task import Task
from fhirclient.server import FHIRNotFoundException


def main(base, story):
    client = FHIRClient(settings={"app_id": "casebridge", "api_base": base})
    assert client.prepare()
    server = client.server
    assert server.capabilityStatement.fhirVersion == "4.0.1"

    made = Patient(story["patient"]).create(server)
    patient = Patient.read(made["id"], server)
    patient.birthDate = FHIRDate(story["birthDate"])
    updated = patient.update()

    answer = Bundle(Bundle(story["transaction"]).create(server))
    located = [entry.response.location for entry in answer.entry]
    subject = located[0].split("/")[1]
    search = Task.where({"patient": subject, "_count": "10"})
    pages = [*search.perform_iter(server)]
    found = [task.id for task in search.perform_resources_iter(server)]
    assert found == [entry.resource.id for page in pages for entry in page.entry]
    [page] = CarePlan.where({"patient": subject}).include("subject").perform_iter(server)
    assert page.entry[0].resource.subject.resolved(Patient).id == page.entry[1].resource.id == subject

    patient.delete()
    return {
        "client": f"fhirclient {version('fhirclient')}",
        "patient": patient.id,
        "versions": [made["meta"]["versionId"], updated["meta"]["versionId"]],
        "located": located,
        "found": found,
        "refused": [refusal(lambda: Patient.read(patient.id, server)), refusal(lambda: Patient.read("none", server))],
    }


def refusal(read):
    try:
        read()
    except (requests.HTTPError, FHIRNotFoundException) as error:
        return [error.response.status_code, error.response.json()["issue"][0]["code"]]


print(json.dumps(main(sys.argv[1], json.loads(Path(sys.argv[2]).read_text()))))
