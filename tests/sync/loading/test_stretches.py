"""A large file in stretches: together they are the file, each whole lines, and what is read from each is what is read from all of it."""

import gzip
import json
import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as some

from adapter.sync.loading import stretches as cutting
from adapter.sync.loading.files import resources
from adapter.sync.loading.stretches import MB, stretch_at, stretches
from tests.cli.conftest import patient

LINES = some.lists(some.binary(max_size=30).map(lambda line: line.replace(b"\n", b"")), max_size=30)


@pytest.fixture
def small(monkeypatch) -> None:
    """A stretch is some 100 bytes."""
    monkeypatch.setattr(cutting, "_LEAST", 100)


@given(LINES, some.booleans(), some.integers(1, 200), some.integers(1, 9))
def test_stretches_are_all_of_a_file_in_whole_lines_and_no_more_of_them_than_may_be(lines, ended, least, most):
    text = b"\n".join(lines) + b"\n" * ended
    with pytest.MonkeyPatch.context() as patch, TemporaryDirectory() as folder:
        patch.setattr(cutting, "_LEAST", least)
        patch.setattr(cutting, "_IN_A_FILE", most)
        path = Path(folder) / "a.ndjson"
        path.write_bytes(text)
        found = stretches(path)
        again = [stretch_at(path, each.start, each.line) for each in found]
    read = [text[each.start : each.start + each.size] for each in found]
    assert b"".join(read) == text
    assert [each.start for each in found] == [sum(map(len, read[:number])) for number in range(len(read))]
    assert all(each.endswith(b"\n") for each in read[:-1])
    assert [each.line for each in found] == [1 + sum(each.count(b"\n") for each in read[:number]) for number in range(len(read))]
    assert sum(each.lines for each in found) == text.count(b"\n") + (text[-1:] not in (b"", b"\n"))
    assert 1 <= len(found) <= most
    assert again == found


def test_what_is_read_in_stretches_is_what_is_read_in_one_go(tmp_path, small):
    rows = [json.dumps(patient(f"p{number}")) for number in range(40)]
    rows[7:7] = ["", "{", "  ", "x" * 300, json.dumps({"resourceType": "Bundle", "entry": [{"resource": patient("in")}, "odd"]})]
    path = tmp_path / "a.ndjson"
    path.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(rows).encode())
    found = stretches(path)
    assert len(found) > 10
    parts = [[*resources(path, each, limit=250)] for each in found]
    assert [item for part in parts for item in part] == [*resources(path, limit=250)]
    assert any("over the limit" in item.fault for part in parts for item in part)


@pytest.mark.parametrize(
    ("name", "pack"), [("a.ndjson.gz", gzip.compress), ("a.ndjson.zst", zstandard.compress), ("a.json", bytes), ("a.txt", bytes)]
)
def test_what_is_packed_or_one_text_is_one_stretch(tmp_path, small, name, pack):
    path, text = tmp_path / name, b'{"resourceType": "Patient"}\n' * 100
    path.write_bytes(pack(text))
    [whole] = stretches(path)
    assert (whole.start, whole.size, whole.line) == (0, path.stat().st_size, 1)
    assert whole.lines == (100 if "ndjson" in name else 0)
    assert [*resources(path, whole)] == [*resources(path)]


def test_an_empty_file_is_one_stretch_and_a_pipe_none(tmp_path):
    (tmp_path / "a.ndjson").touch()
    assert [(each.size, each.lines) for each in stretches(tmp_path / "a.ndjson")] == [(0, 0)]
    os.mkfifo(tmp_path / "b.ndjson")
    assert stretches(tmp_path / "b.ndjson") == []
    assert stretches(tmp_path / "c.ndjson") == []


def test_a_change_is_seen_in_its_own_stretch_alone(tmp_path, small):
    path = tmp_path / "a.ndjson"
    path.write_bytes(b"{}\n" * 200)
    before = stretches(path)
    assert len(before) == 6
    path.write_bytes(b"{}\n" * 100 + b"[]\n" + b"{}\n" * 99)
    assert [old == new for old, new in zip(before, stretches(path), strict=True)] == [True, True, False, True, True, True]


def test_small_files_are_one_stretch_and_large_ones_are_cut_in_no_more_than_keep_a_crowd_busy(tmp_path):
    path = tmp_path / "a.ndjson"
    path.write_bytes(b"{}\n" * (MB // 3))
    assert len(stretches(path)) == 1
    path.write_bytes(b"{}\n" * (2 * MB))
    assert [each.size // MB for each in stretches(path)] == [1, 1, 1, 1, 1, 0]
