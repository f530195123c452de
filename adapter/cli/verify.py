"""`casebridge verify`: whether the store holds together."""

from collections import Counter

import click

from adapter.cli.connection import repository
from adapter.cli.exits import Failure
from adapter.cli.terminal import as_json, line, progress
from adapter.store.verify import Finding
from adapter.store.verify import verify as findings

_SHOWN = 100


@click.command()
@click.option("--repair", is_flag=True, help="Write search indexes anew where they are wrong; nothing else is touched.")
@click.option("--notes", is_flag=True, help="Also list what is worth knowing and no fault, such as references to what is not here.")
@click.option("--json", "json", is_flag=True, help="As JSON.")
def verify(repair: bool, notes: bool, json: bool) -> None:
    """Check that the store holds together.

    Every resource is compared with its record, index, links and history. The exit code is 1 if something does not hold. Types and ids
    are shown, no content.

    \b
      casebridge verify
      casebridge verify --repair --json
    """
    found: list[Finding] = []
    count: Counter[bool] = Counter()
    checked: dict[str, int] = {}
    with repository() as opened, progress() as report:

        def tell(what: str, done: int, total: int) -> None:
            checked[what] = done
            report(what, done, total)

        for finding in findings(opened, repair=repair, progress=tell):
            count[finding.note] += 1
            if json or ((notes or not finding.note) and len(found) < _SHOWN):
                found.append(finding)
    faults = count[False]
    repaired = sum(finding.repaired for finding in found)
    if json:
        as_json({"checked": sum(checked.values()), "faults": faults, "notes": count[True], "findings": [each.to_json() for each in found]})
    else:
        for each in found:
            line(f"{each.resource} {each.kind}: {each.text}{' (repaired)' if each.repaired else ''}")
        if len(found) < faults + (count[True] if notes else 0):
            line("… and more; --json lists all.")
        line(f"{sum(checked.values())} resources checked: {faults or 'no'} fault{'' if faults == 1 else 's'}, {count[True]} notes.")
    if faults > repaired:
        raise Failure
