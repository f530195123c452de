"""Texts that no careful client sends, in every place where a text can be: the server answers, and every refusal is an OperationOutcome."""

import json
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server import create_app

from .fhir import SYSTEM, Fhir, fuzzed, patient, transaction

TEXTS = (
    *(
        "",
        "\x00",
        "%",
        "%zz",
        "%ff",
        "%00",
        "%ed%a0%80",
        "\xff",
        "|",
        "a|",
        "|a",
        "$",
        "$$",
        "\\",
        "\\,",
        ",",
        ",,,",
        "*",
        "..",
        "//",
        "(?",
        "[",
    ),
    *(
        "-1",
        "NaN",
        "Infinity",
        "1e99999",
        "1e-99999",
        "9" * 400,
        "0x1",
        "2025-13",
        "0000",
        "10000",
        "9999-12-31T23:59:60Z",
        "ge",
        "sa0001-01-01",
    ),
    *("http://[", "http://localhost/fhir/Patient/p", "Patient/p/_history/x", "urn:uuid:x", '{"$gt":""}', "é", "\u202e", "\U0001d518", "ß"),
    *("5.4e400|http://u|kg", "lt9999999999", "ap2025", "a$b", "a" * 5000, ",".join("a" * 3000), "🐦" * 700),
)
NAMES = (
    *(
        "_id",
        "identifier",
        "name",
        "birthdate",
        "_lastUpdated",
        "_count",
        "_sort",
        "_include",
        "_revinclude",
        "_include:iterate",
        "_cursor",
    ),
    *(
        "_has:Observation:patient:code",
        "_has",
        "_has:::::",
        "general-practitioner.name",
        "organization:Organization.name",
        "_summary",
        "_type",
    ),
    *(
        "_elements",
        "_total",
        "_format",
        "_pretty",
        "_list",
        "_tag",
        "_profile:below",
        "_source:above",
        "address:contains",
        "name:exact",
        "$where",
    ),
    *(
        "identifier:missing",
        "identifier:text",
        "gender:not",
        "gender:in",
        "a.b.c.d.e.f.g",
        "_id.",
        "_contained",
        "_filter",
        "_since",
        "_at",
        "mode",
    ),
)
PATHS = (
    *("Patient", "Patient/p", "Patient/p/_history", "Patient/_history", "_history", "", "Patient/_search", "_search", "metadata", "Bundle"),
    *(
        "Patient/p/Observation",
        "Patient/p/Observation/_search",
        "Patient/$validate",
        "Patient/p/$everything",
        "Patient/p/$meta",
        "Patient/$",
    ),
    *(
        "Patient/\x00",
        "Patient/" + "a" * 70,
        "Patient/p/",
        "/Patient",
        "Patient//p",
        "Patient/../q",
        "Patient/p/_history/" + "9" * 20,
        "patient",
    ),
    *(
        "Patient/p/_history/\xb2",
        "Pati\xffent",
        "Patient/é".encode().decode("latin-1"),
        "Patient;x=1",
        "Patient/p/Patient/p",
        "$x",
        ".",
        "%",
    ),
)
HEADERS = (
    *("If-Match", "If-None-Match", "If-Modified-Since", "If-None-Exist", "Prefer", "Accept", "Accept-Encoding", "Content-Type"),
    *(
        "Content-Encoding",
        "X-HTTP-Method-Override",
        "Origin",
        "Access-Control-Request-Method",
        "Range",
        "Expect",
        "X-Forwarded-Host",
        "Cookie",
    ),
)
HEADER_TEXTS = (
    *(
        'W/"1"',
        '"1"',
        "W/1",
        'W/"1',
        "*",
        'W/"1", W/"2"',
        'W/"\xb2"',
        "a/b",
        "/",
        ";",
        "application/fhir+json;charset=utf-16",
        "application/json;;;",
    ),
    *(
        "application/json-patch+json",
        "application/merge-patch+json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
    ),
    *("return=", "handling=foo", "respond-async", "gzip", "br", "gzip, gzip", "q=;q=;", "DELETE", "bytes=0-1", "100-continue", "x" * 5000),
    *(
        "Sat, 01 Jan 0000 00:00:00 GMT",
        "Sat, 99 Jan 2100",
        "2100-01-01",
        "-1",
        "9" * 30,
        "identifier=s|1",
        "_count=1",
        "&&&",
        "%00=%00",
        "\xe9",
    ),
)
BODIES = (
    *(
        b"",
        b"{",
        b"[]",
        b"null",
        b"0",
        b'"x"',
        b"{}",
        b"\xff",
        b"\xef\xbb\xbf{}",
        b"\x00",
        b"NaN",
        b"[" * 50_000,
        b'{"a":' * 50_000,
        b"a=b&\xff=%00",
    ),
    b'{"resourceType":"Patient","x":NaN}',
    b'{"resourceType":"Patient","id":"p","id":"q"}',
    b'{"resourceType":"Patient","resourceType":"Observation","id":"p"}',
    b'{"resourceType":"Patient","id":"p","multipleBirthInteger":99999999999999999999999999999999}',
    b'{"resourceType":"Patient","id":"p","multipleBirthInteger":1e400}',
    b'{"resourceType":"Patient","id":"p","name":[{"family":"\\ud800"}]}',
    b'{"resourceType":"Patient","id":"p","name":[{"family":"\\u0000"}]}',
    b'{"resourceType":"Patient","id":"p","name":[{"family":"\xed\xa0\x80"}]}',
    b'{"resourceType":"Patient","id":"p","":1}',
    b'{"resourceType":"Patient","id":"p","$x":1,"a.b":1}',
    b'{"resourceType":"Patient","id":"p","extension":[{"url":"u","valueDecimal":1e-500}]}',
    b'{"resourceType":"Patient","id":"p","extension":[{"url":"u","valueDecimal":1E+6145}]}',
    b'{"resourceType":"Patient","id":"p","deceasedDateTime":"9999-12-31T23:59:59+14:00"}',
    b'{"resourceType":"Patient","id":"p","deceasedDateTime":"0001-01-01T00:00:00-14:00"}',
    b'{"resourceType":"Patient","id":"p","meta":{"lastUpdated":"x","versionId":5,"tag":[null]}}',
    b'{"resourceType":"Patient","id":"p","generalPractitioner":[{"reference":""},{"reference":"Practitioner/"},{"reference":"#x"}]}',
    b'{"resourceType":"RiskAssessment","id":"o","status":"final","subject":{"reference":"Patient/p"},"prediction":[{"probabilityDecimal":1e-6177}]}',
    b'{"resourceType":"Parameters","parameter":[{"name":"resource","resource":{}}]}',
    b'[{"op":"add","path":"/' + b"a/" * 3000 + b'","value":1}]',
    b"&".join([b"name=a"] * 3000),
    b"name=" + b",".join([b"abcdef"] * 3000),
)
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "get")
KINDS = (
    "application/fhir+json",
    "application/json",
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/x-www-form-urlencoded",
)
one = st.sampled_from


@pytest.fixture(params=[False, True], ids=["free", "integrity"])
def fhir(repository, request):
    fhir = Fhir(create_app(repository, integrity=request.param).test_client())
    fhir.put(patient(id="p"))
    return fhir


def asked(fhir, method, path, query="", body=b"", headers=()):
    """The answer to a request whose path and query are sent as they are."""
    raw = {"PATH_INFO": f"/fhir/{path}", "QUERY_STRING": query}
    return fhir.client.open("/fhir/x", method=method, data=body, headers=dict(headers), environ_overrides=raw)


def assert_answered(answer, method="GET"):
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400 and method != "HEAD":
        assert answer.content_type == "application/fhir+json"
        assert answer.json["resourceType"] == "OperationOutcome"
        assert "kanarifugl" not in answer.text.casefold()
    elif answer.data:
        json.loads(answer.data)


@given(one(METHODS), one(PATHS), one(NAMES), one(TEXTS), one(KINDS), one(BODIES))
@fuzzed(100)
def test_any_path_query_and_body_is_answered(fhir, method, path, name, text, kind, body):
    assert_answered(asked(fhir, method, path, f"{quote(name)}={quote(text)}", body, {"Content-Type": kind}), method)


@given(
    one(("GET", "PUT", "POST", "PATCH", "DELETE")),
    one(("Patient", "Patient/p", "")),
    st.lists(st.tuples(one(HEADERS), one(HEADER_TEXTS)), max_size=3),
)
@fuzzed(100)
def test_any_header_is_answered(fhir, method, path, headers):
    assert_answered(asked(fhir, method, path, "", json.dumps(patient(id="p")) if method in ("PUT", "POST") else b"", headers), method)


@given(one(PATHS), st.lists(st.tuples(one(NAMES), one(TEXTS)), max_size=5), one(("strict", "lenient")))
@fuzzed(100)
def test_any_query_is_answered(fhir, path, query, handling):
    assert_answered(asked(fhir, "GET", path, urlencode(query), headers={"Prefer": f"handling={handling}"}))


@given(one(PATHS), st.binary(max_size=40))
@fuzzed(100)
def test_any_bytes_in_a_query_are_answered(fhir, path, query):
    assert_answered(asked(fhir, "GET", path, query.decode("latin-1")))


CONDITIONS = st.dictionaries(
    one(("ifMatch", "ifNoneMatch", "ifModifiedSince", "ifNoneExist")), one((*HEADER_TEXTS, None, 1, [])), max_size=2
)
URLS = one((*PATHS, *(f"Patient?{name}={text[:100]}" for name in NAMES[:8] for text in TEXTS), None, 5, [], {}))
REQUESTS = st.builds(lambda method, url, more: {"method": method, "url": url, **more}, one((*METHODS, None, 1)), URLS, CONDITIONS)
RESOURCES = one(
    ([], None, patient(id="p"), patient(), {"resourceType": "Binary"}, {"resourceType": "Bundle"}, {"resourceType": "Parameters"})
)
FULL_URLS = one(
    ("urn:uuid:1", "urn:uuid:2", "http://a.example/Patient/1", "Patient/p", "", None, 5, "http://localhost/fhir/Patient/p", "x" * 5000)
)
ENTRIES = st.fixed_dictionaries({"request": REQUESTS}, optional={"resource": RESOURCES, "fullUrl": FULL_URLS}) | one((None, 1, [], "x"))


@given(one(("batch", "transaction", "history", None, 5)), st.lists(ENTRIES, max_size=4))
@fuzzed(100)
def test_any_bundle_of_such_entries_is_answered(fhir, kind, entries):
    answer = fhir.send("POST", "", transaction(*entries, type=kind))
    assert_answered(answer)
    for item in answer.json.get("entry", ()) if answer.status_code == 200 else ():
        assert item["response"]["status"][0] in "234"
        if item["response"]["status"][0] == "4":
            assert item["response"]["outcome"]["resourceType"] == "OperationOutcome"


def next_link(fhir, path):
    return next(link["url"] for link in fhir.send("GET", path).json["link"] if link["relation"] == "next").partition("_cursor=")[2]


@pytest.mark.parametrize(
    "path", ["Patient", "Patient?_sort=-name,birthdate", "_history", "Patient/_history", "Patient/p/_history", "?_sort=_id"]
)
def test_a_cursor_that_was_tampered_with_is_answered(fhir, path):
    for number in range(3):
        fhir.create(patient(str(number)))
        fhir.put(patient(str(number), id="p"))
        fhir.create({"resourceType": "Basic", "code": {"text": "Kanarifugl"}})
    mark = "&" if "?" in path else "?"
    cursor = next_link(fhir, f"{path}{mark}_count=1")

    @fuzzed(40)
    @given(st.integers(0, len(cursor)), st.integers(0, 3), st.text("AZaz09_-.%=~[]", max_size=4) | one(TEXTS))
    def ask(place, cut, text):
        tampered = cursor[:place] + quote(text) + cursor[place + cut :]
        assert_answered(fhir.send("GET", f"{path}{mark}_count=1&_cursor={tampered}"))

    ask()


@pytest.mark.parametrize(
    "query",
    [
        "identifier=" + ",".join(["a" * 90] * 3000),
        "name=" + "a" * 1000,
        "name=" + ",".join(f"kanarifugl{number}" for number in range(100)),
        "name:contains=" + "a" * 1000,
        "_profile:below=http://x.example/" + "a" * 1000,
        "identifier:text=" + "a" * 1000,
        "_source:above=http://x.example/" + "a/" * 1500,
        "&".join(["name=a"] * 1001),
    ],
)
def test_a_search_that_is_too_long_is_refused(fhir, query):
    for answer in (asked(fhir, "GET", "Patient", query), asked(fhir, "POST", "Patient", query, json.dumps(patient()))):
        assert answer.status_code == 400
        assert_answered(answer)
    assert asked(fhir, "POST", "Patient", body=json.dumps(patient()), headers={"If-None-Exist": query}).status_code == 400


def test_a_search_may_name_thousands(fhir):
    ids = ",".join(f"{SYSTEM}|{number}" for number in range(5000))
    found = fhir.send("POST", "Patient/_search", f"identifier={ids}", Content_Type="application/x-www-form-urlencoded")
    assert [item["resource"]["id"] for item in found.json["entry"]] == ["p"]
