"""docs/api.md says what is so: its examples are tried, its tables are current."""

import json
import re
import shlex
from pathlib import Path
from urllib.parse import urlsplit

from adapter.cli.docs import filled
from server.api import document

from .conftest import SAM, case, new_client, problem

PAGE = (Path(__file__).parents[3] / "docs" / "api.md").read_text("utf-8")
BLOCKS = re.findall(r"```\n(.*?)```", PAGE, re.DOTALL)


def test_the_tables_are_made_of_the_routes():
    assert filled(PAGE, document.tables()) == PAGE


def test_the_first_request_registers_a_case_manager(client):
    words = shlex.split(BLOCKS[0])
    headers = dict(words[at + 1].split(": ", 1) for at, word in enumerate(words) if word == "-H")
    path = urlsplit(f"http://{next(word for word in words if word.startswith('localhost'))}").path
    answer = client.open(path, method=words[words.index("-X") + 1], data=words[words.index("-d") + 1], headers=headers)
    assert (answer.status_code, answer.json["discipline"]) == (201, "nurse")


def test_the_record_that_is_shown_is_one(api, alma):
    shown = json.loads(BLOCKS[1])
    made = api.create("goals", {**shown, "client": alma})
    assert made.keys() == shown.keys()
    assert made["meta"].keys() == shown["meta"].keys()


def test_the_problem_that_is_shown_is_one(api, alma):
    sam = api.get("case-managers/sam")
    api.put("case-managers/sam", {**sam, "caseload_limit": 1})
    api.create("cases", case(new_client(api, "river"), case_manager=SAM))
    told = problem(api.send("POST", "cases", case(case_manager=SAM)), 409)
    shown = json.loads(BLOCKS[2])
    assert told.keys() == shown.keys()
    assert (told["rule"], told["errors"][0]["path"]) == (shown["rule"], shown["errors"][0]["path"])
