"""How far this server and HAPI agreed when they were last compared: `agreement.json`, made by `python -m tests.live.agreement`."""

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources


@dataclass(frozen=True)
class Category:
    """A kind of question. `scored` leaves out what HAPI refuses; `informative` also what it answers with nothing or with everything."""

    category: str
    asked: int
    scored: int
    agree: int
    informative: int
    informative_agree: int
    judged: int
    """How many HAPI answers or the tester's referee, which reads R4 by itself, can judge."""
    fair: int
    """How many of these are answered as HAPI or the referee does."""
    explained: int
    """How many of those that do not agree are explained by `disagreements`."""


@dataclass(frozen=True)
class Agreement:
    """What was compared, when and how; pairs are (right, judged) of the referee and (passed, checks) of the protocol battery."""

    date: str
    command: str
    categories: tuple[Category, ...]
    here: tuple[int, int]
    there: tuple[int, int]
    battery: tuple[int, int]


@cache
def measured() -> Agreement:
    """The last comparison."""
    told = json.loads(resources.files("adapter.store").joinpath("agreement.json").read_text("utf-8"))
    categories = tuple(Category(**row) for row in told["categories"])
    referee = told["referee"]
    return Agreement(told["date"], told["command"], categories, (*referee["here"],), (*referee["there"],), (*told["battery"],))
