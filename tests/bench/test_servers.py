import pymongo.uri_parser
import pytest

from tests.bench.servers import on_database


@pytest.mark.parametrize(
    ("uri", "source"),
    [
        ("mongodb://db1:27017,db2:27018/?replicaSet=rs0", None),
        ("mongodb://db1/casebridge", None),
        ("mongodb://nurse:secret@db1/casebridge?replicaSet=rs0", "casebridge"),
        ("mongodb://nurse:secret@db1/casebridge?authSource=admin", "admin"),
    ],
)
def test_another_database_is_named_and_the_user_stays_where_it_is(uri, source):
    before, after = pymongo.uri_parser.parse_uri(uri), pymongo.uri_parser.parse_uri(on_database(uri, "bench_1"))
    assert after["database"] == "bench_1"
    assert after["options"].get("authSource") == source
    assert [after[part] for part in ("nodelist", "username", "password")] == [before[part] for part in ("nodelist", "username", "password")]
    assert after["options"].get("replicaSet") == before["options"].get("replicaSet")
