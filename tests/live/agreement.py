"""The figures of docs/search.md from what fhirdiff, a differential tester of FHIR servers, wrote down about HAPI (A) and this server (B).

python -m tests.live.agreement diff.json diff-battery-B.json --date 2026-11-22 --command 'fhirdiff.py all …'
"""

import argparse
import json
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from adapter.store import agreement
from adapter.store.disagreements import Effect, explained

_SCORED = ("agree", "differ", "b_rejects", "b_error")


def figures(compared: dict[str, Any], battery: list[dict[str, Any]], date: str, command: str) -> dict[str, Any]:
    """What agreement.json holds, of the tester's two files."""
    reasons = Counter(query["cat"] for query in compared["queries"] if query["verdict"] in _SCORED and _explained(query))
    categories = [
        {
            "category": name,
            "asked": told["n"],
            "scored": sum(told.get(verdict, 0) for verdict in _SCORED),
            "agree": told.get("agree", 0),
            "informative": told.get("i_n", 0),
            "informative_agree": told.get("i_ok", 0),
            "judged": told.get("f_n", 0),
            "fair": told.get("f_ok", 0),
            "explained": reasons[name],
        }
        for name, told in sorted(compared["summary"].items())
    ]
    referee = compared["referee"]
    return {
        "date": date,
        "command": command,
        "categories": categories,
        "referee": {"here": [referee["B_ok"], referee["B_n"]], "there": [referee["A_ok"], referee["A_n"]]},
        "battery": [sum(check["status"] == "PASS" for check in battery), len(battery)],
    }


def _explained(query: dict[str, Any]) -> bool:
    path, _, params = query["path"].partition("?")
    parts = [path, *(f"{name}={value}" for name, value in parse_qsl(params, keep_blank_values=True))]
    return query["verdict"] != "agree" and bool(explained(parts, _effects(query)))


def _effects(query: dict[str, Any]) -> set[Effect]:
    """What the difference is, as the tester's words say it."""
    detail = query["detail"]
    if query["verdict"] == "b_rejects" or query["mode"] == "error":
        return {Effect.REFUSED}
    if detail.startswith("_elements"):
        return {Effect.FULLER}
    only = {Effect.FEWER: "onlyA ['", Effect.MORE: "onlyB ['"}
    return {effect for effect, words in only.items() if words in detail}


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.live.agreement", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("compared", type=Path)
    parser.add_argument("battery", type=Path)
    parser.add_argument("--date", required=True)
    parser.add_argument("--command", required=True)
    asked = parser.parse_args()
    told = figures(json.loads(asked.compared.read_text()), json.loads(asked.battery.read_text()), asked.date, asked.command)
    Path(agreement.__file__).with_name("agreement.json").write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
