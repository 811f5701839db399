"""Evaluating a rule on records, line by line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from appliance.cli import exit_codes
from appliance.cli.app import mercure
from tests.support.command_line import Call


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
