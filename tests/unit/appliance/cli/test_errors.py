"""What goes wrong is a sentence and an exit code."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from appliance.cli import exit_codes
from appliance.control.session import Session
from tests.support.command_line import Call

PROJECT = Path(__file__).resolve().parents[4]


class TestErrors:
    def test_a_root_that_may_not_be_read_is_a_sentence(self, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_: object) -> None:
            raise PermissionError(13, "Permission denied", "/srv/mercure/config")

        monkeypatch.setattr(Session, "config", property(refuse))
        result = call("rules", "list")
        assert result.exit_code == exit_codes.NOT_ALLOWED
        assert "/srv/mercure/config: Permission denied" in result.stderr

    def test_a_full_disk_is_a_sentence(self, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_: object) -> None:
            raise OSError(28, "No space left on device", "/srv/mercure")

        monkeypatch.setattr(Session, "config", property(refuse))
        result = call("rules", "list")
        assert result.exit_code == exit_codes.FAILED
        assert "No space left on device" in result.stderr

    def test_what_nobody_expected_is_not_hidden(self, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
        def break_down(*_: object) -> None:
            raise ZeroDivisionError

        monkeypatch.setattr(Session, "config", property(break_down))
        assert isinstance(call("rules", "list").exception, ZeroDivisionError)

    def test_an_error_from_an_image_is_escaped(self, call: Call) -> None:
        result = call("queue", "show", "\x1b[2Jabcd")
        assert "\x1b" not in result.stderr
        assert r"\x1b" in result.stderr


def test_a_reader_that_goes_away_is_no_traceback(root: Path) -> None:
    code = "from appliance.cli import main; main()"
    arguments = [sys.executable, "-c", code, "config", "show", "--root", str(root)]
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as closed:
        done = subprocess.run(arguments, stdout=closed, stderr=subprocess.PIPE, check=False, timeout=60)
    assert b"Traceback" not in done.stderr


def test_ctrl_c_is_an_exit_code_and_no_traceback(root: Path) -> None:
    command = [sys.executable, "-m", "appliance.cli", "rules", "eval"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b'{"expression": "True", "tags": {}}\n')
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["result"] is True
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == exit_codes.INTERRUPTED
        assert process.stderr is not None
        assert b"Traceback" not in process.stderr.read()


def test_the_module_can_be_run_where_nothing_is_installed() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "appliance.cli", "--version"], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.startswith("mercure, version ")
    assert not io.StringIO(done.stderr).read()
