"""The contract between the router and a module: two folders, ``task.json`` with settings, ``result.json``."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pydicom
from pydicom.dataset import FileDataset
from pydicom.errors import InvalidDicomError

Json = dict[str, object]

_TASK: Final = "task.json"
_RESULT: Final = "result.json"
EXIT_BAD_INPUT: Final = 2
"""The module cannot do what it is asked for; it says why on its standard error."""


class ModuleError(Exception):
    """The module cannot do its work with these settings or images; the text says why and what to do."""


@dataclass(frozen=True)
class Work:
    """What one run of a module is given.

    Parameters
    ----------
    inputs, outputs : Path
        The two folders.
    settings : mapping
        Of the module, with what the rule overrides.
    """

    inputs: Path
    outputs: Path
    settings: Mapping[str, object]

    def files(self) -> list[Path]:
        """Return the image files, in the order of their names."""
        return sorted(path for path in self.inputs.iterdir() if path.is_file() and path.suffix == ".dcm")

    def read(self, path: Path) -> FileDataset:
        """Return the data set of an image file.

        Raises
        ------
        ModuleError
            It is not DICOM.
        """
        try:
            return pydicom.dcmread(path, force=False)
        except (InvalidDicomError, OSError, EOFError, ValueError) as error:
            raise ModuleError(f"{path.name} cannot be read as DICOM: {error}") from error

    def write_result(self, result: Json) -> None:
        """Write ``result.json``, under its name only when it is whole."""
        temporary = self.outputs / f".{_RESULT}.tmp"
        temporary.write_text(json.dumps(result, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        os.replace(temporary, self.outputs / _RESULT)


def run(name: str, work: Callable[[Work], None]) -> None:
    """Run a module on the folders that the router names, and end the process with its exit code."""
    try:
        work(_given())
    except ModuleError as error:
        print(f"{name}: {error}", file=sys.stderr)  # noqa: T201 - the module's log
        sys.exit(EXIT_BAD_INPUT)


def _given() -> Work:
    inputs, outputs = (_folder(name) for name in ("MERCURE_IN_DIR", "MERCURE_OUT_DIR"))
    return Work(inputs, outputs, _settings(inputs / _TASK))


def _folder(name: str) -> Path:
    value = os.environ.get(name)
    if not value or not Path(value).is_dir():
        raise ModuleError(f"{name} names no folder; the router sets it when it runs a module")
    return Path(value)


def _settings(path: Path) -> Mapping[str, object]:
    """Read the settings out of ``task.json``; without the file a module runs with its defaults."""
    try:
        task = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise ModuleError(f"{path.name} is not JSON: {error}") from error
    process = task.get("process") if isinstance(task, dict) else None
    settings = process.get("settings") if isinstance(process, dict) else None
    return settings if isinstance(settings, dict) else {}
