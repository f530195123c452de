"""The console, as who works on cases sees it: pages are what they would be if there were nothing but what is seen."""

from random import Random

from ..stage import Told
from .casework import CONCEPTS

_OF_A_CASE = ("", "/timeline", "/plan", "/plan/templates", "/screening")


def ask(told: Told, chance: Random) -> None:
    """A page across cases, and one about something."""
    if told.world["worked"]:
        for path in (chance.choice(("", "?list=overdue", "?list=urgent", "people?q=Kanarifugl")), _about(told, chance)):
            told.as_alone(path, told.work("GET", path))


def _about(told: Told, chance: Random) -> str:
    """The path of a page about something of the world."""
    name = chance.choice([name for name in told.items if name.partition("/")[0] in CONCEPTS])
    cases = [each for each in told.items if each.startswith("EpisodeOfCare/")]
    if not cases or chance.random() < 0.4:
        return f"records/{CONCEPTS[name.partition('/')[0]]}/{told.local(name).partition('/')[2]}"
    case = told.local(chance.choice(cases)).partition("/")[2]
    return f"cases/{case}{chance.choice([f'/why/{told.local(name)}', *_OF_A_CASE])}"
