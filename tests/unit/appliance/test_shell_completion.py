"""The shell's completion, asked as bash asks for it."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.shell_completion import BashComplete
from click.testing import CliRunner

from appliance import backup
from appliance.cli.app import mercure
from appliance.control.api.backup import CreateBackup
from appliance.control.session import Session
from mercure.spool import Stage
from tests.support.tasks import PutTask
from tests.support.verbs import asked

Ask = Callable[[str], list[str]]


@pytest.fixture
def ask(session: Session, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Give what completes a command line, whose last word is not finished."""
    monkeypatch.setenv("MERCURE_ROOT", str(session.root.path))

    def complete(line: str) -> list[str]:
        *words, incomplete = shlex.split(line.replace("|", "''"))[1:]
        found = BashComplete(mercure, {}, "mercure", "_MERCURE_COMPLETE").get_completions(words, incomplete)
        return [item.value for item in found]

    return complete


def test_commands_and_options(ask: Ask) -> None:
    assert {"queue", "targets", "verify"} <= set(ask("mercure |"))
    assert ask("mercure que") == ["queue"]
    assert ask("mercure queue hol") == ["hold"]
    assert "--reason" in ask("mercure queue hold --re")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("mercure targets echo |", ["delivered"]),
        ("mercure targets echo x", []),
        ("mercure queue list --target de", ["delivered"]),
        ("mercure rules explain every", ["everything"]),
        ("mercure service restart rou", ["router"]),
        ("mercure send --target del", ["delivered"]),
        ("mercure queue list --stage out", ["outgoing"]),
    ],
)
def test_names_come_from_the_router(ask: Ask, line: str, expected: list[str]) -> None:
    assert ask(line) == expected


def test_tasks_by_the_end_of_their_id_or_its_beginning(ask: Ask, put_task: PutTask) -> None:
    first, second = put_task(Stage.OUTGOING), put_task(Stage.ERROR, age=90)
    assert set(ask("mercure queue show |")) == {first.id[-8:], second.id[-8:]}
    assert ask(f"mercure queue show {first.id[-8:-2]}") == [first.id[-8:]]
    assert ask(f"mercure queue show {second.id[:20]}") == [second.id]
    assert set(ask(f"mercure queue hold {first.id[-8:]} |")) == {second.id[-8:]}


def test_backups(ask: Ask, session: Session) -> None:
    made = backup.create(asked(session), CreateBackup())
    assert ask("mercure backup check mer") == [Path(made.path).name]


def test_the_root_on_the_line_counts(session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MERCURE_ROOT", str(tmp_path / "nothing"))
    complete = BashComplete(mercure, {}, "mercure", "_MERCURE_COMPLETE").get_completions
    assert complete(["targets", "echo"], "") == []
    found = complete(["targets", "echo", "--root", str(session.root.path)], "")
    assert [item.value for item in found] == ["delivered"]


def test_without_a_router_and_with_a_broken_one_it_is_silent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MERCURE_ROOT", str(tmp_path))
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "mercure.json").write_text("{")
    complete = BashComplete(mercure, {}, "mercure", "_MERCURE_COMPLETE").get_completions
    for words in (["queue", "show"], ["targets", "echo"], ["rules", "explain"], ["backup", "check"]):
        assert complete(words, "") == []
    assert capfd.readouterr() == ("", "")


def test_bash_itself_completes(session: Session, tmp_path: Path) -> None:
    script = CliRunner().invoke(mercure, ["completion", "bash"])
    assert script.exit_code == 0
    program = tmp_path / "mercure"
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m appliance.cli "$@"\n')
    program.chmod(0o755)
    asking = (
        f"{script.stdout}\n"
        'COMP_WORDS=(mercure targets echo ""); COMP_CWORD=3; _mercure_completion mercure; echo "${COMPREPLY[@]}"\n'
    )
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "MERCURE_ROOT": str(session.root.path)}
    environment["PYTHONPATH"] = str(Path(__file__).resolve().parents[3])
    done = subprocess.run(
        ["bash", "--norc", "-c", asking], capture_output=True, text=True, timeout=60, env=environment, check=False
    )
    assert done.stdout.split() == ["delivered"], done.stderr
