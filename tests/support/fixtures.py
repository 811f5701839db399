"""The types of fixtures that are functions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from tests.support import disks
from tests.support.dcmtk import StoreScp

if TYPE_CHECKING:
    from pathlib import Path


class MakeStoreScp(Protocol):
    """The type of the ``storescp`` fixture."""

    def __call__(self, *options: str, port: int | None = None, aet: str = "STORESCP") -> StoreScp: ...


class MountSmallDisk(Protocol):
    """The type of the ``small_disk`` fixture."""

    def __call__(self, mebibytes: int, filesystem: disks.Filesystem = "tmpfs") -> Path: ...
