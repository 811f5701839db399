"""What a guest is to be."""

from __future__ import annotations

import ipaddress
import json
import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final, Literal

from tests.guests.commands import GuestError
from tests.guests.lan import GATEWAY, NETWORKS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.guests.places import Lab

Backend = Literal["nspawn", "vm"]
BACKENDS: Final[tuple[Backend, ...]] = ("nspawn", "vm")
_PATIENCE: Final[dict[Backend, int]] = {"nspawn": 1, "vm": 15}
_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,10}")
"""It is part of the name of a network card, which has 15 characters."""


@dataclass(frozen=True)
class Spec:
    """A guest, as a platform of ``molecule.yml`` describes it.

    Parameters
    ----------
    name : str
        Lower case, at most 11 characters.
    address : str
        IPv4 address in the network "administration" (``lan.NETWORKS``).
    release : str
        Debian release: ``bookworm`` or ``trixie``.
    disk : str
        Size of the data disk as ``truncate`` takes it.
    second : str
        Size of a second data disk, or empty for none. Only an emulated guest sees it.
    backend : str
        ``nspawn``: a container, at full speed, on this machine's kernel; ``vm``: emulated, with Debian's kernel.

    Raises
    ------
    GuestError
        The name or the address cannot be.
    """

    name: str
    address: str
    release: str = "bookworm"
    disk: str = "8G"
    second: str = ""
    backend: Backend = "nspawn"

    def __post_init__(self) -> None:
        """Check what would fail later with a stranger message."""
        if not _NAME.fullmatch(self.name):
            raise GuestError(f"{self.name!r} cannot be the name of a guest: a-z, 0-9 and -, at most 11 characters")
        network = ipaddress.ip_interface(NETWORKS["administration"]).network
        if self.address == GATEWAY or ipaddress.ip_address(self.address) not in network:
            raise GuestError(f"{self.address} is not a free address in {network}")

    @property
    def patience(self) -> int:
        """How many times as long as in a container everything may take.

        Emulated on an idle machine it takes about twelve times as long, on a busy one any time. Who gives up early
        makes it worse: what was begun for a caller who has gone keeps the guest busy, and the next one waits behind it.
        """
        return _PATIENCE[self.backend]

    def save(self, file: Path) -> None:
        """Write it down."""
        file.write_text(json.dumps(asdict(self), indent=2))

    @classmethod
    def load(cls, file: Path) -> Spec:
        """Read it back.

        Raises
        ------
        GuestError
            There is no such guest.
        """
        try:
            return cls(**json.loads(file.read_text()))
        except FileNotFoundError as error:
            raise GuestError(f"there is no guest {file.parent.name}: create it first") from error


def specs(lab: Lab) -> list[Spec]:
    """Return the guests of a lab, in the order of their names."""
    return [Spec.load(file) for file in sorted(lab.folder.glob("*/guest.json"))]


def patience(lab: Lab) -> int:
    """Return the patience that the slowest guest of a lab asks for."""
    return max((spec.patience for spec in specs(lab)), default=1)
