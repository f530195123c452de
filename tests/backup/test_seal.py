"""A sealed file gives what was put into it, or nothing: each byte of it counts, and its end."""

import random
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.backup.seal import CHUNK, Sealing, Unsealed, name_of, read_key
from adapter.errors import Invalid
from tests.backup.conftest import KEY

KEYS = pytest.mark.parametrize("key", [None, KEY], ids=["plain", "encrypted"])


def sealed(pieces: Sequence[bytes], key: bytes | None) -> bytes:
    with tempfile.TemporaryFile() as file:
        sealing = Sealing(file, key)
        for piece in pieces:
            sealing.write(piece)
        sealing.close()
        file.seek(0)
        return file.read()


def opened(content: bytes, key: bytes | None) -> bytes:
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.seek(0)
        unsealed = Unsealed(file, key)
        return b"".join(iter(lambda: unsealed.read(CHUNK), b""))


def refused(content: bytes, key: bytes | None) -> bool:
    try:
        opened(content, key)
    except Invalid:
        return True
    return False


@KEYS
@given(data=st.data())
def test_what_was_put_in_comes_out_in_whatever_pieces_it_came(key: bytes | None, data: Any) -> None:
    size = data.draw(st.sampled_from([0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 2 * CHUNK + 7]) | st.integers(0, 3 * CHUNK))
    content = random.Random(size).randbytes(size)
    cuts = sorted(data.draw(st.lists(st.integers(0, size), max_size=4)))
    pieces = [content[start:end] for start, end in zip([0, *cuts], [*cuts, size], strict=True)]
    assert opened(sealed(pieces, key), key) == content


@KEYS
def test_each_changed_byte_and_each_cut_is_refused(key: bytes | None) -> None:
    file = sealed([b"Kanarifugl and others"], key)
    for place in range(len(file)):
        changed = file[:place] + bytes([file[place] ^ 1]) + file[place + 1 :]
        assert refused(changed, key), f"byte {place} was changed"
        assert refused(file[:place], key), f"cut at {place}"
    assert refused(file + b"\0", key)
    assert not refused(file, key)


@KEYS
@pytest.mark.parametrize("size", [2 * CHUNK, 3 * CHUNK + 5])
def test_chunks_cannot_be_left_out_or_exchanged(key: bytes | None, size: int) -> None:
    file = sealed([b"x" * size], key)
    line, body = file[: file.index(b"\n") + 1], file[file.index(b"\n") + 1 :]
    width = CHUNK + (16 if key else 32)
    chunks = [body[start : start + width] for start in range(0, len(body), width)]
    for left_out in range(len(chunks)):
        assert refused(line + b"".join(chunks[:left_out] + chunks[left_out + 1 :]), key)
    assert refused(line + b"".join([chunks[1], chunks[0], *chunks[2:]]), key)
    assert refused(line + b"".join(chunks[:1]), key)
    assert not refused(line + b"".join(chunks), key)


def test_an_encrypted_file_holds_nothing_that_was_put_in_and_two_are_not_the_same() -> None:
    one, other = sealed([b"Kanarifugl" * 9], KEY), sealed([b"Kanarifugl" * 9], KEY)
    assert b"Kanarifugl" not in one
    assert one != other
    assert KEY not in one
    assert KEY.hex().encode() not in one


def test_another_key_is_told_from_damage_by_its_name() -> None:
    file, other = sealed([b"x"], KEY), bytes(32)
    with pytest.raises(Invalid, match=f"encrypted with {name_of(KEY)}, and this one is {name_of(other)}"):
        opened(file, other)
    with pytest.raises(Invalid, match=f"is encrypted: name the file of its key \\({name_of(KEY)}\\)"):
        opened(file, None)


def test_with_a_key_what_is_not_encrypted_is_not_taken_for_ours() -> None:
    file = sealed([b"of somebody who can write where the backups lie"], None)
    with pytest.raises(Invalid, match="not encrypted: nothing shows who wrote it.*without --key and CASEBRIDGE_BACKUP_KEY"):
        opened(file, KEY)
    assert opened(file, None)


def test_another_format_is_named() -> None:
    file = sealed([b"x"], None)
    with pytest.raises(Invalid, match="is in format 2; this casebridge reads format 1"):
        opened(file.replace(b'"version": 1', b'"version": 2'), None)
    for other in (b"", b"PK\x03\x04", b"[]\n", b'{"format": "tar"}\n', b"\xff\xfe\n"):
        with pytest.raises(Invalid, match="no backup of casebridge"):
            opened(other, None)


def test_a_key_is_64_digits_in_a_file_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "backup.key"
    path.write_text(KEY.hex() + "\n")
    path.chmod(0o600)
    assert read_key(path) == KEY
    path.chmod(0o604)
    with pytest.raises(Invalid, match="Other users can read"):
        read_key(path)
    path.chmod(0o600)
    for wrong in ("", KEY.hex()[:-1], KEY.hex() + "00", "g" * 64):
        path.write_text(wrong)
        with pytest.raises(Invalid, match="64 hexadecimal digits"):
            read_key(path)
    with pytest.raises(Invalid, match="cannot be read"):
        read_key(tmp_path / "none")
