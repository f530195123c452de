"""Two insurers' members on one server: `ours`, of the insurer that attacks, and `theirs`, of another."""

from collections.abc import Iterator
from typing import Any

from adapter.store.documents import Change
from adapter.store.repository import Repository
from adapter.sync.exporting.asked import Asked
from adapter.sync.exporting.exports import Exports
from adapter.sync.exporting.turns import task
from adapter.sync.workers import jobs
from server.auth.principal import Principal

INSURERS = {"ours": "south", "theirs": "north"}
STAFF = {"ours": "dana", "theirs": "noor"}
"""In whose care they are."""
MARK = "of-theirs"
"""In each resource of theirs."""
_HL7 = "http://terminology.hl7.org/CodeSystem"

Raw = dict[str, Any]


def reader(insurer: str, role: str = "insurer-reader") -> Principal:
    """The insurer's service."""
    return Principal(insurer, role, "system/*.rs", organisation=f"Organization/{insurer}", purpose="HPAYMT")


def manager() -> Principal:
    """Who works on the cases of ours, by an app."""
    return Principal("chart", "case-manager", "user/*.cruds", user="dana", organisation="Organization/city", fhir_user="Practitioner/dana")


def store(repository: Repository) -> None:
    """Put the records of both, and who pays for them, into the store."""
    raws = [{"resourceType": "Organization", "id": name, "name": name.title()} for name in INSURERS.values()]
    raws += [{"resourceType": "Practitioner", "id": name} for name in STAFF.values()]
    raws += [raw for member in INSURERS for raw in _record(member)]
    repository.commit([Change(raw["resourceType"], raw["id"], raw, 0) for raw in raws])


def exported(repository: Repository, root: Any) -> dict[str, str]:
    """An export of the other insurer's that is done: its id, and the name of one of its files."""
    exports = Exports(repository)
    export = exports.begin(Asked(level="", request="$export", types=("CarePlan",)), reader("north").name)
    jobs.perform(task(root), Repository(repository.database, repository.clock), export.job)
    return {"export": export.id, "file": exports.find(export.id, reader("north").name).files[0].name}


def _record(member: str) -> Iterator[Raw]:
    whom = {"reference": f"Patient/{member}"}
    other = "ours" if member == "theirs" else "theirs"

    def made(kind: str, id: str, **body: Any) -> Raw:
        tags = [{"code": f"of-{member}"}, {"code": "told"}]
        return {"resourceType": kind, "id": f"{id}-{member}", "meta": {"tag": tags}, **body}

    def plan(id: str, category: str, **more: Any) -> Raw:
        coded = [{"coding": [{"system": "urn:example:category", "code": category}]}]
        goals = [{"reference": f"Goal/goal-{each}"} for each in (member, other)]
        return made("CarePlan", id, status="active", intent="plan", subject=whom, category=coded, goal=goals, **more)

    name, number = [{"family": "Kanarifugl"}], [{"system": "urn:members", "value": member}]
    yield {**made("Patient", ""), "id": member, "name": name, "birthDate": "1980-01-01", "identifier": number}
    yield made("Goal", "goal", lifecycleStatus="active", description={"text": "Kanarifugl"}, subject=whom)
    yield plan("open", "assess-plan", replaces=[{"reference": f"CarePlan/open-{other}"}])
    yield plan("closed", "secret")
    based = [{"reference": f"CarePlan/open-{member}"}]
    yield made("Observation", "seen", status="final", code={"text": "Kanarifugl"}, subject=whom, identifier=[{"value": "7"}], basedOn=based)
    yield made("EpisodeOfCare", "case", status="active", patient=whom, careManager={"reference": "Practitioner/noor"})
    staff = [{"member": {"reference": f"Practitioner/{STAFF[member]}"}}]
    yield made("CareTeam", "team", status="active", subject=whom, participant=staff)
    yield made("Task", "task", status="requested", intent="order", **{"for": whom})
    yield made("List", "list", status="current", mode="working", subject=whom, entry=[{"item": {"reference": f"CarePlan/open-{member}"}}])
    yield made("Group", "group", type="person", actual=True, member=[{"entity": whom}])
    yield made(
        *("Provenance", "made"),
        **{"target": based, "recorded": "2025-04-22T09:00:00Z", "agent": [{"who": {"reference": "Practitioner/noor"}}]},
    )
    cover = [{"system": "urn:covers", "value": member}]
    payor = [{"reference": f"Organization/{INSURERS[member]}"}]
    yield made("Coverage", "cover", status="active", beneficiary=whom, payor=payor, identifier=cover)
    yield made(
        *("Consent", "consent"),
        **{"status": "active", "category": [{"text": "privacy"}], "patient": whom},
        scope={"coding": [{"system": f"{_HL7}/consentscope", "code": "patient-privacy"}]},
        policyRule={"coding": [{"system": f"{_HL7}/v3-ActCode", "code": "OPTIN"}]},
    )
