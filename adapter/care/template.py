"""A plan template: a FHIR R4 PlanDefinition, read from `templates/<name>.json`; its activities are contained, so one file is enough.

http://hl7.org/fhir/R4/plandefinition.html; `PlanDefinition/$apply` makes a plan of it. A new template is a new file.
"""

import json
from decimal import Decimal
from typing import Any, Literal

import msgspec

from adapter.care import data
from adapter.config import CS
from adapter.errors import Invalid, NotFound

_FOLDER = "templates"
_MODEL = f"{CS}/cm-model"


class _Element(msgspec.Struct, frozen=True, rename="camel"):
    """A part of a template; what is not looked at here is FHIR's to check."""


class _Goal(_Element, frozen=True):
    id: str
    description: dict[str, Any]


class _Activity(_Element, frozen=True):
    resource_type: Literal["ActivityDefinition"]
    id: str


class _Action(_Element, frozen=True):
    id: str | None = None
    goal_id: tuple[str, ...] = ()
    definition_canonical: str | None = None
    action: tuple["_Action", ...] = ()


class _Artifact(_Element, frozen=True):
    type: str


class _Coding(_Element, frozen=True):
    system: str = ""
    code: str = ""


class _Concept(_Element, frozen=True):
    coding: tuple[_Coding, ...] = ()


class _Use(_Element, frozen=True):
    code: _Coding
    value_codeable_concept: _Concept = _Concept()


class Template(_Element, frozen=True):
    """What every template must have, and how its parts hang together."""

    resource_type: Literal["PlanDefinition"]
    id: str
    url: str
    version: str
    name: str
    title: str
    status: Literal["draft", "active", "retired"]
    goal: tuple[_Goal, ...]
    action: tuple[_Action, ...]
    contained: tuple[_Activity, ...] = ()
    related_artifact: tuple[_Artifact, ...] = ()
    use_context: tuple[_Use, ...] = ()

    def __post_init__(self) -> None:
        goals = {goal.id for goal in self.goal}
        activities = {f"#{activity.id}" for activity in self.contained}
        actions = list(_actions(self.action))
        strange = sorted({id for action in actions for id in action.goal_id} - goals)
        unknown = sorted({str(action.definition_canonical) for action in actions if _inside(action)} - activities)
        ids = [*(goal.id for goal in self.goal), *(action.id for action in actions if action.id)]
        if len({*ids}) != len(ids) or len(activities) != len(self.contained):
            raise ValueError("an id is used twice")
        if strange or unknown:
            raise ValueError(f"an action names what is not there: {', '.join([*strange, *unknown])}")
        if not goals or not actions:
            raise ValueError("a plan needs goals and actions")

    @property
    def focus(self) -> frozenset[tuple[str, str]]:
        """The (system, code) of the conditions that it is about; empty where it does not say by code."""
        return self._uses("focus")

    @property
    def models(self) -> frozenset[str]:
        """The models of case management that it is made for, by id; empty where it is for any."""
        return frozenset(code.replace("-", "_") for system, code in self._uses("program") if system == _MODEL)

    def _uses(self, kind: str) -> frozenset[tuple[str, str]]:
        told = (use.value_codeable_concept.coding for use in self.use_context if use.code.code == kind)
        return frozenset((each.system, each.code) for coding in told for each in coding if each.code)

    @property
    def cites(self) -> bool:
        """Whether it names the evidence it follows."""
        return any(artifact.type == "citation" for artifact in self.related_artifact)


def _actions(found: tuple[_Action, ...]) -> list[_Action]:
    return [each for action in found for each in (action, *_actions(action.action))]


def _inside(action: _Action) -> bool:
    return (action.definition_canonical or "").startswith("#")


def names() -> tuple[str, ...]:
    """The names of all plan templates, the site's too, in alphabetical order."""
    return data.names(_FOLDER)


def load(name: str) -> Template:
    """What is looked at of the template. Raises NotFound, and Invalid, naming file and path, for a file that breaks the rules above."""
    found = data.read(_FOLDER, _known(name), Template)
    if found.id.replace("-", "_") != name:
        raise Invalid(f"{name}.json: a template is named by its id, with _ for - - at `$.id`")
    return found


def plan_definition(name: str) -> dict[str, Any]:
    """The template as the PlanDefinition that it is. Raises as `load` does."""
    load(name)
    return dict(json.loads(data.content(_FOLDER, name), parse_float=Decimal))


def _known(name: str) -> str:
    if name not in names():
        raise NotFound("There is no plan template of that name.", expression=["template"])
    return name
