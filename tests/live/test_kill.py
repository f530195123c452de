"""The kills of `tests/sync`, with a real HAPI as the hospital."""

from typing import Any

import pytest

from tests.sync.test_kill import *  # noqa: F403


@pytest.fixture
def hospital_url(hapi_empty: Any) -> str:
    return str(hapi_empty.url)
