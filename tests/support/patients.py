"""The patients of the tests' images: none of them stands in any log."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Final

TEST_PATIENTS: Final = ("Secret^Name", "PATIENT-1", "Synthetic^Series", "SYNTH-1")
"""Names and identifiers, as `tests.support.data_sets` and `tests.support.series` make them."""

_PROGRAMS: Final = ("mercure-storescp", "mercure-storescu")
_MODULES: Final = ("mercure.services", "appliance")


def is_ours(command: Sequence[str]) -> bool:
    """Tell whether a command starts a program of the router, whose output is a log."""
    modules = [after for option, after in itertools.pairwise(command) if option == "-m"]
    programs = {Path(part).name for part in command}
    return bool(programs.intersection(_PROGRAMS)) or any(module.startswith(_MODULES) for module in modules)


def assert_none_is_named(text: str, where: object) -> None:
    """Fail where a log names a patient."""
    for line in text.splitlines():
        named = [patient for patient in TEST_PATIENTS if patient in line]
        assert not named, f"{where}: a log line names the patient {named[0]}: {line}"


def assert_no_file_names_one(folder: Path) -> None:
    """Fail where a file of a folder of logs names a patient."""
    for file in folder.rglob("*"):
        if file.is_file():
            assert_none_is_named(file.read_text(errors="replace"), file)
