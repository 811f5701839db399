"""What is imported late is imported by one thread at a time: pydicom's modules import each other in circles."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import sys, threading
from appliance.control.registry import find
from mercure.dicom.echo import echo
from mercure.dicom.uids import registry
from mercure.rules.keywords import dictionary

sys.setswitchinterval(1e-6)
begin, errors = threading.Barrier(5), []
threading.excepthook = lambda failed: errors.append(repr(failed.exc_value))

def start(work):
    def run():
        begin.wait()
        work()
    thread = threading.Thread(target=run)
    thread.start()
    return thread

asks = lambda: echo("127.0.0.1", 1, called_aet="A", calling_aet="B")
works = (registry, dictionary, asks, lambda: find("targets.list"), lambda: find("selftest.run"))
for thread in [start(work) for work in works]:
    thread.join()
print("; ".join(errors) or "well")
"""


@pytest.mark.parametrize("number", range(3))
def test_threads_that_begin_at_once_do_not_meet_half_a_module(number: int) -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout.strip(), done.returncode) == ("well", 0), (number, done.stdout, done.stderr)
