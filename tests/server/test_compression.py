"""gzip, both ways: https://www.rfc-editor.org/rfc/rfc9110#section-8.4"""

import gzip
import json

import pytest

from adapter.store.repository import Repository
from server import create_app
from server.compression import SMALLEST, takes_gzip

from .fhir import Fhir, assert_outcome, patient

LONG = {"text": {"status": "additional", "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{"Kanarifugl " * 200}</div>'}}


@pytest.mark.parametrize(
    ("accepted", "taken"),
    [
        ("", False),
        ("identity", False),
        ("br, deflate", False),
        ("gzip", True),
        ("GZIP", True),
        ("gzip, deflate, br", True),
        ("deflate;q=0.5, x-gzip;q=0.1", True),
        ("*", True),
        ("br;q=1.0, gzip;q=0.8, *;q=0.1", True),
        ("gzip;q=0", False),
        ("gzip; q=0.000", False),
        ("*;q=0", False),
        ("*;q=0, gzip", True),
        ("gzip;q=0, *", False),
        (";;,=,", False),
    ],
)
def test_gzip_is_taken_where_the_caller_says_so(accepted, taken):
    assert takes_gzip(accepted) is taken


def test_a_long_answer_is_packed_for_those_who_take_it(fhir):
    id = fhir.create(patient(**LONG))["id"]
    plain = fhir.send("GET", f"Patient/{id}")
    packed = fhir.send("GET", f"Patient/{id}", Accept_Encoding="gzip")
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.data) == plain.data
    assert int(packed.headers["Content-Length"]) == len(packed.data) < len(plain.data)
    assert packed.headers["ETag"] == plain.headers["ETag"]
    # A cache must not give one of them to a caller of the other.
    assert plain.vary.to_header() == packed.vary.to_header() == "Accept-Encoding"


def test_a_short_answer_is_not_packed(fhir):
    id = fhir.create(patient())["id"]
    answer = fhir.send("GET", f"Patient/{id}", Accept_Encoding="gzip")
    assert len(answer.data) < SMALLEST
    assert "Content-Encoding" not in answer.headers


def test_what_has_no_body_is_not_packed(fhir):
    id = fhir.create(patient(**LONG))["id"]
    unchanged = fhir.send("GET", f"Patient/{id}", Accept_Encoding="gzip", If_None_Match='W/"1"')
    assert (unchanged.status_code, unchanged.data) == (304, b"")
    head, get = (fhir.send(method, f"Patient/{id}", Accept_Encoding="gzip") for method in ("HEAD", "GET"))
    assert head.data == b""
    assert {name: head.headers[name] for name in ("Content-Length", "Content-Encoding", "ETag")} == {
        name: get.headers[name] for name in ("Content-Length", "Content-Encoding", "ETag")
    }


def test_a_packed_body_is_understood(fhir):
    body = gzip.compress(json.dumps(patient(**LONG)).encode())
    answer = fhir.send("POST", "Patient", body, Content_Encoding="gzip")
    assert answer.status_code == 201
    assert answer.json["text"] == LONG["text"]
    assert fhir.send("POST", "Patient", json.dumps(patient()), Content_Encoding="identity").status_code == 201


def test_a_small_body_that_unpacks_to_a_huge_one_is_refused(database):
    small = Fhir(create_app(Repository(database), max_body=100_000).test_client())
    bomb = gzip.compress(json.dumps(patient(note="Kanarifugl" * 20_000)).encode())
    assert len(bomb) < 2_000
    assert_outcome(small.send("POST", "Patient", bomb, Content_Encoding="gzip"), 413, "too-long")


@pytest.mark.parametrize(
    "damage", [lambda body: body[:-5], lambda body: body + b"Kanarifugl", lambda body: b"Kanarifugl" + body, lambda body: b"{}"]
)
def test_a_body_that_is_not_one_whole_gzip_stream_is_refused(fhir, damage):
    body = damage(gzip.compress(json.dumps(patient()).encode()))
    assert_outcome(fhir.send("POST", "Patient", body, Content_Encoding="gzip"), 400, "invalid")


@pytest.mark.parametrize("encoding", ["br", "deflate", "gzip, gzip", "Kanarifugl"])
def test_another_packing_is_refused(fhir, encoding):
    assert_outcome(fhir.send("POST", "Patient", b"Kanarifugl", Content_Encoding=encoding), 415, "not-supported")
