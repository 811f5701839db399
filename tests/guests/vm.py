"""Booting a guest as a full machine under qemu, emulated, with Debian's own kernel: what nspawn cannot show is real.

Kernel settings, rings of the network card, limits of memory, an NVMe disk, and a power cut that takes the page cache
with it. Emulated, not virtualised: not every machine has /dev/kvm, and then all would be tested elsewhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.guests import image, nspawn
from tests.guests.commands import run, succeeds
from tests.guests.first_files import DISK_SERIAL, SECOND_SERIAL
from tests.guests.lan import SWITCH

if TYPE_CHECKING:
    from pathlib import Path

    from tests.guests.guest import Guest

ROOT_SIZE = "16G"
BOOKS: Final = 1 << 30
"""More than the file system of the drive needs for its own books."""
_MOUNT: Final = 'mount "$1" "$2" && shift 2 && exec "$@"'
_LONG: Final = 1800
PATIENCE: Final = {
    "etc/systemd/system.conf.d/test-emulated.conf": f"[Manager]\nDefaultDeviceTimeoutSec={_LONG}\n",
    "etc/systemd/system/service.d/test-emulated.conf": f"[Service]\nTimeoutStartSec={_LONG}\nWatchdogSec=0\n",
    "etc/systemd/system/ifupdown-pre.service.d/test-settle.conf": (
        f"[Service]\nExecStart=\nExecStart=/bin/udevadm settle --timeout={_LONG}\n"
    ),
    "etc/ssh/sshd_config.d/00-test-emulated.conf": f"LoginGraceTime {_LONG}\n",
}
"""What the guest learns of its being slow. Emulated on a busy machine, it may get no processor for minutes. Who waits
for its data disk gives up after 90 s, and leaves it in emergency mode; who waits for its network card after 120 s, and
leaves it without a network; who looks after its services ends them."""
_PATIENT_KERNEL: Final = (
    f"nvme_core.io_timeout={_LONG} nvme_core.admin_timeout={_LONG} udev.event_timeout={_LONG} "
    "no_timer_check nowatchdog rcupdate.rcu_cpu_stall_suppress=1"
)
"""Its kernel, too: it would find its timers broken, and reset a disk that does not answer for 30 s."""


def convert(guest: Guest) -> None:
    """Make a disk of the root folder, with the kernel's modules. The guest must be off."""
    kernel = image.kernel(guest.spec.release)
    modules = guest.root / "lib/modules"
    modules.mkdir(parents=True, exist_ok=True)
    for version in (kernel / "modules").iterdir():
        run("cp", "--archive", version, modules)
        run("chroot", guest.root, "/sbin/depmod", version.name)
    for outside, inside in nspawn.kept_folders(guest.spec.release).items():
        # Under nspawn they are folders of this machine; the root file system has only the empty places for them.
        place = guest.root / inside.removeprefix("/")
        place.mkdir(parents=True, exist_ok=True)
        run("cp", "--archive", "--no-target-directory", outside, place)
    for path, text in PATIENCE.items():
        (guest.root / path).parent.mkdir(parents=True, exist_ok=True)
        (guest.root / path).write_text(text)
    _fill_drive(guest)
    run("mke2fs", "-q", "-F", "-t", "ext4", "-L", "root", "-d", guest.root, guest.folder / "root.img", ROOT_SIZE)


def _fill_drive(guest: Guest) -> None:
    """Move the data disk into a file system of its own, as a file.

    What the guest writes to its disk outlives qemu, in the page cache of this machine, also where the guest never had
    it flushed; a real drive forgets that with its power. A file system can be made to forget it (`DataDisk.cut`).
    """
    guest.disk.detach()
    guest.drive.make(str(guest.disk.file.stat().st_size + BOOKS))
    run("mkfs.xfs", "-q", guest.drive.file)
    (guest.folder / "drive").mkdir()
    copy = ("cp", "--sparse=always", guest.disk.file, guest.folder / "drive")
    run(*_with_drive(guest, *copy))
    guest.disk.file.unlink()


def _with_drive(guest: Guest, *command: str | Path) -> tuple[str | Path, ...]:
    """Return a command that sees the drive mounted; the mount is in nobody else's way, and ends with it."""
    device = guest.drive.attach()
    guest.drive.wait_until_free()
    alone = ("unshare", "--mount", "--propagation", "private", "sh", "-c", _MOUNT, "sh")
    return (*alone, device, guest.folder / "drive", *command)


def pulled(guest: Guest) -> Path:
    """Return the file that has the serial numbers of the data disks that are taken out, one a line."""
    return guest.folder / "pulled"


def _data_disks(guest: Guest) -> dict[str, Path]:
    """Return the files of the data disks that are in the machine, by their serial numbers."""
    out = pulled(guest).read_text().split() if pulled(guest).exists() else []
    disks = {DISK_SERIAL: guest.folder / "drive" / guest.disk.file.name}
    if guest.spec.second:
        disks[SECOND_SERIAL] = guest.second.file
    return {serial: file for serial, file in disks.items() if serial not in out}


def start(guest: Guest) -> None:
    """Boot; the guest is not up yet when this returns."""
    tap = f"tap-{guest.spec.name}"
    inside = ("ip", "-netns", guest.lab.id)
    if not succeeds(*inside, "link", "show", tap):
        run(*inside, "tuntap", "add", tap, "mode", "tap")
    run(*inside, "link", "set", tap, "master", SWITCH, "up")
    kernel = image.kernel(guest.spec.release)
    command: list[str | Path] = ["qemu-system-x86_64", "-name", guest.spec.name, "-nodefaults", "-display", "none"]
    command += ["-M", "q35", "-accel", "tcg,thread=multi,tb-size=1024", "-cpu", "Nehalem", "-smp", "2", "-m", "3072"]
    command += ["-serial", f"file:{guest.console}", "-device", "virtio-rng-pci"]
    command += [
        "-kernel",
        kernel / "vmlinuz",
        "-append",
        f"root=/dev/nvme0n1 rw console=ttyS0 quiet panic=5 {_PATIENT_KERNEL}",
    ]
    # The root disk is not what is tested: its syncs need not reach this machine's disk.
    command += ["-drive", f"file={guest.folder}/root.img,if=none,id=root,format=raw,cache=unsafe"]
    command += ["-device", "nvme,drive=root,serial=ROOT0"]
    for serial, file in _data_disks(guest).items():
        command += ["-drive", f"file={file},if=none,id={serial},format=raw,cache=writeback"]
        command += ["-device", f"nvme,drive={serial},serial={serial}"]
    command += ["-netdev", f"tap,id=net,ifname={tap},script=no,downscript=no"]
    command += ["-device", "virtio-net-pci,netdev=net,rx_queue_size=1024"]
    guest.group.spawn(_with_drive(guest, *guest.lan.inside(*command)), guest.folder / "qemu.log")
