"""Commands about the configuration, the status and the targets."""

from __future__ import annotations

import json
from pathlib import Path

from appliance.cli import exit_codes
from tests.support.command_line import Call


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
