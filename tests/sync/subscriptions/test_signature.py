"""The key of a site, and what is derived from it."""

import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from adapter.config import Settings
from adapter.errors import Invalid
from adapter.sync.subscriptions.signature import secret, site_key, written


def settings(home, key=None):
    return Settings(db=None, database="x", home=home, log_level="INFO", key=key)


def test_a_key_is_made_once_and_is_the_owners_alone(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: site_key(settings(tmp_path / "home")), range(8)))
    assert len(keys) == 1
    assert len(keys.pop()) == 32
    [file] = (tmp_path / "home").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_key_that_others_can_read_is_not_used(tmp_path):
    site_key(settings(tmp_path))
    (tmp_path / "subscriptions.key").chmod(0o640)
    with pytest.raises(Invalid, match="chmod 600"):
        site_key(settings(tmp_path))


def test_a_key_that_is_set_is_used_unless_it_is_short(tmp_path):
    assert site_key(settings(tmp_path, "k" * 32)) == b"k" * 32
    assert not list(tmp_path.iterdir())
    with pytest.raises(Invalid, match="CASEBRIDGE_KEY"):
        site_key(settings(tmp_path, "short"))
    assert "kkk" not in repr(settings(tmp_path, "k" * 32))


def test_where_no_key_can_be_kept_that_is_said(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(Invalid, match="set CASEBRIDGE_KEY"):
        site_key(settings(tmp_path / "file" / "home"))


def test_each_subscription_has_a_secret_of_its_own():
    secrets = {secret(key, queue) for key in (b"one", b"two") for queue in ("s/1", "s/9", "t/1")}
    assert len(secrets) == 6
    assert {len(each) for each in secrets} == {32}
    assert {written(each)[:6] for each in secrets} == {"whsec_"}
