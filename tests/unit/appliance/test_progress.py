"""Progress of long actions on the command line: a bar on a terminal, silence in a pipe."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest

from appliance.cli.progress import bar
from appliance.control.api.base import Progress
from appliance.control.session import Session
from tests.support.pseudo_terminal import opened

SELFTEST = (sys.executable, "-m", "appliance.cli", "selftest", "--no-image", "--root")


@pytest.mark.parametrize(
    ("progress", "line"),
    [
        (Progress(), ""),
        (Progress(text="waiting for router_00"), "waiting for router_00"),
        (Progress(done=0, total=4), "[........................] 0 of 4"),
        (Progress(done=1, total=4, text="series"), "[######..................] 1 of 4 series"),
        (Progress(done=4, total=4, text="series"), "[########################] 4 of 4 series"),
        (Progress(done=9, total=4), "[########################] 9 of 4"),
        (Progress(done=1_500_000, total=3_000_000, unit="bytes"), "[############............] 1.5 MB of 3.0 MB"),
        (Progress(done=1, total=4, text="\x1b[2J"), "[######..................] 1 of 4 \\x1b[2J"),
    ],
)
def test_a_bar(progress: Progress, line: str) -> None:
    assert bar(progress, 79) == line
    assert len(bar(progress, 30)) <= 30


def test_it_is_drawn_in_place_on_a_terminal_and_gone_at_the_end(session: Session) -> None:
    with opened([*SELFTEST, session.root.path]) as screen:
        screen.see("all works")
    sent = screen.sent.decode()
    assert re.search(r"\r\[#+\.+\] \d+ of \d+ \w", sent)
    before, _, _ = sent.partition("ok")
    assert before.endswith("\r"), "the line is cleared before the result is printed"


def test_a_pipe_gets_none_of_it(session: Session) -> None:
    done = subprocess.run([*SELFTEST, session.root.path, "--json"], capture_output=True, timeout=60, check=False)
    assert done.stderr == b""
    assert json.loads(done.stdout)["ok"]
