"""Every URL that the server makes, of a store with a whole story in it: ids are in them, and nothing else of a patient."""

import base64
import re
from collections import deque
from html import unescape
from urllib.parse import unquote, urlsplit

import pytest

_LINK = re.compile(r'(?:href|action|src)="([^"]*)"')
_IN_JSON = re.compile(r'"(?:url|fullUrl|location)":"((?:https?://localhost)?/?[^"]*)"')


@pytest.fixture
def told(repository, loaded):
    """What is said of patients, that no URL may tell: names, numbers, dates of birth, ways to reach them."""
    found = {"kanarifugl"}
    for stored in repository.scan("Patient"):
        raw = stored.raw
        found |= {each["value"].casefold() for name in ("identifier", "telecom") for each in raw.get(name, ()) if "value" in each}
        found |= {raw["birthDate"]} if "birthDate" in raw else set()
        found |= {line.casefold() for each in raw.get("address", ()) for line in each.get("line", ())}
    assert len(found) >= 4
    return found


def readable(url):
    """The URL, and what base64 hides in it."""
    parts = [unquote(url)]
    for text in re.findall(r"[A-Za-z0-9_-]{12,}", unquote(url)):
        if len(text) % 4 != 1:
            parts.append(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode("latin-1"))
    return "\n".join(parts).casefold()


def made_by(answer):
    """The URLs in an answer: where it sends, and what its page or Bundle leads to."""
    urls = [answer.headers[name] for name in ("Location", "Content-Location") if name in answer.headers]
    if answer.content_type.startswith("text/html"):
        return urls + [unescape(url) for url in _LINK.findall(answer.text)]
    return urls + _IN_JSON.findall(answer.text)


def crawled(client, starts, most):
    """Every URL that is made on pages that are reached from these, and how many pages were looked at."""
    seen, urls, due = set(), set(), deque(starts)
    while due and len(seen) < most:
        place = due.popleft()
        if place in seen:
            continue
        seen.add(place)
        answer = client.get(place)
        assert answer.status_code < 500, place
        for url in made_by(answer):
            urls.add(url)
            parts = urlsplit(url)
            if parts.netloc in ("", "localhost") and parts.path.startswith("/"):
                due.append(parts._replace(scheme="", netloc="", fragment="").geturl())
    return urls, len(seen)


def test_no_page_of_the_console_leads_to_a_url_that_tells_of_a_patient(stranger, loaded, dana, told):
    dana()
    urls, pages = crawled(stranger.client, ["/", "/team", f"/cases/{loaded}", f"/cases/{loaded}/plan"], 60)
    assert pages == 60
    assert f"/cases/{loaded}" in urls
    # Who is looked for is sent beside the address.
    assert 'method="post"' in re.search(r'<form class="find"[^>]*>', stranger.get("/people").text)[0]
    found = stranger.post("/people", q="kanarif")
    assert "River Kanarifugl" in found.text
    assert not [url for url in {*urls, *made_by(found)} if any(each in readable(url) for each in told)]


def test_no_link_of_fhir_that_the_caller_did_not_write_tells_of_a_patient(stranger, repository, loaded, told):
    starts = [f"/fhir/{type}?_count=2" for type in repository.types()]
    starts += [f"/fhir/Patient?_sort={order}&_count=1" for order in ("family", "-birthdate", "identifier", "phone", "address")]
    starts += ["/fhir/_history?_count=20", "/fhir/Patient/_history?_count=2", "/fhir/?_type=Patient,Practitioner&_sort=name&_count=1"]
    starts += [f"/fhir/Patient/{stored.id}/$everything" for stored in repository.scan("Patient")]
    urls, pages = crawled(stranger.client, starts, 250)
    assert pages > 100
    assert any("_cursor=" in url for url in urls)
    own = [url for url in urls if url.startswith(("http://localhost", "/"))]
    assert not [url for url in own if any(each in readable(url) for each in told)]
