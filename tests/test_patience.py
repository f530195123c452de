"""A test that waits for ever fails with words: without this, a suite that hangs would say nothing."""

from pathlib import Path

from tests.inner import outcome

WAITING = """
import subprocess
import threading
from queue import SimpleQueue

def test_a_lock(): threading.Event().wait()
def test_a_queue(): SimpleQueue().get()
def test_a_thread():
    held = threading.Event()
    thread = threading.Thread(target=held.wait)
    thread.start()
    try:
        thread.join()
    finally:
        held.set()
def test_a_process(): subprocess.run(["sleep", "60"])
def test_a_handled_error():
    try:
        threading.Event().wait()
    except Exception:
        pass
def test_what_ends(): pass
"""


def test_a_wait_without_an_end_fails_the_test(tmp_path: Path) -> None:
    told = outcome(tmp_path, WAITING, PATIENCE="2")
    waiting = WAITING.count("def test_") - 1
    assert f"{waiting} failed, 1 passed" in told, told
    assert told.count("Failed: It has taken more than 2 s: what it waits for does not come.") >= waiting
