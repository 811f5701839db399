"""``mercure backup`` and ``mercure restore``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from appliance.cli.app import mercure
from appliance.control.session import Session


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(mercure, [str(argument) for argument in arguments])


@pytest.fixture
def root(session: Session) -> Path:
    return session.root.path


def test_written_listed_compared_and_brought_back(root: Path, tmp_path: Path) -> None:
    made = run("backup", "create", "--root", root, "--json")
    assert made.exit_code == 0, made.output
    path = Path(json.loads(made.stdout)["path"])
    assert path.name in run("backup", "list", "--root", root).stdout
    assert "as it was written" in run("backup", "check", path.name, "--root", root).stdout
    new = tmp_path / "new"
    done = run("restore", path, "--root", new)
    assert done.exit_code == 0, done.output
    assert (new / "config" / "mercure.json").read_bytes() == (root / "config" / "mercure.json").read_bytes()
    again = run("restore", path, "--root", new)
    assert again.exit_code == 1
    assert "--force" in again.stderr
    forced = run("restore", path, "--root", new, "--force")
    assert forced.exit_code == 0, forced.output
    assert "replaced-" in forced.stdout


def test_a_damaged_file_is_told_by_text_and_exit_code(root: Path, tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_bytes(b"no backup" * 999)
    done = run("backup", "check", tmp_path / "x.tar", "--root", root)
    assert (done.exit_code, "NOT as it was written" in done.stdout) == (1, True)
    done = run("restore", tmp_path / "x.tar", "--root", tmp_path / "new")
    assert done.exit_code == 1
    assert "is no backup" in done.stderr
    assert run("restore", tmp_path / "missing.tar", "--root", tmp_path / "new").exit_code == 5


def test_a_name_that_is_not_there(root: Path) -> None:
    done = run("backup", "check", "nothing.tar", "--root", root)
    assert (done.exit_code, "there is no backup" in done.stderr) == (5, True)


def test_what_is_left_out_is_told_by_the_exit_code(root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    content = json.loads((root / "config" / "mercure.json").read_text())
    content["history"] = {"url": "postgresql://mercure@127.0.0.1:1/history"}
    (root / "config" / "mercure.json").write_text(json.dumps(content))
    monkeypatch.setenv("PATH", str(tmp_path))
    done = run("backup", "create", "--root", root)
    assert done.exit_code == 1
    assert "! left out" in done.stdout
    assert "postgresql-client" in done.stdout
