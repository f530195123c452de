"""fhirpy does the story: `program.py BASE STORY` prints an account of it as JSON."""

import asyncio
import json
import sys
from importlib.metadata import version
from itertools import islice
from pathlib import Path

from fhirpy import AsyncFHIRClient, SyncFHIRClient
from fhirpy.base.exceptions import OperationOutcome, ResourceNotFound


def main(base, story):
    client = SyncFHIRClient(base)
    assert client.execute("metadata", method="get").fhirVersion == "4.0.1"

    patient = client.resource("Patient", **story["patient"]).save()
    versions = [patient.meta.versionId]
    patient.birthDate = story["birthDate"]
    for change in (patient.save, lambda: patient.patch(gender="other"), lambda: client.patch("Patient", patient.id, gender=None)):
        versions.append(change()["meta"]["versionId"])
    assert patient.refresh().get("gender") is None
    assert patient.refresh() == client.reference("Patient", patient.id).to_resource()  # the second answer is 304
    assert patient.is_valid()
    assert patient.execute("$everything", method="get").entry[0].resource.id == patient.id

    token = "|".join(patient.identifier[0][part] for part in ("system", "value"))
    same = client.resources("Patient").search(identifier=token)
    assert same.count() == 1
    assert same.get_or_create(client.resource("Patient", **story["patient"])) == (patient, False)
    versions.append(same.update(client.resource("Patient", **patient.serialize(), active=False))[0].meta.versionId)
    versions.append(same.patch(active=True).meta.versionId)
    other = client.resource("Patient", **{**story["patient"], "identifier": [{"value": "other"}]})
    assert other.create(identifier="other").id != patient.id
    client.resources("Patient").search(identifier="other").delete()

    answer = client.resource("Bundle", **story["transaction"]).save()
    located = [entry.response.location for entry in answer.entry]
    subject = client.reference(reference="/".join(located[0].split("/")[:2]))
    tasks = client.resources("Task").search(patient=subject).limit(10)
    found = [task.id for task in tasks]
    assert found == [task.id for task in tasks.fetch_all()] == asyncio.run(found_without_waiting(base, subject.reference))
    assert found[:11] == [task.id for task in islice(tasks, 11)]
    assert client.resources("Patient").has("CarePlan", "subject", status="active").get().id == subject.id
    plans = client.resources("CarePlan").search(patient=subject)
    assert [entry.resource.resource_type for entry in plans.include("CarePlan", "goal").fetch_raw().entry] == ["CarePlan", "Goal"]
    assert plans.elements("status").first().status == "active"

    assert refusal(client.resources("Patient").search(unheard_of="1").fetch) == [None, "invalid"]

    patient.delete()
    return {
        "client": f"fhirpy {version('fhirpy')}",
        "patient": patient.id,
        "versions": versions,
        "located": located,
        "found": found,
        "refused": [
            refusal(client.reference("Patient", patient.id).to_resource),
            refusal(client.reference("Patient", "none").to_resource),
        ],
    }


async def found_without_waiting(base, patient):
    return [task.id async for task in AsyncFHIRClient(base).resources("Task").search(patient=patient).limit(10)]


def refusal(ask):
    try:
        ask()
    except ResourceNotFound as error:
        return [None, json.loads(str(error))["issue"][0]["code"]]
    except OperationOutcome as error:
        return [None, error.resource["issue"][0]["code"]]


print(json.dumps(main(sys.argv[1], json.loads(Path(sys.argv[2]).read_text()))))
