"""Asking operations of the server under test."""

from typing import Any

import pytest
from werkzeug.test import TestResponse

from ..fhir import Fhir


class Operations:
    """Asks operations, with parameters written as (name, value element, value)."""

    def __init__(self, fhir: Fhir) -> None:
        self.fhir = fhir

    def ask(self, path: str, *items: tuple[str, str, Any]) -> TestResponse:
        return self.fhir.send("POST", path, {"resourceType": "Parameters", "parameter": [{"name": n, k: v} for n, k, v in items]})

    def pages(self, path: str) -> list[list[str]]:
        """The references on each page of a Bundle that is followed to its end."""
        found = []
        while path:
            answer = self.fhir.send("GET", path)
            assert answer.status_code == 200, answer.text
            found.append([f"{each['resource']['resourceType']}/{each['resource']['id']}" for each in answer.json.get("entry", [])])
            path = next((link["url"].partition("/fhir/")[2] for link in answer.json["link"] if link["relation"] == "next"), "")
        return found

    def all(self, path: str) -> set[str]:
        """All references on all pages, none of them twice."""
        found = [reference for page in self.pages(path) for reference in page]
        assert len(found) == len(set(found))
        return set(found)


@pytest.fixture
def operations(fhir: Fhir) -> Operations:
    return Operations(fhir)
