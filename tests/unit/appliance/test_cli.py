"""The `mercure` command as a person or a script sees it: what it prints, where, and with which exit code."""

from __future__ import annotations

import importlib
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from pydantic import BaseModel

from appliance.cli import exit_codes
from appliance.cli.app import mercure
from appliance.cli.common import JsonOption
from appliance.cli.reference import page
from appliance.cli.text import width
from appliance.control import setup
from appliance.control.session import Session
from mercure.clock import Clock
from mercure.config import Root
from mercure.event_details import Identity, ImageReceived, ImageRef, Origin, SeriesCompleted, TaskCreated
from mercure.events import EventWriter
from mercure.names import derived_id, new_id
from mercure.spool import Failure, Hold, Spool, Stage, Task, load_task
from tests.unit.appliance.conftest import claim_of, place_task
from tests.unit.appliance.test_control import record

PROJECT = Path(__file__).resolve().parents[3]
HOSTILE = "\x1b]0;owned\x07\u202eEvil^\x9bName\n"
Call = Callable[..., Result]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An initialised root, by the real clock."""
    path = tmp_path / "root"
    setup.initialise(Session(Root(path), "alice"))
    return path


@pytest.fixture
def session(root: Path) -> Session:
    return Session(Root(root), "alice")


@pytest.fixture
def spool(session: Session) -> Spool:
    return session.spool


@pytest.fixture
def call(root: Path) -> Call:
    """Give a function that runs a command on the root, 80 columns wide."""

    def run(*arguments: str, input: str | bytes | None = None, at: Path | None = root) -> Result:
        environment = {"COLUMNS": "80", "MERCURE_ROOT": str(at) if at else None}
        return CliRunner(env=environment).invoke(mercure, arguments, input=input)

    return run


@pytest.fixture
def exam(session: Session, spool: Spool) -> Task:
    """A delivered exam in the history, whose sender chose its texts with care."""
    clock = Clock()
    events = EventWriter(spool.stage(Stage.OUTBOX), "test", clock)
    identity = Identity(
        PatientID="P-17",
        PatientName=HOSTILE,
        AccessionNumber="A-99",
        StudyInstanceUID="1.2.3",
        SeriesInstanceUID="1.2.3.4",
        Modality="MR",
        StudyDescription=HOSTILE,
        SeriesDescription=HOSTILE,
    )
    origin = Origin(address="10.0.0.7", calling_aet="SCANNER", first_received=clock.now(), last_received=clock.now())
    parent, image = new_id(), new_id()
    events.emit(
        ImageReceived(
            image=image,
            association=new_id(),
            file="1.2.3.4.5.dcm",
            folder="1.2.3.4",
            sop="1.2.3.4.5",
            study="1.2.3",
            series="1.2.3.4",
            patient="P-17",
            accession="A-99",
            modality="MR",
            bytes=2000,
            calling_aet="SCANNER",
        ),
        series="1.2.3.4",
    )
    refs = (ImageRef(image=image, file="1.2.3.4.5.dcm", sop="1.2.3.4.5", bytes=2000),)
    completed = SeriesCompleted(identity=identity, origin=origin, images=refs, bytes=2000, reason="released")
    events.emit(completed, task=parent, series="1.2.3.4", key="series.completed")
    task = place_task(
        session,
        Stage.ERROR,
        identity=identity,
        id=derived_id(parent, "route"),
        parent=parent,
        failure=Failure(stage="outgoing", reason=HOSTILE, advice="mend it", at=clock.now()),
    )
    created = TaskCreated(
        stage="outgoing",
        action="route",
        parent=parent,
        target="delivered",
        rules=("everything",),
        identity=identity,
        origin=origin,
        images=refs,
        bytes=2000,
    )
    events.emit(created, task=task.id, series="1.2.3.4", key="task.created")
    events.close()
    record(session)
    return task


def commands(
    command: click.Command = mercure, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    if not isinstance(command, click.Group):
        yield path, command
        return
    for name in command.list_commands(click.Context(command)):
        child = command.get_command(click.Context(command), name)
        assert child is not None
        yield from commands(child, (*path, name))


EVERY_COMMAND = dict(commands())
WITHOUT_ROUTER = {("rules", "eval"), ("completion", "bash"), ("nic-report",)}
MODULE_COMMANDS = ["add", "check", "disable", "enable", "list", "log", "remove", "set", "show", "steps", "stop", "test"]


class TestTree:
    def test_all_verbs_are_there(self) -> None:
        assert {" ".join(path) for path in EVERY_COMMAND} == {
            "init",
            "run",
            "status",
            "send",
            "verify",
            "selftest",
            "restore",
            "backup create",
            "backup list",
            "backup check",
            "completion bash",
            "nic-report",
            *(f"modules {name}" for name in MODULE_COMMANDS),
            "alerts list",
            "alerts acknowledge",
            "notifications test",
            "notifications list",
            "notifications retry",
            "notifications discard",
            "service list",
            "service start",
            "service stop",
            "service restart",
            "service scale",
            "queue list",
            "queue show",
            "queue hold",
            "queue release",
            "queue retry",
            "queue reroute",
            "queue force-study",
            "queue discard",
            "history series",
            "history images",
            "history tasks",
            "history events",
            "targets list",
            "targets echo",
            "rules list",
            "rules set",
            "rules check",
            "rules explain",
            "rules dry-run",
            "rules eval",
            "config show",
            "config validate",
            "config import",
        }

    @pytest.mark.parametrize("path", EVERY_COMMAND, ids=" ".join)
    def test_each_has_help_that_fits_a_terminal(self, call: Call, path: tuple[str, ...]) -> None:
        result = call(*path, "--help")
        assert result.exit_code == 0
        assert all(len(line) <= 80 for line in result.stdout.splitlines())

    @pytest.mark.parametrize("path", [path for path in EVERY_COMMAND if path not in WITHOUT_ROUTER], ids=" ".join)
    def test_each_takes_a_root(self, path: tuple[str, ...]) -> None:
        assert any("--root" in param.opts for param in EVERY_COMMAND[path].params)

    @pytest.mark.parametrize("path", [path for path in EVERY_COMMAND if path not in {("run",), *WITHOUT_ROUTER}])
    def test_each_that_shows_something_shows_it_as_json(self, path: tuple[str, ...]) -> None:
        assert any(isinstance(param, JsonOption) and param.documents for param in EVERY_COMMAND[path].params)

    def test_the_reference_page_is_what_the_command_is(self) -> None:
        written = (PROJECT / "docs" / "reference" / "cli.md").read_text(encoding="utf-8")
        assert written == page(), "make it anew: python -m appliance.cli.reference > docs/reference/cli.md"


LIGHT = """
import sys
from appliance.cli.app import mercure
sys.stdin = open("/dev/null")
mercure({arguments!r}, standalone_mode=False)
heavy = {{"pydantic", "peewee", "psycopg", "pynetdicom", "pydicom", "supervisor", "xmlrpc"}} & set(sys.modules)
sys.exit(f"imported {{heavy}}" if heavy else 0)
"""


@pytest.mark.parametrize("arguments", [["--help"], ["queue", "--help"], ["rules", "eval"]])
def test_what_must_be_quick_imports_nothing_heavy(arguments: list[str]) -> None:
    code = LIGHT.format(arguments=arguments)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr


class TestRoot:
    def test_the_innermost_counts(self, call: Call, root: Path, tmp_path: Path) -> None:
        other = tmp_path / "other"
        assert "other has no configuration" in call("--root", str(other), "rules", "list").stderr
        assert call("--root", str(other), "rules", "list", "--root", str(root)).exit_code == 0
        assert call("--root", str(other), "rules", "--root", str(root), "list").exit_code == 0
        assert call("rules", "list", "--root", str(root), at=other).exit_code == 0
        assert call("rules", "list", at=other).exit_code == exit_codes.NOT_FOUND

    def test_var_is_the_default(self, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        assert f"{tmp_path}/var has no configuration" in call("rules", "list", at=None).stderr


class TestInit:
    def test_it_says_what_to_do_next(self, call: Call, tmp_path: Path) -> None:
        result = call("init", "--port", "11999", "--ae-title", "ROUTER", at=tmp_path / "new")
        assert result.exit_code == 0
        assert "port 11999, as ROUTER" in result.stdout
        assert f"run --root {tmp_path / 'new'}" in result.stdout

    def test_what_is_there_stays(self, call: Call) -> None:
        result = call("init")
        assert result.exit_code == exit_codes.FAILED
        assert result.stdout == ""
        assert "has a configuration already" in result.stderr
        assert "→" in result.stderr

    def test_a_wrong_value_is_a_sentence(self, call: Call, tmp_path: Path) -> None:
        result = call("init", "--ae-title", "MUCH TOO LONG FOR A TITLE", at=tmp_path / "new")
        assert result.exit_code == exit_codes.FAILED
        assert "AE title has 1 to 16" in result.stderr
        assert call("init", "--port", "99999", at=tmp_path / "new").exit_code == exit_codes.USAGE


def model_of(path: str) -> type[BaseModel]:
    module, _, name = path.partition(":")
    model: type[BaseModel] = vars(importlib.import_module(module))[name]
    return model


class TestJson:
    @pytest.mark.parametrize(
        "arguments",
        [
            ("status",), ("service", "list"), ("queue", "list"), ("queue", "show", "TASK"), ("queue", "retry", "TASK"),
            ("history", "series"), ("history", "images"), ("history", "tasks"), ("history", "tasks", "TASK"),
            ("history", "events"), ("targets", "list"), ("targets", "echo", "delivered"), ("rules", "list"),
            ("config", "show"), ("config", "validate"), ("verify",), ("service", "scale", "router", "2"),
        ],
        ids=" ".join,
    )  # fmt: skip
    def test_one_document_of_the_documented_form_that_no_terminal_obeys(
        self, call: Call, exam: Task, arguments: tuple[str, ...]
    ) -> None:
        words = [exam.id if word == "TASK" else word for word in arguments]
        result = call(*words, "--json")
        assert result.stdout.isascii()
        assert result.stdout.isprintable() or "\x1b" not in result.stdout
        document = json.loads(result.stdout)
        path = arguments[:2] if arguments[:2] in EVERY_COMMAND else arguments[:1]
        (option,) = [param for param in EVERY_COMMAND[path].params if isinstance(param, JsonOption)]
        assert any(self.fits(document, key, model_of(model)) for key, model in option.documents)

    @staticmethod
    def fits(document: Any, key: str | None, model: type[BaseModel]) -> bool:
        if key is None:
            return set(document) == set(model.model_fields)
        return set(document) == {key} and all(set(item) == set(model.model_fields) for item in document[key])

    def test_an_error_leaves_standard_output_empty(self, call: Call) -> None:
        result = call("queue", "show", "20260101T000000000000-00000000", "--json")
        assert result.exit_code == exit_codes.NOT_FOUND
        assert result.stdout == ""


class TestText:
    @pytest.mark.parametrize(
        "arguments",
        [
            ("queue", "list"), ("queue", "show", "TASK"), ("history", "series"), ("history", "images"),
            ("history", "tasks"), ("history", "tasks", "TASK"), ("history", "events"), ("targets", "list"),
            ("status",), ("verify",), ("rules", "list"),
        ],
        ids=" ".join,
    )  # fmt: skip
    def test_nothing_from_an_image_reaches_the_terminal_as_it_is(
        self, call: Call, exam: Task, arguments: tuple[str, ...]
    ) -> None:
        result = call(*[exam.id if word == "TASK" else word for word in arguments])
        output = result.stdout + result.stderr
        assert exam.id[-8:] in output or arguments[0] in {"targets", "status", "verify", "rules", "history"}
        for char in "\x1b\x07\x9b\u202e":
            assert char not in output

    @pytest.mark.parametrize(
        "arguments",
        [("queue", "list"), ("history", "series"), ("history", "images"), ("history", "tasks"), ("history", "events"),
         ("history", "tasks", "TASK"), ("targets", "list"), ("rules", "list"), ("service", "list")],
        ids=" ".join,
    )  # fmt: skip
    def test_a_table_fits_eighty_columns(self, call: Call, exam: Task, arguments: tuple[str, ...]) -> None:
        result = call(*[exam.id if word == "TASK" else word for word in arguments])
        assert result.exit_code == 0
        table = result.stdout.split("\n\n")[-1]
        assert all(width(line) <= 80 for line in table.splitlines()), result.stdout

    def test_a_task_is_shown_with_what_a_person_wants_to_know(self, call: Call, exam: Task) -> None:
        shown = call("queue", "show", exam.id[-8:]).stdout
        for expected in (exam.id, "P-17", "A-99", "MR", r"\x1b", "mend it", "delivered", "error (failed)"):
            assert expected in shown


class TestQueue:
    def test_short_ids_work_and_the_list_names_them(self, call: Call, session: Session, spool: Spool) -> None:
        task = place_task(session, Stage.OUTGOING)
        short = call("queue", "list").stdout.splitlines()[1].split()[0]
        assert task.id.endswith(short)
        assert call("queue", "hold", short, "--reason", "wait").exit_code == 0
        held = load_task(spool.entry(Stage.OUTGOING, task.id)).hold
        assert held is not None
        assert held.reason == "wait"
        assert "held by" in call("queue", "list").stdout

    def test_filters(self, call: Call, session: Session) -> None:
        first = place_task(session, Stage.OUTGOING)
        second = place_task(session, Stage.ERROR)
        both = call("queue", "list").stdout
        assert first.id[-8:] in both
        assert second.id[-8:] in both
        only = call("queue", "list", "--stage", "error").stdout
        assert first.id[-8:] not in only
        assert second.id[-8:] in only
        assert call("queue", "list", "--target", "other").stdout == "nothing waits\n"
        assert call("queue", "list", "--state", "nonsense").exit_code == exit_codes.USAGE

    def test_a_limit_says_how_many_more(self, call: Call, session: Session) -> None:
        for _ in range(3):
            place_task(session, Stage.OUTGOING)
        result = call("queue", "list", "--limit", "1")
        assert len(result.stdout.splitlines()) == 2
        assert "2 more" in result.stderr

    def test_one_that_cannot_be_changed_does_not_keep_the_others(
        self, call: Call, session: Session, spool: Spool
    ) -> None:
        busy, free = place_task(session, Stage.OUTGOING), place_task(session, Stage.OUTGOING)
        with claim_of(spool, Stage.OUTGOING, busy):
            result = call("queue", "discard", busy.id, free.id, "--yes")
        assert result.exit_code == exit_codes.BUSY
        assert busy.id in result.stderr
        assert free.id in result.stdout
        assert spool.find(free.id) is Stage.DISCARD
        assert spool.find(busy.id) is Stage.OUTGOING

    def test_all_that_fit(self, call: Call, session: Session, spool: Spool) -> None:
        mine = [place_task(session, Stage.ERROR) for _ in range(3)]
        other = place_task(session, Stage.ERROR, target="gone")
        done = place_task(session, Stage.SUCCESS)
        result = call("queue", "retry", "--all", "--target", "delivered")
        assert result.exit_code == 0
        assert [spool.find(task.id) for task in mine] == [Stage.OUTGOING] * 3
        assert (spool.find(other.id), spool.find(done.id)) == (Stage.ERROR, Stage.SUCCESS)

    def test_several_are_discarded_only_after_a_yes(self, call: Call, session: Session, spool: Spool) -> None:
        tasks = [place_task(session, Stage.ERROR) for _ in range(2)]
        names = [task.id for task in tasks]
        for answer in ("n\n", ""):
            result = call("queue", "discard", *names, input=answer)
            assert result.exit_code == exit_codes.FAILED
            assert "discard 2 tasks?" in result.stderr
        assert [spool.find(name) for name in names] == [Stage.ERROR] * 2
        assert call("queue", "discard", *names, input="y\n").exit_code == 0
        assert [spool.find(name) for name in names] == [Stage.DISCARD] * 2

    @pytest.mark.parametrize("arguments", [(), ("--all",), ("abcd", "--all", "--stage", "error")])
    def test_which_tasks_must_be_said_and_once(self, call: Call, arguments: tuple[str, ...]) -> None:
        assert call("queue", "retry", *arguments).exit_code == exit_codes.USAGE

    def test_held_ones_are_released_by_filter(self, call: Call, session: Session, spool: Spool) -> None:
        task = place_task(session, Stage.OUTGOING, hold=Hold(by="bob", at=session.clock.now()))
        assert call("queue", "release", "--all", "--state", "held").exit_code == 0
        assert load_task(spool.entry(Stage.OUTGOING, task.id)).hold is None


class TestHistory:
    @pytest.mark.parametrize(
        "arguments",
        [("--patient", "p-17"), ("--accession", "A-9"), ("--series", "1.2.3.4"), ("--study", "1.2.3"),
         ("--patient", "P-17", "--accession", "A-99", "--since", "1h")],
    )  # fmt: skip
    def test_an_exam_is_found_by_what_people_know(self, call: Call, exam: Task, arguments: tuple[str, ...]) -> None:
        for what, key in (("series", "series"), ("images", "images"), ("tasks", "tasks"), ("events", "events")):
            result = call("history", what, *arguments, "--json")
            assert result.exit_code == 0, result.output
            assert json.loads(result.stdout)[key], what

    @pytest.mark.parametrize(
        "arguments",
        [("--patient", "Q"), ("--accession", "99"), ("--patient", "P-17", "--accession", "B"), ("--study", "1.2"),
         ("--series", "1.2.3.4", "--since", "2100-01-01")],
    )  # fmt: skip
    def test_another_is_not(self, call: Call, exam: Task, arguments: tuple[str, ...]) -> None:
        for what in ("series", "tasks"):
            assert json.loads(call("history", what, *arguments, "--json").stdout)[what] == []

    def test_the_story_of_a_task(self, call: Call, exam: Task) -> None:
        story = json.loads(call("history", "tasks", exam.id, "--json").stdout)
        assert story["task"]["patient_id"] == "P-17"
        assert [event["type"] for event in story["events"]] == ["task.created"]

    def test_a_task_that_nobody_knows(self, call: Call, exam: Task) -> None:
        assert call("history", "tasks", new_id()).exit_code == exit_codes.NOT_FOUND

    def test_without_a_history_it_says_what_still_works(self, call: Call) -> None:
        result = call("history", "series")
        assert result.exit_code == exit_codes.FAILED
        assert "cannot be asked" in result.stderr
        assert "queue list" in result.stderr

    @pytest.mark.parametrize("text", ["yesterday", "3x", "-1d", "2026-13-01"])
    def test_a_time_that_is_none(self, call: Call, text: str) -> None:
        result = call("history", "series", "--since", text)
        assert result.exit_code == exit_codes.USAGE
        assert "2026-11-21" in result.stderr


class TestRulesEval:
    def ask(self, call: Call, *arguments: str, input: str | bytes | None = None) -> list[Any]:
        result = call("rules", "eval", *arguments, input=input)
        assert result.exit_code == 0, result.output
        return [json.loads(line) for line in result.stdout.splitlines()]

    def test_an_expression_on_a_file(self, call: Call, tmp_path: Path) -> None:
        tags = tmp_path / "tags.json"
        tags.write_text(json.dumps({"Modality": "MR"}, indent=2))
        assert self.ask(call, 'tags.Modality == "MR"', "--tags", str(tags)) == [{"result": True, "error": None}]
        assert self.ask(call, 'tags.Modality == "CT"', "--tags", str(tags)) == [{"result": False, "error": None}]

    def test_an_expression_on_many_records(self, call: Call) -> None:
        records = '{"Modality": "MR"}\n\n{"Modality": "CT"}\n{"Modality": "MR"}\n'
        answers = self.ask(call, 'tags.Modality == "MR"', "--tags", "-", input=records)
        assert [answer["result"] for answer in answers] == [True, False, True]

    def test_questions_on_standard_input_are_answered_in_order(self, call: Call) -> None:
        lines = [
            {"expression": f"number(tags.SeriesNumber) == {number}", "tags": {"SeriesNumber": "3"}}
            for number in range(5)
        ]
        answers = self.ask(call, input="\n".join(json.dumps(line) for line in lines))
        assert [answer["result"] for answer in answers] == [False, False, False, True, False]

    @pytest.mark.parametrize("line", ["not json", "[]", '{"expression": "1 +", "tags": {}}', '{"tags": {}}', "\xff"])
    def test_what_cannot_be_answered_is_an_answer_with_an_error(self, call: Call, line: str) -> None:
        good = '{"expression": "True", "tags": {}}'
        answers = self.ask(call, input=f"{line}\n{good}\n".encode("latin-1"))
        assert answers[0]["result"] is False
        assert answers[0]["error"]
        assert answers[1] == {"result": True, "error": None}

    def test_it_needs_no_router(self, call: Call, tmp_path: Path) -> None:
        result = CliRunner(env={"MERCURE_ROOT": str(tmp_path / "none")}).invoke(mercure, ["rules", "eval"], input="")
        assert (result.exit_code, result.output) == (0, "")

    @pytest.mark.parametrize("arguments", [("True",), ("--tags", "-")])
    def test_an_expression_and_its_tags_go_together(self, call: Call, arguments: tuple[str, ...]) -> None:
        assert call("rules", "eval", *arguments, input="").exit_code == exit_codes.USAGE

    def test_a_line_of_the_tags_that_is_no_json_is_answered_in_its_place(self, call: Call) -> None:
        nested = "[" * 100_000
        answers = self.ask(call, "True", "--tags", "-", input=f'{{"a": 1}}\nnonsense\n{nested}\n{{"a": 2}}\n')
        assert [answer["result"] for answer in answers] == [True, False, False, True]
        assert "JSON" in answers[1]["error"]

    def test_a_list_of_records_is_one_series(self, call: Call) -> None:
        records = json.dumps([{"Modality": "MR"}, {"Modality": "MR"}])
        assert self.ask(call, "images.count == 2", "--tags", "-", input=records) == [{"result": True, "error": None}]

    def test_tags_that_are_not_there(self, call: Call, tmp_path: Path) -> None:
        assert call("rules", "eval", "True", "--tags", str(tmp_path / "none")).exit_code == exit_codes.USAGE


class TestConfig:
    def test_a_valid_one(self, call: Call) -> None:
        result = call("config", "validate")
        assert (result.exit_code, result.stdout.count(": valid\n")) == (0, 2)

    def test_every_problem_is_told_with_its_place_and_what_to_do(self, call: Call, root: Path) -> None:
        (root / "config" / "mercure.json").write_text(
            json.dumps(
                {
                    "targets": {"delivered": {"kind": "foldr", "path": "relative"}},
                    "rules": {"a": {"rule": "tags.Modalty == 1", "targets": ["nowhere"]}},
                    "retension": {},
                }
            )
        )
        result = call("config", "validate")
        assert result.exit_code == exit_codes.FAILED
        for expected in ("targets.delivered.kind", "did you mean 'folder'", "retension", "did you mean 'retention'"):
            assert expected in result.stdout

    def test_what_is_in_force_is_shown_as_it_could_be_written(self, call: Call) -> None:
        text = call("config", "show").stdout
        content = "".join(line for line in text.splitlines(keepends=True) if not line.startswith("#"))
        first, _ = json.JSONDecoder().raw_decode(content)
        assert first["rules"]["everything"]["targets"] == ["delivered"]


class TestStatus:
    def test_one_that_does_not_run(self, call: Call) -> None:
        result = call("status")
        assert result.exit_code == exit_codes.NOT_RUNNING
        assert "NOT running" in result.stdout


class TestTargets:
    def test_the_exit_code_of_an_echo_is_its_answer(self, call: Call, root: Path) -> None:
        assert call("targets", "echo", "delivered").exit_code == 0
        (root / "delivered").rmdir()
        assert call("targets", "echo", "delivered").exit_code == exit_codes.FAILED
        assert call("targets", "echo", "pacs").exit_code == exit_codes.NOT_FOUND


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
