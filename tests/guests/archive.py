"""The archive on the test network: stock ``storescp`` of Debian's DCMTK, which takes whatever the routers deliver."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tests.guests.cgroups import Group
from tests.guests.commands import succeeds
from tests.guests.lan import NETWORKS, Lan
from tests.guests.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.guests.places import Lab

ADDRESS: Final = NETWORKS["archives"].partition("/")[0]
PORT: Final = 11113
AE_TITLE: Final = "ARCHIVE"


@dataclass(frozen=True)
class Archive:
    """The archive of one lab."""

    lab: Lab

    @property
    def folder(self) -> Path:
        """Where it puts what it takes."""
        return self.lab.folder / "archive"

    @property
    def _group(self) -> Group:
        return Group(f"{self.lab.id}/archive")

    def start(self) -> None:
        """Start it, unless it runs."""
        if self._group.is_populated():
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        lan = Lan(self.lab)
        lan.up()
        command = lan.inside("env", "TCP_NODELAY=1", "storescp", "--fork", "--promiscuous", "--aetitle", AE_TITLE,
                             "--output-directory", self.folder, str(PORT))  # fmt: skip
        self._group.spawn(command, self.lab.folder / "archive.log")
        wait_until(
            lambda: succeeds(*lan.inside("nc", "-z", ADDRESS, str(PORT))),
            seconds=30,
            what=f"the archive; see {self.lab.folder}/archive.log",
        )

    def stop(self) -> None:
        """End it at once."""
        self._group.kill()

    def images(self) -> set[str]:
        """Return the SOP Instance UIDs of what it has; storescp names a file by modality and UID."""
        if not self.folder.exists():
            return set()
        return {name.partition(".")[2] for name in (path.name for path in self.folder.iterdir()) if "." in name}
