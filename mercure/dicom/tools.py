"""Where the programs of ``getdcmtags/`` are."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final, Literal

Tool = Literal["getdcmtags", "mercure-storescp", "mercure-storescu"]
_BUILT: Final = Path(__file__).resolve().parents[2] / "getdcmtags" / "build"


class ToolMissingError(Exception):
    """A program of the router is not installed."""


def tool_path(name: Tool) -> Path:
    """Find a program: in ``MERCURE_BIN``, in the build folder of a checkout, or on the ``PATH``.

    Raises
    ------
    ToolMissingError
        It is in none of them.
    """
    folders = [os.environ.get("MERCURE_BIN", ""), str(_BUILT), os.environ.get("PATH", os.defpath)]
    found = shutil.which(name, path=os.pathsep.join(folder for folder in folders if folder))
    if found is None:
        raise ToolMissingError(f"the program {name} is not there; `make setup` builds it, MERCURE_BIN names its folder")
    return Path(found)
