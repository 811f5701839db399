"""Some power cuts; ``make power-cuts`` makes two hundred."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.crash.power.cuts import PowerCuts

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.disks import Filesystem

CUTS = 3


@pytest.mark.parametrize("filesystem", ["ext4", "xfs"])
def test_what_was_acknowledged_is_there_after_a_power_cut(memory: Path, filesystem: Filesystem) -> None:
    cuts = PowerCuts(memory, filesystem, seed=0)
    with cuts.running():
        report = cuts.cut(CUTS)
    assert report.cuts == CUTS
    assert report.settled == 1
    assert report.acknowledged >= CUTS
