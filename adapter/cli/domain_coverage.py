"""Which test proves which capability of the domain, and by which requests: docs/domain-coverage.md, read from the tests."""

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_ID = re.compile(r"\b[A-Z]-\d{2}\b")
_BEGINNING = re.compile(r"(?:[A-Z]+-\w+(?:, )?)*")
_PLACES = ("domain", "server", "sync", "cli")
"""The folders of tests that go through the case API, FHIR, a sync or the command line; the others look inside."""
_METHODS = {"get": "GET", "create": "POST", "put": "PUT", "put_new": "PUT", "ids": "GET"}
"""What the tests' clients call a request; `send` is told the method."""
_VERBS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})


@dataclass(frozen=True)
class Proof:
    """A test that bears ids of the catalogue, and the requests that it names."""

    path: str
    name: str
    ids: tuple[str, ...]
    requests: tuple[str, ...]


def catalogue(tests: Path) -> dict[str, str]:
    """What each id of the domain's catalogue is about."""
    return _words(tests / "domain" / "catalogue.json")


def not_yet(tests: Path) -> dict[str, str]:
    """Why there is no test of an id yet."""
    return _words(tests / "domain" / "not_yet.json")


def _words(path: Path) -> dict[str, str]:
    return dict(json.loads(path.read_text("utf-8")))


def proofs(tests: Path) -> list[Proof]:
    """The tests whose docstring begins with ids, in the order of their files and in it."""
    found = []
    for place in _PLACES:
        for path in sorted((tests / place).rglob("test_*.py")):
            found += list(_of(path, path.relative_to(tests.parent).as_posix()))
    return found


def _of(path: Path, name: str) -> Iterator[Proof]:
    tree = ast.parse(path.read_text("utf-8"))
    bodies = [tree.body, *(node.body for node in tree.body if isinstance(node, ast.ClassDef))]
    functions = {node.name: node for body in bodies for node in body if isinstance(node, ast.FunctionDef)}
    for node in functions.values():
        if node.name.startswith("test_") and (ids := _ids(node)):
            requests = {request for each in _reached(node, functions) for request in _requests(each)}
            yield Proof(name, node.name, ids, tuple(sorted(requests)))


def _ids(node: ast.FunctionDef) -> tuple[str, ...]:
    beginning = _BEGINNING.match(ast.get_docstring(node) or "")
    return tuple(_ID.findall(beginning[0] if beginning else ""))


def _reached(node: ast.FunctionDef, functions: dict[str, ast.FunctionDef]) -> list[ast.FunctionDef]:
    """The function with the fixtures and functions of its file that it names, and theirs."""
    reached, waiting = [], [node]
    while waiting:
        one = waiting.pop()
        if one not in reached:
            reached.append(one)
            named = {each.id for each in ast.walk(one) if isinstance(each, ast.Name)} | {arg.arg for arg in one.args.args}
            waiting += [functions[name] for name in sorted(named & functions.keys())]
    return reached


def _requests(node: ast.FunctionDef) -> Iterator[str]:
    for call in ast.walk(node):
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
            continue
        texts = [text for text in map(_text, call.args[:2]) if text is not None]
        method = texts.pop(0) if call.func.attr == "send" and texts[:1] and texts[0] in _VERBS else _METHODS.get(call.func.attr)
        if method and texts and (where := _where(method, texts[0])):
            yield f"{method} {where}"


def _text(node: ast.expr) -> str | None:
    """A literal text, what is put into it being `…`."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
    return None


def _where(method: str, path: str) -> str | None:
    """The endpoint of a path; None where it is none."""
    # What the server needs costs every other command half a second.
    from server.api.routes import named

    first, *rest = path.partition("?")[0].split("/")
    bare = "/".join([first, *("…" if _varies(part) else part for part in rest)])
    if re.fullmatch(r"[A-Z$][A-Za-z-]*", first):
        return f"/fhir/{bare}"
    return f"/api/{bare}" if named(method, f"/{bare}") else None


def _varies(part: str) -> bool:
    return "…" in part or bool(re.search(r"\d", part))


def document(tests: Path) -> str:
    """docs/domain-coverage.md as Markdown. `tests` is the folder of the tests."""
    about, reasons, by_id = catalogue(tests), not_yet(tests), _by_id(proofs(tests))
    proven = [id for id in about if id in by_id]
    lines = [
        "# Coverage of the domain",
        "",
        "Made from the docstrings of the tests by `make docs`; do not edit it.",
        "",
        f"{len(proven)} of the {len(about)} rows of the domain's catalogue have a test that bears their id and goes through the case API,",
        "FHIR, a sync or the command line. Beside them stand the requests that the test names itself; `…` is an id.",
        "`tests/domain/test_coverage.py` fails where a row has neither a test nor a reason.",
        "",
        "| id | capability | tests | requests |",
        "|---|---|---|---|",
        *(_row(id, about[id], by_id[id]) for id in proven),
        "",
        "## Not there yet",
        "",
        "| id | capability | why |",
        "|---|---|---|",
        *(f"| {id} | {text} | {reasons.get(id, 'missing')} |" for id, text in about.items() if id not in by_id),
    ]
    return "\n".join(lines) + "\n"


def _by_id(found: list[Proof]) -> dict[str, list[Proof]]:
    return {id: [proof for proof in found if id in proof.ids] for id in {id for proof in found for id in proof.ids}}


def _row(id: str, text: str, found: list[Proof]) -> str:
    tests = "<br>".join(f"`{proof.path}` {proof.name.removeprefix('test_').replace('_', ' ')}" for proof in found)
    requests = "<br>".join(f"`{request}`" for request in sorted({request for proof in found for request in proof.requests}))
    return f"| {id} | {text} | {tests} | {requests} |"
