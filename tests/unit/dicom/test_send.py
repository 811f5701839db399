"""Driving the sender: whatever it prints, however it ends, the dispatcher knows what was confirmed and goes on."""

from __future__ import annotations

import json
import stat
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from mercure.dicom import send as send_module
from mercure.dicom.send import SendError, StorePeer, send
from mercure.dicom.tools import ToolMissingError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PEER = StorePeer("127.0.0.1", 104, "PACS", "MERCURE")
HEADER = """#!{python}
# Stands for mercure-storescu in cases that the real one never comes to.
import json, os, signal, sys, time
names = [line.strip() for line in sys.stdin] if {reads} else []
def say(line):
    sys.stdout.write((line if isinstance(line, str) else json.dumps(line)) + chr(10))
    sys.stdout.flush()
def confirm(name):
    say({{"file": name, "sop": "1", "status": "0x0000", "outcome": "confirmed"}})
def end(error=None):
    say({{"summary": {{}}, "error": error}})
"""


class Sender:
    """A program in place of the sender, and a call of it."""

    def __init__(self, folder: Path) -> None:
        self.program = folder / "mercure-storescu"
        self.lines: list[dict[str, Any]] = []
        self.stop = False
        self.files = [folder / f"{number}.dcm" for number in range(3)]

    def does(self, script: str, *, reads: bool = True) -> Sender:
        self.program.write_text(HEADER.format(python=sys.executable, reads=reads) + script, encoding="utf-8")
        self.program.chmod(self.program.stat().st_mode | stat.S_IXUSR)
        return self

    def send(
        self, *, seconds: float = 60.0, report: Callable[[dict[str, Any]], None] | None = None
    ) -> tuple[str, str] | None:
        return send(PEER, self.files, seconds=seconds, report=report or self.lines.append, stopping=lambda: self.stop)

    def names(self) -> list[str]:
        return [line["file"].rpartition("/")[2] for line in self.lines]


@pytest.fixture
def sender(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sender:
    monkeypatch.setenv("MERCURE_BIN", str(tmp_path))
    monkeypatch.setattr(send_module, "GRACE_SECONDS", 0.3)
    monkeypatch.setattr(send_module, "_POLL_SECONDS", 0.05)
    return Sender(tmp_path)


def test_each_line_is_reported_and_the_summary_ends_it(sender: Sender) -> None:
    sender.does("for name in names: confirm(name)\nend()")
    assert sender.send() is None
    assert sender.names() == ["0.dcm", "1.dcm", "2.dcm"]


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        ({"kind": "timeout", "text": "no answer"}, ("timeout", "no answer")),
        ({}, ("local", "unknown error")),
        (None, None),
        ("strange", None),
    ],
)
def test_what_went_wrong_as_a_whole_is_told(sender: Sender, error: object, failure: tuple[str, str] | None) -> None:
    sender.does(f"end(json.loads({json.dumps(error)!r}))")
    assert sender.send() == failure


def test_lines_that_are_none_are_passed_over(sender: Sender) -> None:
    sender.does("say('warning: x'); say('[1]'); say('{'); say(''); confirm(names[0]); say('\\xff'); end()")
    assert sender.send() is None
    assert sender.names() == ["0.dcm"]


def test_lines_in_pieces_are_put_together(sender: Sender) -> None:
    sender.does(
        "text = json.dumps({'file': names[0], 'comment': 'x' * 200000}) + chr(10)\n"
        "for at in range(0, len(text), 7001):\n    sys.stdout.write(text[at:at + 7001]); sys.stdout.flush()\nend()"
    )
    assert sender.send() is None
    assert sender.names() == ["0.dcm"]


@pytest.mark.parametrize(
    ("script", "code"), [("confirm(names[0]); os.kill(os.getpid(), 11)", "-11"), ("sys.exit(1)", "1"), ("pass", "0")]
)
def test_an_end_without_a_word_is_an_error_with_its_code(sender: Sender, script: str, code: str) -> None:
    sender.does(script)
    with pytest.raises(SendError, match=f"code {code} "):
        sender.send()
    assert len(sender.lines) == ("confirm" in script)


def test_one_that_ends_before_it_reads_its_list(sender: Sender) -> None:
    sender.files *= 20_000
    sender.does("end({'kind': 'local', 'text': 'no list'})", reads=False)
    assert sender.send() == ("local", "no list")


@pytest.mark.parametrize("hears", [True, False])
def test_beyond_its_time_it_is_told_to_end_and_then_ended(sender: Sender, hears: bool) -> None:
    ignore = "" if hears else "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    sender.does(f"{ignore}confirm(names[0])\nwhile True: time.sleep(100)")
    start = time.monotonic()
    failure = sender.send(seconds=0.1)
    assert time.monotonic() - start < 10
    assert failure is not None
    assert failure[0] == "timeout"
    assert sender.names() == ["0.dcm"]


def test_told_to_stop_it_may_say_what_it_has(sender: Sender) -> None:
    sender.does(
        "def stop(*_):\n    confirm(names[1]); end({'kind': 'local', 'text': 'told to stop'}); os._exit(80)\n"
        "signal.signal(signal.SIGTERM, stop)\nconfirm(names[0])\nwhile True: time.sleep(100)"
    )

    def report(line: dict[str, Any]) -> None:
        sender.lines.append(line)
        sender.stop = True

    assert sender.send(report=report) == ("local", "told to stop")
    assert sender.names() == ["0.dcm", "1.dcm"]


def test_told_to_stop_and_ended_by_force_is_no_failure(sender: Sender) -> None:
    sender.does("signal.signal(signal.SIGTERM, signal.SIG_IGN)\nwhile True: time.sleep(100)")
    sender.stop = True
    assert sender.send() is None


def test_when_nobody_can_write_down_what_it_sends_it_is_ended(sender: Sender) -> None:
    """The ledger cannot be written: every further image would only be sent again."""

    def refuse(_line: dict[str, Any]) -> None:
        raise OSError(28, "No space left on device")

    sender.does("confirm(names[0])\nwhile True: time.sleep(100)")
    start = time.monotonic()
    with pytest.raises(OSError, match="No space"):
        sender.send(report=refuse)
    assert time.monotonic() - start < 10


def test_limits_beyond_what_the_sender_knows_are_cut(sender: Sender) -> None:
    sender.does("say({'file': ' '.join(sys.argv)}); end()")
    sender.send(seconds=400 * 86400)
    (line,) = sender.lines
    assert "--total-timeout=604800.0" in line["file"]
    assert "--called-aet=PACS --calling-aet=MERCURE" in line["file"]


def test_without_it_nothing_is_sent(sender: Sender, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("mercure.dicom.tools._BUILT", tmp_path / "none")
    monkeypatch.setenv("PATH", str(tmp_path / "none"))
    with pytest.raises(ToolMissingError):
        sender.send()
