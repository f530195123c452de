"""`EpisodeOfCare/$case-trace`: why an element is in a case and whether it helped, link by link (docs/operations.md)."""

from adapter.casework.trace import Link, trace
from adapter.clock import instant
from adapter.errors import Invalid
from adapter.fhir import references
from adapter.fhir.resource import Raw, dumps
from server.fhir.messages import Answer
from server.fhir.operations.call import Call


def run(call: Call) -> Answer:
    """The links as Parameters: `why` back to the evidence, `helped` forward to the outcome, nearest first."""
    text = str(call.inputs.one("element"))
    if references.split(text) is None:
        raise Invalid("The parameter element is a reference, such as ServiceRequest/pt.", expression=["element"])
    found = trace(call.repository, call.target, text)
    links = [_part("why", link) for link in found.why] + [_part("helped", link) for link in found.helped]
    element = {"name": "element", "valueReference": {"reference": found.of, "display": found.what}}
    return Answer(200, dumps({"resourceType": "Parameters", "parameter": [element, *links]}))


def _part(name: str, link: Link) -> Raw:
    parts: list[Raw] = [
        {"name": "source", "valueReference": {"reference": link.source}},
        {"name": "relation", "valueString": link.relation},
        {"name": "target", "valueReference": {"reference": f"{link.target}/_history/{link.version}", "display": link.what}},
        {"name": "concept", "valueCode": link.concept.replace("_", "-")},
    ]
    if link.state:
        parts.append({"name": "state", "valueString": link.state})
    if link.when:
        parts.append({"name": "when", "valueDateTime": link.when})
    if link.by:
        parts.append({"name": "who", "valueReference": {"reference": link.by}})
    if link.made:
        parts.append({"name": "recorded", "valueInstant": instant(link.made)})
    return {"name": name, "part": parts}
