"""A host in a folder, and programs that say what they say on a real one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.doctor_host import Host


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)
