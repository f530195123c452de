"""`casebridge people`: who is who among the people and organisations that remotes and we know."""

import getpass
from typing import Any

import click

from adapter.cli.connection import bridge
from adapter.cli.terminal import as_json, line, say, table
from adapter.clock import instant
from adapter.errors import NotFound
from adapter.store.documents import Document
from adapter.sync.bridge import Bridge
from adapter.sync.people.here import look
from adapter.sync.people.identity import Comparison, compare
from adapter.sync.people.parting import split as part

_SAYS = {True: "same", False: "differs", None: ""}

_json = click.option("--json", "json", is_flag=True, help="As JSON.")
_by = click.option("--by", default=None, metavar="NAME", help="Who says so.  [default: the user of this process]")


@click.group()
def people() -> None:
    """Who is who: answer questions, link two records, part them."""


@people.command()
@click.option("--all", "all_", is_flag=True, help="Also those that were answered.")
@_json
def questions(all_: bool, json: bool) -> None:
    """What a person has to say about who is who.

    Until then the two are kept apart, here and at every remote.

    \b
      casebridge people questions
    """
    with bridge() as opened:
        found = list(opened.people.questions.all(None if all_ else "open"))
    if json:
        as_json([_question(id, body) for id, body in found])
    elif not found:
        say("There is none.")
    else:
        table(("question", "here", "may be", "why", "status"), [(id, *(body[name] for name in _ASKED)) for id, body in found])


_ASKED = ("here", "other", "why", "status")


@people.command("look")
def look_() -> None:
    """Compare all who are here; those who may be one are asked.

    By the identifier systems that any remote is trusted with. For those who were here before a remote was; nobody is linked by this.

    \b
      casebridge people look
    """
    with bridge() as opened:
        waiting = look(opened.people, _trust(opened))
    say(f"{waiting} questions are open; `casebridge people questions` shows them." if waiting else "There is no question.")


@people.command()
@click.argument("id")
@_json
def show(id: str, json: bool) -> None:
    """Show what matches and what differs between two.

    ID is a question or a link.

    What is shown is patient data.

    \b
      casebridge people show 4f1d0c22ab93e705
    """
    with bridge() as opened:
        question, union = opened.people.questions.find(id), opened.people.unions.find(id)
        if not question and not union:
            raise NotFound(f"There is no question or link {id}; `casebridge people questions` and `people links` show them.")
        pair = (union["survivor"], union["loser"]) if union else (question["here"], question["other"]) if question else ("", "")
        told = _compared(opened, *pair)
    body = (_question(id, question) if question else {}) | (_link(id, union) if union else {})
    points = [
        {"about": each.about, "weight": each.weight, "here": [*each.left], "other": [*each.right], "same": each.same}
        for each in told.points
    ]
    if json:
        as_json(body | {"points": points})
        return
    line(f"{pair[0]} and {pair[1]}: {told.why}")
    rows = [(each.about, each.weight, ", ".join(each.left), ", ".join(each.right), _SAYS[each.same]) for each in told.points]
    table(("about", "weight", pair[0], pair[1], ""), rows)
    for each in (*(question["earlier"] if question else ()), *([question["answer"]] if question and "answer" in question else ())):
        line(f"{each['answer']}, said {each['by']} at {instant(each['at'])}")
    if union:
        line(f"Linked by {union['by']} at {instant(union['at'])} ({union['status']}).")
    elif question and question["status"] == "open":
        line(f"Answer with: casebridge people same {id} | different {id}")


@people.command()
@click.argument("question")
@_by
def same(question: str, by: str | None) -> None:
    """Answer a question: the two are one.

    They are linked, and the one that was here first stays.

    To have the other one stay, use `people link`.

    \b
      casebridge people same 4f1d0c22ab93e705
    """
    with bridge() as opened:
        found = opened.people.questions.get(question)
        opened.people.link(found["here"], found["other"], by=by or getpass.getuser())
    say(f"Linked: {found['other']} gave way to {found['here']}. `casebridge people split {question}` takes it back.")


@people.command()
@click.argument("question")
@_by
def different(question: str, by: str | None) -> None:
    """Say that the two of QUESTION are two. It is asked again only if their identifiers change.

    \b
      casebridge people different 4f1d0c22ab93e705
    """
    with bridge() as opened:
        opened.people.questions.answer(question, "different", by=by or getpass.getuser())
    say("They stay two.")


@people.command()
@_json
def links(json: bool) -> None:
    """List the links between two records of one person.

    Also those by identifier, and those that were taken back.

    \b
      casebridge people links
    """
    with bridge() as opened:
        found = list(opened.people.unions.all())
    if json:
        as_json([_link(id, body) for id, body in found])
    elif not found:
        say("There is none.")
    else:
        rows = [(id, *(body[name] for name in ("survivor", "loser", "status", "by")), instant(body["at"])) for id, body in found]
        table(("link", "stays", "gave way", "status", "by", "at"), rows)


@people.command()
@click.argument("survivor", metavar="TYPE/ID")
@click.argument("loser", metavar="TYPE/ID")
@_by
def link(survivor: str, loser: str, by: str | None) -> None:
    """Make one of two: the first stays, the second gives way.

    Links to remotes move to the first, references to the second lead to the first, and the first gains what only the second says. The
    second stays readable, not active. Run again, it goes on where it was stopped.

    \b
      casebridge people link Patient/0c5f… Patient/77ab…
    """
    with bridge() as opened:
        id = opened.people.link(survivor, loser, by=by or getpass.getuser())
    say(f"Linked. `casebridge people split {id}` takes it back.")


@people.command()
@click.argument("link")
@_by
def split(link: str, by: str | None) -> None:
    """Take a link back, with everything that came by it.

    Edits made since stay.

    \b
      casebridge people links
      casebridge people split 4f1d0c22ab93e705
    """
    with bridge() as opened:
        survivor, loser = part(opened.people, link, by=by or getpass.getuser())
    say(f"{survivor} and {loser} are two again.")


def _compared(opened: Bridge, here: str, other: str) -> Comparison:
    """How the two are alike now, by all systems that any remote is trusted with."""
    sides = [opened.repository.find(*reference.split("/")) for reference in (here, other)]
    type = here.partition("/")[0]
    left, right = (side.raw if side and not side.deleted else {"resourceType": type} for side in sides)
    return compare(left, right, _trust(opened))


def _trust(opened: Bridge) -> list[str]:
    return [*dict.fromkeys(system for remote in opened.remotes.all() for system in remote.trust)]


def _question(id: str, body: Document) -> dict[str, Any]:
    answer = {name: value if name != "at" else instant(value) for name, value in body.get("answer", {}).items()}
    return {"id": id, **{name: body[name] for name in (*_ASKED, "remote")}, "asked": instant(body["asked"]), "answer": answer or None}


def _link(id: str, body: Document) -> dict[str, Any]:
    told = {name: body[name] for name in ("survivor", "loser", "status", "by")}
    return {"id": id, **told, "remotes": [moved["remote"] for moved in body["moved"]], "at": instant(body["at"])}
