"""Whom bytes tell of: whole ids, wherever they stand."""

from server.audit import account
from server.audit.access import Access
from server.audit.told import people
from server.reply import Stream


def test_what_stands_first_has_nothing_before_it_that_would_make_it_a_reference():
    assert people(b'Patient/river "') == frozenset()
    assert people(b'"Patient/river"') == {"Patient/river"}


def test_blocks_that_end_in_the_midst_of_an_id_name_nobody_else(site, told, monkeypatch):
    monkeypatch.setattr(account, "_BLOCK", 4)
    pieces = [b'a"}\n{"b":"Patient/river-1', b'7"}\n{"resourceType":"Pat', b'ient","id":"no', b'or"}\n{"c":"Patient/riv']
    around = b'{"a":"Patient/alm', b'er"}\n'
    sent = site.gate.account._streamed(Access("export-file", None), Stream(iter(pieces), None, around))
    assert b"".join(sent.pieces) == b"".join(pieces)
    assert [sorted(event["patients"]) for event in told()] == [["Patient/alma"], ["Patient/river-17"], ["Patient/noor"], ["Patient/river"]]
