"""What a person at a shell expects of any command: hints, headings, forms of output, lists that renew, completion."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from appliance.cli.app import COMMANDS, HEADINGS
from appliance.control.session import Session
from mercure.spool import Task
from tests.support.command_line import Call
from tests.support.control_session import record
from tests.support.polling import eventually
from tests.unit.appliance.cli.tree import EVERY_COMMAND


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (("stauts",), "'status'"),
        (("confg",), "'config'"),
        (("targets", "lst"), "'list'"),
        (("config", "rolback"), "'rollback'"),
        (("config", "edit", "--coment", "x"), "--comment"),
    ],
)
def test_a_mistyped_word_is_answered_with_what_may_be_meant(call: Call, arguments: tuple[str, ...], meant: str) -> None:
    result = call(*arguments)
    assert result.exit_code == 2
    assert "Did you mean" in result.stderr
    assert meant in result.stderr


def test_a_word_like_none_gets_no_hint(call: Call) -> None:
    assert "Did you mean" not in call("xyzzy").stderr


def test_every_command_stands_under_one_heading(call: Call) -> None:
    assert sorted(name for names in HEADINGS.values() for name in names) == sorted(COMMANDS)
    text = call("--help").stdout
    assert [text.index(f"\n{heading}:") for heading in HEADINGS] == sorted(
        text.index(f"\n{item}:") for item in HEADINGS
    )


def test_help_imports_no_command() -> None:
    code = (
        "import sys\nfrom appliance.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print(sorted(name for name in sys.modules if name.startswith(('pydantic', 'appliance.control.'))))"
    )
    done = subprocess.run([sys.executable, "-c", code, "--help"], capture_output=True, text=True, check=True)
    loaded = set(json.loads(done.stdout.splitlines()[-1].replace("'", '"')))
    assert loaded <= {"appliance.control.errors"}


class TestOutput:
    def test_rows_as_csv(self, call: Call) -> None:
        rows = list(csv.DictReader(io.StringIO(call("targets", "list", "-o", "csv").stdout)))
        assert [(row["name"], row["kind"]) for row in rows] == [("delivered", "folder")]
        assert json.loads(rows[0]["rules"]) == ["everything"]

    def test_one_thing_is_one_row(self, call: Call) -> None:
        rows = list(csv.DictReader(io.StringIO(call("config", "get", "receiver.port", "-o", "csv").stdout)))
        assert [(row["place"], row["value"]) for row in rows] == [("receiver.port", "11112")]

    def test_json_is_what_json_says(self, call: Call) -> None:
        assert call("targets", "list", "-o", "json").stdout == call("targets", "list", "--json").stdout
        assert call("targets", "list", "-o", "table").stdout == call("targets", "list").stdout

    def test_a_list_without_rows_is_empty(self, call: Call) -> None:
        assert call("queue", "list", "-o", "csv").stdout.strip() == ""

    def test_what_a_sender_chose_is_no_formula(self, call: Call, session: Session) -> None:
        call("config", "set", "name", "ward", "--yes", "--comment", "=HYPERLINK(1)")
        rows = list(csv.DictReader(io.StringIO(call("config", "history", "-o", "csv").stdout)))
        assert rows[0]["comment"] == "'=HYPERLINK(1)"


class TestAudit:
    def test_who_changed_what(self, call: Call, session: Session) -> None:
        call("config", "set", "retention.success_days", "14", "--yes")
        record(session)
        text = call("audit", "list").stdout
        assert "config.set" in text
        assert "retention.success_days" in text
        found = json.loads(call("audit", "list", "--json").stdout)["records"]
        assert found[0]["after"] == {"retention": {"success_seconds": 1209600.0}}
        assert json.loads(call("audit", "list", "--by", "nobody", "--json").stdout)["records"] == []


class TestLog:
    @pytest.fixture
    def _log(self, root: Path) -> None:
        lines = [
            {"time": "2020-01-01T00:00:00.000+00:00", "level": "INFO", "message": "old"},
            {"time": "2999-01-01T00:00:00.000+00:00", "level": "WARNING", "message": "new"},
        ]
        (root / "log" / "router_00.log").write_text("".join(f"{json.dumps(line)}\n" for line in lines))

    @pytest.mark.usefixtures("_log")
    def test_since(self, call: Call) -> None:
        assert "old" in call("logs", "router").stdout
        assert [line.rpartition(" ")[2] for line in call("logs", "router", "--since", "1h").stdout.splitlines()] == [
            "new"
        ]
        assert (
            call("service", "log", "router", "--since", "1h").stdout == call("logs", "router", "--since", "1h").stdout
        )

    @pytest.mark.usefixtures("_log")
    def test_without_a_router_nothing_is_followed(self, call: Call) -> None:
        result = call("logs", "-f", "router")
        assert "new" in result.stdout
        assert result.exit_code == 3


def test_a_list_renews_itself_until_it_is_interrupted(root: Path, tmp_path: Path, exam: Task) -> None:
    printed = tmp_path / "printed"
    command = [sys.executable, "-m", "appliance.cli", "targets", "list", "--root", str(root), "--watch", "0.2"]
    with printed.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.PIPE)
        try:
            eventually(lambda: printed.read_text().count("TARGET") > 1, seconds=60, what="the list twice")
        finally:
            os.kill(process.pid, signal.SIGINT)
            _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"Traceback" not in errors


def test_all_that_lists_renews_itself_where_asked() -> None:
    lists = {path for path in EVERY_COMMAND if path[-1] == "list" or path[0] == "history"}
    lists |= {("status",), ("jobs",), ("config", "history"), ("senders", "show")}
    lists -= {("history", "export")}  # it writes a file, or what another program reads
    watched = {path for path in lists if any(it.name == "watch" for it in EVERY_COMMAND[path].params)}
    assert lists - watched == set()
    assert len(lists) > 20


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_its_completion(call: Call, shell: str) -> None:
    text = call("completion", shell).stdout
    assert "_MERCURE_COMPLETE" in text
    assert f"{shell}_complete" in text


def test_settings_and_names_are_completed(root: Path) -> None:
    def offered(words: str) -> str:
        wanted = {"_MERCURE_COMPLETE": "bash_complete", "COMP_WORDS": words, "MERCURE_ROOT": str(root)}
        environment = {**os.environ, **wanted, "COMP_CWORD": str(len(words.split(" ")) - 1)}
        command = [str(Path(sys.executable).with_name("mercure"))]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False).stdout

    assert "retention.success_seconds" in offered("mercure config set retention.s")
    assert "delivered" in offered("mercure targets rename de")
    assert "zsh" in offered("mercure completion ")
