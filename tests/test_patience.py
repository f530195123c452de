"""A test that waits for ever fails with words: without this, a suite that hangs would say nothing."""

import subprocess
import sys
from pathlib import Path

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
    here = Path(__file__)
    brief = here.with_name("conftest.py").read_text().replace("PATIENCE = 900", "PATIENCE = 2")
    (tmp_path / "conftest.py").write_text(brief)
    (tmp_path / "test_waiting.py").write_text(WAITING)
    ini = here.parents[1] / "pyproject.toml"
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-c", ini, "--rootdir", tmp_path, "-p", "no:cacheprovider", "-q", tmp_path],
        cwd=here.parents[1],
        capture_output=True,
        text=True,
        timeout=120,
    )
    waiting = WAITING.count("def test_") - 1
    assert f"{waiting} failed, 1 passed" in run.stdout, run.stdout
    assert run.stdout.count("Failed: It has taken more than 2 s: what it waits for does not come.") >= waiting
