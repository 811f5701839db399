"""A part of the crash matrix: every scenario, some of its steps. ``make crash`` runs all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.crash.matrix.decisions import DECISIONS
from tests.crash.matrix.desk import DESK
from tests.crash.matrix.kills import run
from tests.crash.matrix.scenarios import SCENARIOS
from tests.crash.matrix.surroundings import SURROUNDINGS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.crash.matrix.scenario import Scenario

FAULTS = 4
FEW_FAULTS = 2
"""In scenarios that are about decisions, surroundings and people: each kind of fault is in one of them."""


QUICK = ("undo a reroute of what failed", "discard what a person holds", "decide anew on what no rule wanted")
LONG = (
    "route from a disk that is away for a while",
    "route from a disk that has lost a sector, by rules on the sender",
)
SLOW = [each for each in SCENARIOS if each.name in LONG or (each in DESK and each.name not in QUICK)]
CASES = [pytest.param(each, marks=pytest.mark.slow) if each in SLOW else each for each in SCENARIOS]


@pytest.mark.parametrize("scenario", CASES, ids=lambda scenario: scenario.name)
def test_faults_at_some_steps(memory: Path, scenario: Scenario) -> None:
    faults = FEW_FAULTS if scenario in (*DECISIONS, *SURROUNDINGS, *DESK) else FAULTS
    result = run(scenario, memory, faults=faults)
    assert result.troubles == []
    assert result.steps >= faults
    assert sum(result.struck.values()) >= faults - 1
    assert result.acknowledged > 0
