"""A process that inherits the descriptor of a claim holds it too, until it ends."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from mercure.spool import Claim, is_locked

if TYPE_CHECKING:
    from pathlib import Path


def test_the_heir_keeps_the_claim(tmp_path: Path) -> None:
    claim = Claim.take(tmp_path)
    assert claim is not None
    heir = subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, pass_fds=[claim.descriptor]
    )
    with heir:
        claim.release()
        assert is_locked(tmp_path)
        assert Claim.take(tmp_path) is None
    assert not is_locked(tmp_path)


def test_a_released_claim_has_no_descriptor(tmp_path: Path) -> None:
    claim = Claim.take(tmp_path)
    assert claim is not None
    claim.release()
    with pytest.raises(ValueError, match="was released"):
        _ = claim.descriptor
