"""Who is at the console: chosen from the case managers."""

from typing import Any

import flask

from adapter.cases.wording import label
from adapter.casework.desk import actor
from server.console.names import full_name
from server.console.site import Site
from server.console.visitor import remember


def show(site: Site) -> Any:
    """The case managers to choose from."""
    found = site.repository.scan("PractitionerRole", {"concept": "case_manager"})
    roles = {stored.id: stored.record for stored in found if not stored.deleted and stored.record.get("discipline")}
    people = site.repository.find_many("Practitioner", roles)
    staff = [
        {
            "reference": f"Practitioner/{id}",
            "name": full_name(person.record),
            "role": label(roles[id].get("role", "case_manager")),
            "discipline": label(roles[id]["discipline"]),
        }
        for id, person in people.items()
        if not person.deleted
    ]
    return flask.render_template("sign_in.html", staff=sorted(staff, key=lambda each: each["name"]), to=flask.request.args.get("to", "/"))


def choose(site: Site) -> Any:
    """Keep the choice, and go on to the page that was wanted."""
    chosen = actor(site.repository, flask.request.form.get("actor", ""))
    to = flask.request.form.get("to", "/")
    # Only a path of this server, never another's address.
    response = flask.redirect(to if to.startswith("/") and not to.startswith("//") and "\\" not in to else "/", 303)
    remember(response, chosen.reference)  # type: ignore[arg-type]
    return response
