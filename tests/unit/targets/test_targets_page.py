"""docs/reference/targets.md: every example is a configuration, and every kind, strategy and order is told of."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, get_args

import pytest

from mercure.config import Root
from mercure.config.models import Order
from mercure.event_details import FailureKind
from mercure.services.common import open_store
from mercure.spool.task import COUNTED_KINDS
from mercure.targets import MODELS
from mercure.targets.group import Strategy

PAGE = (Path(__file__).resolve().parents[3] / "docs/reference/targets.md").read_text(encoding="utf-8")
EXAMPLES: list[dict[str, Any]] = [json.loads(text) for text in re.findall(r"^```json\n(.*?)^```$", PAGE, re.M | re.S)]


def rows(heading: str) -> dict[str, str]:
    """Return the table whose first column has this heading: first cell (its first word in code) to the rest."""
    table = re.search(rf"^\| {re.escape(heading)} \|.*\n\|[ |-]+\n((?:\|.*\n)+)", PAGE, re.M)
    assert table is not None, heading
    cells = [line.strip("| \n").split(" | ", 1) for line in table[1].splitlines()]
    return {re.findall(r"`([^`]+)`", first)[0]: rest for first, rest in cells}


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_every_example_is_a_configuration(number: int, tmp_path: Path) -> None:
    config = open_store(Root(tmp_path)).parse({"version": 1, **EXAMPLES[number]})
    assert config.targets


def test_there_is_an_example_of_every_kind() -> None:
    shown = {settings["kind"] for example in EXAMPLES for settings in example["targets"].values()}
    assert shown == set(MODELS) == set(rows("kind"))


def test_tables_have_every_value() -> None:
    assert set(rows("`strategy`")) == set(get_args(Strategy))
    assert set(rows("`order`")) == set(get_args(Order))
    assert "(default)" in PAGE.split("| `study`")[1].split("|")[0]
    assert MODELS["folder"].model_fields["order"].default == "study"


def test_what_follows_a_failure_is_told() -> None:
    """A target that is down stops the target; what is counted stops the task."""
    told = rows("kind of failure")
    assert set(told) == set(get_args(FailureKind))
    assert {kind for kind, text in told.items() if text.endswith("counted")} == set(COUNTED_KINDS)
