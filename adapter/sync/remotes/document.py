"""The tables of docs/remotes.md, made from what they tell of."""

from collections.abc import Iterable, Sequence
from dataclasses import MISSING

from adapter.sync.remotes import preset
from adapter.sync.remotes.probes import PROBES
from adapter.sync.remotes.remote import Remote
from adapter.sync.remotes.settings import meanings, settings_of, shown
from adapter.sync.remotes.strategy import RULES, Strategy


def tables() -> dict[str, str]:
    """Each table as Markdown, by the name of its place in the page."""
    return {"settings": _settings(), "presets": _presets(), "probes": _probes(), "strategy": _strategy()}


def _settings() -> str:
    told = meanings(Remote)
    rows = (
        (f"`{each.name}`", each.kind, "" if each.default is MISSING else shown(each.default), told.get(each.name, ""))
        for each in settings_of(Remote).values()
    )
    return _table(("setting", "kind", "default", "what it does"), rows)


def _presets() -> str:
    rows = []
    for found in map(preset.preset, preset.names()):
        tried = sum(fact.verified for fact in found.facts)
        rows.append((f"[`{found.name}`](../adapter/sync/remotes/presets/{found.name}.toml)", found.title, f"{tried} of {len(found.facts)}"))
    return _table(("preset", "for", "facts that we verified"), rows)


def _probes() -> str:
    rows = []
    for name, each in PROBES.items():
        means = [f"{'else' if answer is None else shown(answer)}: {meaning}" for answer, meaning in each.means.items()]
        rows.append((f"`{name}`", each.question, "; ".join(means)))
    return _table(("finding", "question", "what an answer means for a sync"), rows)


def _strategy() -> str:
    told = meanings(Strategy)
    return _table(("choice", "what it is", "follows from"), [(f"`{name}`", told[name], rule.follows) for name, rule in RULES.items()])


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return "\n".join(_line(row) for row in (head, ("---",) * len(head), *rows))


def _line(cells: Sequence[str]) -> str:
    escaped = [cell.replace("|", "\\|") for cell in cells]
    return f"| {' | '.join(escaped)} |".replace("  ", " ")
