"""fhir-kindling does the story: `program.py BASE STORY` prints an account of it as JSON."""

import asyncio
import json
import sys
from importlib.metadata import version
from pathlib import Path

import httpx
from fhir_kindling import FhirServer


def main(base, story):
    server = FhirServer(base)
    assert server.capabilities.fhirVersion == "4.0.1"
    assert {"Patient", "CarePlan", "Goal", "Task"} <= {*server.rest_resources}

    patient = server.get(server.add(story["patient"]).reference)
    versions = [patient.meta.versionId]
    patient.birthDate = story["birthDate"]
    [answer] = server.update([patient])["entry"]
    versions.append(server.get(f"Patient/{patient.id}").meta.versionId)
    assert answer["response"]["etag"] == f'W/"{versions[1]}"'
    put = {"method": "PUT", "url": f"Patient/{patient.id}"}
    active = {**json.loads(patient.json()), "active": True}
    [again] = server.add_bundle(
        {"resourceType": "Bundle", "type": "transaction", "entry": [{"resource": active, "request": put}]}
    ).references
    assert again.reference == put["url"]
    versions.append(server.get(again).meta.versionId)

    made = server.add_bundle(story["transaction"])
    subject = made.references[0].reference
    pages = []
    tasks = server.query("Task").where("patient", "eq", subject).all(page_callback=pages.append, count=10)
    found = [task.id for task in tasks.resources]
    assert [len(page) for page in pages] == [10, 10, 3]
    assert server.raw_query(f"Task?patient={subject}").count() == len(found)
    assert asyncio.run(server.query_async("Task").where("patient", "eq", subject).all()).total == len(found)
    plans = server.query("CarePlan").where("patient", "eq", subject).include(resource="CarePlan", reference_param="goal").all()
    assert [included.resource_type for included in plans.included_resources] == ["Goal"]
    assert [goal.id for goal in server.get_many([made.references[1]])] == [made.references[1].reference.split("/")[1]]

    server.delete(references=[f"Patient/{patient.id}"])
    return {
        "client": f"fhir-kindling {version('fhir-kindling')}",
        "patient": patient.id,
        "versions": versions,
        "located": [reference.reference for reference in made.references],
        "found": found,
        "refused": [refusal(server, f"Patient/{patient.id}"), refusal(server, "Patient/none")],
    }


def refusal(server, reference):
    try:
        server.get(reference)
    except httpx.HTTPStatusError as error:
        return [error.response.status_code, error.response.json()["issue"][0]["code"]]


print(json.dumps(main(sys.argv[1], json.loads(Path(sys.argv[2]).read_text()))))
