"""What the links of a search keep to themselves."""

import base64
import re
import zlib
from contextlib import suppress
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.errors import Invalid
from server import create_app
from server.fhir.messages import Request
from server.fhir.routes import endpoint
from server.fhir.sealed import PARAMETER, Seal

from .fhir import Fhir, assert_outcome, fuzzed, patient

FORM = "application/x-www-form-urlencoded"
KEY = b"k" * 32


@pytest.fixture
def people(fhir):
    for number in range(5):
        fhir.put({**patient(str(number)), "id": f"p{number}", "birthDate": "1994"})
    return fhir


def links(answer):
    assert answer.status_code == 200, answer.text
    return {link["relation"]: link["url"] for link in answer.json["link"]}


def read(url):
    """What anybody can read in a URL: its text, and what base64 and zlib hide in it."""
    found = [unquote(url)]
    for text in re.findall(r"[A-Za-z0-9_-]{8,}", unquote(url)):
        packed = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)) if len(text) % 4 != 1 else b""
        found.append(packed.decode("latin-1"))
        with suppress(zlib.error):
            found.append(zlib.decompress(packed).decode("latin-1"))
    return "\n".join(found).casefold()


def followed(fhir, answer):
    """The ids on all pages, and the links of all of them."""
    ids, urls = [], []
    while True:
        ids += [each["resource"]["id"] for each in answer.json.get("entry", ()) if each["search"]["mode"] == "match"]
        urls += links(answer).values()
        if "next" not in links(answer):
            return ids, urls
        answer = fhir.send("GET", links(answer)["next"].partition("/fhir/")[2])


def test_who_searches_by_post_finds_nothing_of_it_in_the_links(people):
    form = "family=kanarifugl&birthdate=1994&_count=2"
    ids, urls = followed(people, people.send("POST", "Patient/_search", form, Content_Type=FORM))
    assert ids == ["p0", "p1", "p2", "p3", "p4"]
    assert len(urls) == 5
    for url in urls:
        assert url.startswith("http://localhost/fhir/Patient?_cursor=")
        assert not re.search("kanarifugl|birthdate|1994", read(url))


def test_what_the_url_of_a_search_by_post_says_its_links_say_and_no_more(people):
    answer = people.send("POST", "Patient/_search?_count=2", "family=kanarifugl", Content_Type=FORM)
    assert [name for name, _ in parse_qsl(urlsplit(links(answer)["self"]).query)] == ["_count", PARAMETER]
    again = people.send("GET", links(answer)["self"].partition("/fhir/")[2])
    assert (again.json["entry"], links(again)) == (answer.json["entry"], links(answer))


def test_the_name_at_which_a_sorted_page_ends_is_not_in_its_next_link(people):
    for query in (
        "Patient?_sort=family,birthdate&_count=2",
        "Patient?_sort=-name&_count=2",
        "?_type=Patient,Practitioner&_sort=name&_count=2",
    ):
        ids, urls = followed(people, people.send("GET", query))
        assert sorted(ids) == ["p0", "p1", "p2", "p3", "p4"]
        assert not any("kanarifugl" in read(url) for url in urls)


def test_several_types_and_a_compartment_have_such_links_too(people):
    for number in range(3):
        people.put(
            {
                "resourceType": "Flag",
                "id": f"f{number}",
                "status": "active",
                "code": {"text": "Kanarifugl"},
                "subject": {"reference": "Patient/p0"},
                "identifier": [{"value": "kanarifugl"}],
            }
        )
    for path, form, found in (
        ("_search", "_type=Patient,Flag&_count=3&_id=p1,p2,p3,p4,f0", ["f0", "p1", "p2", "p3", "p4"]),
        ("_search", "_type=Patient,Flag&_count=3&_sort=_id&_id=p1,p2,p3,p4,f0", ["f0", "p1", "p2", "p3", "p4"]),
        ("Patient/p0/Flag/_search", "_count=2&identifier=kanarifugl", ["f0", "f1", "f2"]),
    ):
        ids, urls = followed(people, people.send("POST", path, form, Content_Type=FORM))
        assert sorted(ids) == found
        assert not any(re.search("kanarifugl|p1,p2|identifier", read(url)) for url in urls)


def test_a_link_is_good_for_its_own_search_alone(people):
    link = links(people.send("POST", "Patient/_search", "family=kanarifugl&_count=2", Content_Type=FORM))["next"]
    sealed = parse_qsl(urlsplit(link).query)[0][1]
    for path in ("Practitioner", "Patient/p0/Flag", "", "Patient/_history"):
        assert people.send("GET", f"{path}?{PARAMETER}={sealed}").status_code == 400


def test_another_callers_link_is_none(repository, tmp_path, people):
    answer = endpoint(repository, tmp_path)

    def ask(asker, params):
        return answer(Request("GET", "Patient", "http://localhost/fhir", params, asker=asker, seal=Seal(KEY)))

    first = ask("north", [("_sort", "family"), ("_count", "2")])
    cursor = re.search(rf"{PARAMETER}=([\w-]+)", first.text)[1]
    assert ask("north", [("_sort", "family"), ("_count", "2"), (PARAMETER, cursor)]).status == 200
    with pytest.raises(Invalid):
        ask("south", [("_sort", "family"), ("_count", "2"), (PARAMETER, cursor)])


def test_servers_with_one_key_take_each_others_links(repository, people):
    one, same, other = (Fhir(create_app(repository, key=key).test_client()) for key in (KEY, KEY, b"o" * 32))
    link = links(one.send("POST", "Patient/_search", "family=kanarifugl&_count=2", Content_Type=FORM))["next"].partition("/fhir/")[2]
    assert same.send("GET", link).json == one.send("GET", link).json
    assert_outcome(other.send("GET", link), 400, "invalid")


def test_a_link_for_a_thousand_ids_is_short_enough_to_be_asked(people):
    ids = ",".join(["p0", "p1", "p2", *(f"8f14e45f-{number:04x}-4c3a-9f1b-{number * 7919:012x}" for number in range(1000))])
    answer = people.send("POST", "Patient/_search", f"_id={ids}&_count=2", Content_Type=FORM)
    assert len(links(answer)["next"]) < 32_000
    assert len(followed(people, answer)[0]) == 3


@given(st.text(), st.none() | st.text(), st.lists(st.tuples(st.text(), st.text()), max_size=5))
@fuzzed(100)
def test_what_is_sealed_is_opened_at_its_place_and_nowhere_else(place, cursor, params):
    seal = Seal(KEY)
    text = seal.sealed(place, cursor, params)
    assert re.fullmatch(r"[A-Za-z0-9_-]+", text)
    assert text == seal.sealed(place, cursor, params)
    assert seal.opened(place, text) == (cursor, params)
    for where, said in ((f"{place}x", text), (place, text[:-1]), (place, f"{text}A"), (place, ""), (place, "é")):
        with pytest.raises(Invalid):
            seal.opened(where, said)
