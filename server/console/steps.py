"""The small forms of a case's page: each names a step, and the record that it is a step of."""

from collections.abc import Callable, Mapping
from typing import Any

import flask

from adapter.casework.desk import Desk
from adapter.errors import Invalid
from server.console.own import check_named
from server.console.site import Site

Form = dict[str, str]
Steps = Mapping[str, tuple[str, Callable[[Desk, str, Form], Any]]]
"""Of what concept each step is, and what it does, given the record's reference and what was filled in."""


def take(site: Site, id: str, steps: Steps, section: str) -> Any:
    """Take the step that was asked for, and lead back to this section of the case.

    Raises Invalid for none of these steps, NotFound where what it names is of another concept or not of the case.
    """
    form = {name: value.strip() for name, value in flask.request.form.items() if value.strip()}
    if form.get("step") not in steps:
        raise Invalid("There is no such step.", expression=["step"])
    desk, of = site.desk(), form.get("of", "")
    concept, step = steps[form["step"]]
    check_named(site, id, concept, of)
    step(desk, of, form)
    return flask.redirect(flask.url_for("console.case-show", id=id, _anchor=section), 303)


def id_of(reference: str) -> str:
    """The record's id."""
    return reference.rpartition("/")[2]
