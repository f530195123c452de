"""Debian's Chromium at the console, watched: what it asks of whom, what its log says, and what axe-core finds on a page."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, sync_playwright

from .clients import programs
from .clients.programs import NotInstalled

WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
_PATIENCE = 90_000
"""So many milliseconds something is waited for that must come, on a machine that does much else."""
_RULES = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}}


class NoBrowser(RuntimeError):
    """There is no Chromium; the text says what to do."""


class Visitor:
    """One browser window at one server. What it should never see is collected in `astray` (requests to elsewhere) and `complaints`."""

    def __init__(self, page: Page, base: str, axe: str) -> None:
        self.page, self.base, self._axe = page, base, axe
        self.astray: list[str] = []
        self.complaints: list[str] = []
        page.set_default_timeout(_PATIENCE)
        page.on("request", self._requested)
        page.on("console", lambda message: self.complaints.append(message.text) if message.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _requested(self, request: Any) -> None:
        if urlsplit(request.url).scheme != "data" and not request.url.startswith(self.base):
            self.astray.append(request.url)

    def go(self, path: str) -> None:
        """Open a page of the console."""
        answer = self.page.goto(self.base + path)
        assert answer is not None
        assert answer.status == 200, (path, answer.status)

    def sign_in(self, name: str = "Dana Kanarifugl") -> None:
        """Say who is at the console."""
        self.go("/sign-in")
        self.page.get_by_role("button", name=name).click()
        self.page.wait_for_load_state()

    def violations(self) -> list[str]:
        """What on the page breaks a rule of WCAG 2.1 A or AA, as axe-core sees it, everything that folds being unfolded."""
        self.page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
        self.page.evaluate("Promise.all(document.getAnimations().map((each) => each.finished))")
        # Playwright's evaluation is no script of the page's, so the page's policy, which allows no other script, stays in force.
        self.page.evaluate(self._axe)
        found = self.page.evaluate("(rules) => axe.run(document, rules)", _RULES)
        return [f"{each['id']}: {node['html'][:160]}" for each in found["violations"] for node in each["nodes"]]

    def overflows(self) -> bool:
        """Whether the page is wider than the window."""
        return bool(self.page.evaluate("document.documentElement.scrollWidth > window.innerWidth"))

    def tab_to(self, name: str, role: str | None = None) -> None:
        """Press Tab until what has the focus is called by this name."""
        for _ in range(150):
            self.page.keyboard.press("Tab")
            if self.page.evaluate(_FOCUSED, [name, role]):
                return
        raise AssertionError(f"Tab never comes to {name}")


_FOCUSED = """([name, role]) => {
  const it = document.activeElement;
  const label = it.labels?.length ? it.labels[0].innerText : it.innerText;
  return (label || it.value || '').trim().startsWith(name) && (!role || it.type === role || it.tagName.toLowerCase() === role);
}"""


@contextmanager
def visiting(base: str) -> Iterator[Visitor]:
    """A visitor of the server at this address. Raises NoBrowser, or NotInstalled where axe-core cannot be had."""
    chromium = shutil.which("chromium")
    if chromium is None:
        raise NoBrowser("The command chromium is not here. On Debian: apt-get install chromium")
    axe = (programs.packages(Path(__file__).parent / "axe") / "node_modules" / "axe-core" / "axe.min.js").read_text("utf-8")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        try:
            yield Visitor(browser.new_page(viewport=WIDE), base, axe)
        finally:
            browser.close()


def visitors(base: str) -> Iterator[Visitor]:
    """One visitor of the server; the test is skipped where there is no browser, and fails in CI."""
    try:
        with visiting(base) as found:
            yield found
    except (NoBrowser, NotInstalled) as error:
        if os.environ.get("CI"):
            pytest.fail(str(error), pytrace=False)
        pytest.skip(str(error))
