"""A guest: created, booted, switched off, cut off, removed."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from tests.guests import first_files, image, nspawn, ssh, vm
from tests.guests.cgroups import Group
from tests.guests.commands import GuestError, run, succeeds
from tests.guests.disks import DataDisk
from tests.guests.lan import Lan
from tests.guests.spec import Spec
from tests.guests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.guests.places import Lab

_START: Final[dict[str, Callable[[Guest], None]]] = {"nspawn": nspawn.start, "vm": vm.start}
BOOT_SECONDS: Final = 120.0


@dataclass(frozen=True)
class Guest:
    """A guest of a lab. Nothing is remembered but its `Spec`: whether it runs, the control group tells."""

    lab: Lab
    spec: Spec

    @classmethod
    def named(cls, lab: Lab, name: str) -> Guest:
        """Return the guest that was created under a name."""
        return cls(lab, Spec.load(lab.folder / name / "guest.json"))

    @property
    def folder(self) -> Path:
        """All its files."""
        return self.lab.folder / self.spec.name

    @property
    def root(self) -> Path:
        """Its root file system."""
        return self.folder / "root"

    @property
    def console(self) -> Path:
        """What it says while it boots."""
        return self.folder / "console.log"

    @property
    def disk(self) -> DataDisk:
        """Its data disk."""
        return DataDisk(self.folder / "data.img")

    @property
    def drive(self) -> DataDisk:
        """What the data disk is a file of, once the guest is emulated (`vm`)."""
        return DataDisk(self.folder / "drive.img")

    @property
    def second(self) -> DataDisk:
        """Its second data disk, of an emulated guest (`vm`)."""
        return DataDisk(self.folder / "second.img")

    @property
    def group(self) -> Group:
        """The control group of all that runs it."""
        return Group(f"{self.lab.id}/guest-{self.spec.name}")

    @property
    def lan(self) -> Lan:
        """Its network."""
        return Lan(self.lab)

    def create(self) -> None:
        """Lay out a bare Debian and boot it; what an earlier run left under this name is removed first."""
        self.destroy()
        archive = image.root_archive(self.spec.release)
        self.root.mkdir(parents=True)
        ssh.make_key(self.lab)
        run("tar", "--directory", self.root, "--xattrs", "--xattrs-include=*", "-xpf", archive)
        self.disk.make(self.spec.disk)
        if self.spec.second:
            self.second.make(self.spec.second)
        first_files.lay_out(self.root, self.spec, ssh.public_key(self.lab), self.disk.attach())
        self.spec.save(self.folder / "guest.json")
        ssh.write_config(self.lab)
        self.start()

    def start(self) -> None:
        """Boot, and wait until it has booted."""
        self.lan.up()
        self.lan.open_registries(self.spec.release)
        if not self.is_running():
            _START[self.spec.backend](self)
        self.wait()

    def is_running(self) -> bool:
        """Tell whether anything of it runs."""
        return self.group.is_populated()

    def wait(self) -> None:
        """Wait until systemd has started all that it will.

        Raises
        ------
        GuestError
            It ended, or is not up in time.
        """

        def is_up() -> bool:
            if not self.is_running():
                raise GuestError(f"{self.spec.name} ended while it booted; see {self.console}")
            answer = ssh.ask(self.lab, self.spec, "systemctl is-system-running --wait", seconds=60)
            return answer.strip() in ("running", "degraded")

        seconds = BOOT_SECONDS * self.spec.patience
        wait_until(is_up, seconds=seconds, what=f"{self.spec.name} to boot; see {self.console}")

    def switch_off(self) -> None:
        """Shut it down in order."""
        if self.is_running():
            ssh.ask(self.lab, self.spec, "sudo systemctl poweroff", seconds=30)
            seconds = 180.0 * self.spec.patience
            wait_until(lambda: not self.is_running(), seconds=seconds, what=f"{self.spec.name} to switch itself off")
        self._clear_away()

    def kill(self) -> None:
        """End it without a word. What it wrote is kept, synced or not: the page cache is this machine's."""
        self._clear_away()

    def cut(self) -> None:
        """Cut its power: what it did not sync to its data disk is lost.

        Raises
        ------
        GuestError
            Nothing of the data disk is mounted, so that a cut would prove nothing.
        """
        disk = {"nspawn": self.disk, "vm": self.drive}[self.spec.backend]
        if not disk.cut(self.group.processes()):
            raise GuestError(f"{self.spec.name} has nothing of its data disk mounted: a power cut would show nothing")
        self._clear_away()

    def to_vm(self) -> Guest:
        """Switch off, and boot the same root and data disk with a kernel of its own; return what it is now."""
        self.switch_off()
        vm.convert(self)
        changed = replace(self, spec=replace(self.spec, backend="vm"))
        changed.spec.save(self.folder / "guest.json")
        ssh.write_config(self.lab)
        changed.start()
        return changed

    def pull(self, *serials: str) -> None:
        """Take out the data disks with these serial numbers, and put back all others; of an emulated guest that is off.

        Raises
        ------
        GuestError
            It runs, or is no emulated one.
        """
        if self.is_running() or self.spec.backend != "vm":
            raise GuestError(f"the disks of {self.spec.name} can be pulled only when it is emulated, and off")
        vm.pulled(self).write_text("\n".join(serials))

    def destroy(self) -> None:
        """Remove all of it, whatever state it is in."""
        self._clear_away()
        for disk in self._disks():
            disk.detach()
        if self.folder.exists():
            shutil.rmtree(self.folder)
        if self.lab.folder.exists():
            ssh.write_config(self.lab)

    def _disks(self) -> list[DataDisk]:
        return [disk for disk in (self.disk, self.drive) if disk.file.exists()]

    def _clear_away(self) -> None:
        self.group.kill()
        for disk in self._disks():
            disk.wait_until_free()
        for link in (f"tap-{self.spec.name}", f"vb-{self.spec.name}"):
            inside = ("ip", "-netns", self.lab.id, "link")
            if self.lan.namespace.exists() and succeeds(*inside, "show", link):
                run(*inside, "delete", link)
