"""One call of an operation, and how its results are told. http://hl7.org/fhir/R4/operations.html#response"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from adapter.errors import NotFound
from adapter.fhir.resource import Raw, dumps
from adapter.store.repository import Repository
from server.fhir.messages import Answer, Request
from server.fhir.operations.inputs import Inputs


@dataclass(frozen=True)
class Call:
    """What is asked of an operation. `id` is None where it is asked of a type; `type` is "" where it is asked of the server."""

    request: Request
    repository: Repository
    type: str
    id: str | None
    inputs: Inputs

    @property
    def target(self) -> str:
        """The id of the instance. Raises NotFound where there is none: the routes never let that happen for an instance operation."""
        if self.id is None:
            raise NotFound("This operation is asked of one resource.")
        return self.id


Operation = Callable[[Call], Answer]


def parameters(*items: tuple[str, str, Any]) -> Answer:
    """A Parameters resource of (name, value element, value) triples, such as ("return", "valueMeta", {…})."""
    return Answer(200, dumps(parameters_of(items)))


def parameters_of(items: Any) -> Raw:
    """Like `parameters`, as a dict; FHIR has no empty lists."""
    found = [{"name": name, key: value} for name, key, value in items]
    return {"resourceType": "Parameters", **({"parameter": found} if found else {})}
