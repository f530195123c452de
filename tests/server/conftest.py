"""The server around a database of its own, asked through Flask's test client."""

import pytest
from flask.testing import FlaskClient

from adapter.store.repository import Repository
from server import create_app

from .fhir import Fhir


@pytest.fixture
def repository(database) -> Repository:
    return Repository(database)


@pytest.fixture
def client(repository) -> FlaskClient:
    return create_app(repository).test_client()


@pytest.fixture
def fhir(client) -> Fhir:
    return Fhir(client)
