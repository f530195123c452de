"""The canary of conftest.py bites: without this, a suite that leaks would look like one that does not."""

from pathlib import Path

from tests.inner import outcome

LEAKY = """
import logging
import pytest
from adapter import log
from adapter.errors import Invalid, RemoteFatal, RuleViolated

def test_log_event(): log.event("patient.seen", level=logging.DEBUG, family="River KANARIFUGL")
def test_log_of_another_logger(): logging.getLogger("pymongo.command").warning("family %s", "Kanarifugl")
def test_log_of_a_traceback():
    try:
        raise ValueError("Kanarifugl")
    except ValueError:
        logging.getLogger("casebridge").exception("sync.failed")
def test_log_after_the_command_line_took_the_handlers():
    log.set_level("INFO")
    log.event("patient.seen", family="Kanarifugl")
def test_swallowed_error():
    try:
        raise Invalid("Kanarifugl is not a code")
    except Invalid:
        pass
def test_error_expression(): Invalid("not a code", expression=["Patient.name.where(family='Kanarifugl')"])
def test_error_of_a_class_with_its_own_constructor(): RuleViolated("kanarifugl", code="x"), RemoteFatal("kanarifugl", http_status=400)

def test_innocent():
    log.event("patient.seen", id="p1")
    with pytest.raises(Invalid):
        raise Invalid("not a code")
"""


def test_patient_data_in_a_log_record_or_an_error_text_fails_the_test(tmp_path: Path) -> None:
    told = outcome(tmp_path, LEAKY)
    leaking = LEAKY.count("def test_") - 1
    # The test itself passes and its teardown fails, so each leak counts once as passed and once as an error.
    assert f"{leaking + 1} passed, {leaking} errors" in told, told
    assert "ERROR test_inner.py::test_innocent" not in told
