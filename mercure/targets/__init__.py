"""Targets: one file per kind of destination, and the registry of kinds.

A new kind is a file with a settings model and a class, and one line in `_KINDS`; the conformance suite in
``tests/conformance`` then runs against it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from mercure.config import TargetSettings
from mercure.targets.base import STORED, Check, DeliveryJob, ImageResult, Target, Trouble
from mercure.targets.dicom import DicomSettings, DicomTarget
from mercure.targets.folder import FolderSettings, FolderTarget
from mercure.targets.group import GroupSettings, GroupTarget

_OpenOther = Callable[[str], Target]


def _alone(make: Callable[[Any], Target]) -> Callable[[Any, _OpenOther], Target]:
    """Make a maker of targets that need no others."""
    return lambda settings, _: make(settings)


_KINDS: Final[dict[str, tuple[type[TargetSettings], Callable[[Any, _OpenOther], Target]]]] = {
    "dicom": (DicomSettings, _alone(DicomTarget)),
    "folder": (FolderSettings, _alone(FolderTarget)),
    "group": (GroupSettings, GroupTarget),
}

MODELS: Final[Mapping[str, type[TargetSettings]]] = {kind: model for kind, (model, _) in _KINDS.items()}
"""The settings model of each kind, for `mercure.config.ConfigStore`."""


def open_target(settings: TargetSettings, others: Mapping[str, TargetSettings] | None = None) -> Target:
    """Make the target that some settings describe.

    Parameters
    ----------
    settings : TargetSettings
        Of a registered kind.
    others : mapping of str to TargetSettings, optional
        All targets of the configuration by name; a group finds its members there.

    Raises
    ------
    KeyError
        A kind that is not registered, or a member that is not there; a checked configuration has neither.
    """
    return _KINDS[settings.kind][1](settings, lambda name: open_target((others or {})[name], others))


__all__ = [
    "MODELS",
    "STORED",
    "Check",
    "DeliveryJob",
    "DicomSettings",
    "FolderSettings",
    "GroupSettings",
    "ImageResult",
    "Target",
    "Trouble",
    "open_target",
]
