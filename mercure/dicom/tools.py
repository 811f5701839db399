"""Paths of the programs of ``getdcmtags/``."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Final, Literal

Tool = Literal["getdcmtags", "mercure-codec", "mercure-storescp", "mercure-storescu"]
_BUILT: Final = Path(__file__).resolve().parents[2] / "getdcmtags" / "build"


class ToolMissingError(Exception):
    """A program of the router is not installed."""


def tool_path(name: Tool) -> Path:
    """Find a program: in ``MERCURE_BIN``, in a checkout's build folder, beside the interpreter, or on the ``PATH``.

    Beside the interpreter is where an installed release has its own: each runs the programs of its version.

    Raises
    ------
    ToolMissingError
        It is in none of them.
    """
    beside = str(Path(sys.executable).parent)
    folders = [os.environ.get("MERCURE_BIN", ""), str(_BUILT), beside, os.environ.get("PATH", os.defpath)]
    found = shutil.which(name, path=os.pathsep.join(folder for folder in folders if folder))
    if found is None:
        raise ToolMissingError(f"the program {name} is not there; `make setup` builds it, MERCURE_BIN names its folder")
    return Path(found)
