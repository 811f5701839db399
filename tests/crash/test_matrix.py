"""A part of the crash matrix: every scenario, some of its steps. ``make crash`` runs all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.crash.matrix.kills import run
from tests.crash.matrix.scenarios import SCENARIOS, Scenario

if TYPE_CHECKING:
    from pathlib import Path

FAULTS = 6


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_faults_at_some_steps(memory: Path, scenario: Scenario) -> None:
    result = run(scenario, memory, faults=FAULTS)
    assert result.steps >= FAULTS
    assert sum(result.struck.values()) >= FAULTS - 1
    assert result.acknowledged > 0
