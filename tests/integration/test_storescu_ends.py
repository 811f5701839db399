"""mercure-storescu: how it ends, how it is called, and what does not matter to it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.binaries import PROJECT, tool
from tests.support.fixtures import MakeStoreScp
from tests.support.polling import eventually
from tests.support.procfs import is_alive, is_pending
from tests.support.series import synthetic_series
from tests.support.store_node import store_node
from tests.support.storescu import ACCEPT_ALL, command, listing, sending

FreePort = Callable[[], int]


def test_told_to_stop_it_finishes_the_image_and_tells_the_rest(free_port: FreePort, tmp_path: Path) -> None:
    files = synthetic_series(tmp_path, 5, 8, 8)
    under_way, may_answer, released = threading.Event(), threading.Event(), threading.Event()

    def store(_event: Any) -> int:
        under_way.set()
        assert may_answer.wait(30)
        return 0x0000

    port = free_port()
    with store_node(port, store, on_release=released.set):
        with sending(port, files) as run:
            assert under_way.wait(30)
            run.program.send_signal(signal.SIGTERM)
            eventually(lambda: not is_pending(run.program.pid, signal.SIGTERM), what="it has heard of the end")
            may_answer.set()
            sent = run.finish()
        assert released.wait(10)
    assert sent.code == 80
    assert sent.outcomes == {"confirmed": 1, "not-sent": 4}
    assert sent.error == {"kind": "local", "text": "told to stop"}


def test_it_does_not_outlive_its_dispatcher(free_port: FreePort, tmp_path: Path) -> None:
    files = synthetic_series(tmp_path, 300, 8, 8)
    names = tmp_path / "names"
    names.write_bytes(listing(files))
    stored: list[str] = []
    under_way, gone = threading.Event(), threading.Event()

    def store(event: Any) -> int:
        stored.append(event.request.AffectedSOPInstanceUID)
        under_way.set()
        gone.wait(30)
        return 0x0000

    port = free_port()
    # A shell as the dispatcher: it starts the sender, tells its number, and waits.
    script = 'names=$1; shift; "$@" < "$names" > /dev/null & echo $!; wait'
    shell_command = ["/bin/sh", "-c", script, "sh", str(names), *command(port)]
    with store_node(port, store), subprocess.Popen(shell_command, stdout=subprocess.PIPE) as shell:
        assert shell.stdout is not None
        sender = int(shell.stdout.readline())
        assert under_way.wait(30)
        shell.kill()
        shell.wait()
        gone.set()
        eventually(lambda: not is_alive(sender), what="the sender has ended")
    assert len(stored) < len(files)


def test_nobody_reads_the_results(storescp: MakeStoreScp, tmp_path: Path) -> None:
    files = synthetic_series(tmp_path, 50, 8, 8)
    target = storescp(*ACCEPT_ALL)
    with Path("/dev/full").open("wb") as full:
        result = subprocess.run(
            command(target.port), input=listing(files), stdout=full, stderr=subprocess.PIPE, timeout=60, check=False
        )
    assert result.returncode == 40
    assert "standard output" in result.stderr.decode()
    assert len(target.files()) < 50, "it went on although nobody could learn of it"


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--host", "x"],
        ["--port", "104"],
        ["--host", "x", "--port", "0"],
        ["--host", "x", "--port", "65536"],
        ["--host", "x y", "--port", "104"],
        ["--host", "x", "--port", "104", "--called-aet", "SEVENTEEN_LETTERS"],
        ["--host", "x", "--port", "104", "--called-aet", ""],
        ["--host", "x", "--port", "104", "--calling-aet", "a\\b"],
        ["--host", "x", "--port", "104", "--max-pdu", "131073"],
        ["--host", "x", "--port", "104", "--dimse-timeout", "0"],
        ["--host", "x", "--port", "104", "--dimse-timeout", "-1"],
        ["--host", "x", "--port", "104", "--dimse-timeout", "soon"],
        ["--host", "x", "--port", "104", "--associations", "0"],
        ["--host", "x", "--port", "104", "--associations", "2", "--order-kept"],
        ["--host", "x", "--port", "104", "file.dcm"],
        ["--nonsense"],
    ],
    ids=" ".join,
)
def test_a_wrong_command_line_ends_with_1(arguments: list[str]) -> None:
    result = subprocess.run([tool("mercure-storescu"), *arguments], input=b"", capture_output=True, check=False)
    assert result.returncode == 1
    assert result.stdout == b""
    assert len(result.stderr.splitlines()) == 1


def test_help_and_man_page_name_every_option_and_exit_code() -> None:
    shown = subprocess.run([tool("mercure-storescu"), "--help"], check=True, capture_output=True, text=True).stdout
    page = (PROJECT / "docs/reference/mercure-storescu.1.md").read_text(encoding="utf-8")
    for option in re.findall(r"^ +(--[a-z-]+)", shown, re.M):
        assert f"`{option}" in page, f"{option} is missing in the man page"
    for code in re.findall(r"^ +(\d+)  ", shown, re.M):
        assert f"| `{code}` |" in page, f"exit code {code} is missing in the man page"


def test_dictionary_and_settings_of_dcmtk_do_not_matter(storescp: MakeStoreScp, tmp_path: Path) -> None:
    (image,) = synthetic_series(tmp_path, 1, 8, 8)
    environment = {**os.environ, "DCMDICTPATH": "/nowhere", "TCP_NODELAY": "0", "TCP_BUFFER_LENGTH": "nonsense"}
    result = subprocess.run(
        command(storescp(*ACCEPT_ALL).port), input=listing([image]), env=environment, capture_output=True, check=False
    )
    assert result.returncode == 0
    assert result.stderr == b""
