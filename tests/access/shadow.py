"""A world in which there is only what the reader of another sees of it.

What the one answers to its reader, and the other to who sees all of it, must be the same: then nothing that is not seen had a part in it,
whatever is computed. What is seen comes from `rule`, so this knows nothing of the code under test either.
"""

from .rule import seen, versions
from .worlds import POLICIES, Item, World


def shadow(world: World) -> World:
    """What is seen of a world now, as a world: of what is not seen the names alone are left, so that something can refer to it."""
    there, told = seen(world), versions(world)
    views = POLICIES[world["policy"]]["types"]
    return {
        **world,
        "policy": "whole",
        "items": [_left(item, there=_name(item) in there, gone=(_name(item), len(item["states"]) + 1) in told) for item in world["items"]],
        "told": [each for each in world["told"] if f"Provenance/{each['id']}" in there],
        "withheld": {type: view["withheld"] for type, view in views.items() if "withheld" in view},
    }


def _left(item: Item, *, there: bool, gone: bool) -> Item:
    """As it is now from its first version on, so that it is stored as often, and before and after the same others."""
    now = item["states"][-1] if there or gone else None
    return {**item, "states": [now] * len(item["states"]), "deleted": gone}


def _name(item: Item) -> str:
    return f"{item['type']}/{item['id']}"
