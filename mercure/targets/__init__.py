"""Targets: one file per kind of destination, and the registry of kinds.

A new kind is a file with a settings model and a class, and one line in `_KINDS`; the conformance suite in
``tests/conformance`` then runs against it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from mercure.config import TargetSettings
from mercure.targets.base import STORED, Check, ImageResult, Job, Target, Trouble
from mercure.targets.dicom import DicomSettings, DicomTarget
from mercure.targets.folder import FolderSettings, FolderTarget

_KINDS: Final[dict[str, tuple[type[TargetSettings], Callable[[Any], Target]]]] = {
    "dicom": (DicomSettings, DicomTarget),
    "folder": (FolderSettings, FolderTarget),
}

MODELS: Final[Mapping[str, type[TargetSettings]]] = {kind: model for kind, (model, _) in _KINDS.items()}
"""The settings model of each kind, for `mercure.config.ConfigStore`."""


def open_target(settings: TargetSettings) -> Target:
    """Make the target that some settings describe.

    Raises
    ------
    KeyError
        A kind that is not registered; a checked configuration has none.
    """
    return _KINDS[settings.kind][1](settings)


__all__ = [
    "MODELS",
    "STORED",
    "Check",
    "DicomSettings",
    "FolderSettings",
    "ImageResult",
    "Job",
    "Target",
    "Trouble",
    "open_target",
]
