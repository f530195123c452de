"""Why something is in a case, and whether it helped: the chain of its records, told with who made each, when, at which version."""

from typing import Any

import flask

from adapter.cases.facts import Facts
from adapter.casework.facts import records_of
from adapter.casework.records import read
from adapter.casework.trace import trace
from server.console.names import full_name
from server.console.site import Site


def show(site: Site, id: str, type: str, element: str) -> Any:
    """The chain of one element, such as a service of the plan."""
    site.desk()
    kept = read(site.repository, "case", id)
    found = trace(site.repository, id, f"{type}/{element}")
    facts = Facts(records_of(site.repository, kept.reference, kept.fields))
    concept = next(concept for concept, known in facts.records.items() if found.of in known)
    # Each link stands under the record that it leads on from; the answers of an instrument fold away under their score.
    told = {"why": found.why, "helped": found.helped}
    return flask.render_template(
        "why.html",
        id=id,
        client_name=full_name(facts.of("client").get(kept.fields["client"], {})),
        found=found,
        told=told,
        concept=concept,
        fields=facts.of(concept)[found.of],
        names=site.names(),
    )
