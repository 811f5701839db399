"""Where the compiled programs are."""

from __future__ import annotations

import os
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]


def tool(name: str) -> Path:
    """Return the path of a program from ``getdcmtags``.

    ``MERCURE_BUILD`` names another build folder than ``getdcmtags/build``: the one with sanitizers, say.

    Raises
    ------
    AssertionError
        When it is not built.
    """
    folder = Path(os.environ.get("MERCURE_BUILD") or PROJECT / "getdcmtags" / "build")
    program = folder / name
    assert os.access(program, os.X_OK), f"{program} is missing: run `make setup`"
    return program
