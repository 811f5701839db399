"""Roots, first configurations, and what is printed: JSON that says all, text that fits and obeys nothing."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from appliance.cli import exit_codes
from appliance.cli.common import JsonOption
from mercure.printable import cells
from mercure.spool import Task
from tests.support.command_line import Call
from tests.unit.appliance.cli.tree import EVERY_COMMAND


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
        assert all(cells(line) <= 80 for line in table.splitlines()), result.stdout

    def test_a_task_is_shown_with_what_a_person_wants_to_know(self, call: Call, exam: Task) -> None:
        shown = call("queue", "show", exam.id[-8:]).stdout
        for expected in (exam.id, "P-17", "A-99", "MR", r"\x1b", "mend it", "delivered", "error (failed)"):
            assert expected in shown
