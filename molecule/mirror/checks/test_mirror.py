"""A mirror of two encrypted disks: what the playbook made of them, and what becomes of it at the next boots."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.guests.first_files import DISK_SERIAL, SECOND_SERIAL
from tests.guests.ssh import ask
from tests.guests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.guests.guest import Guest
    from tests.guests.play import Run

    Boot = Callable[..., None]

IMPATIENT = "/etc/systemd/system.conf.d/zz-impatient.conf"
"""An emulated guest waits half an hour for a disk (`tests/guests/vm.py`); where none is to come that is too long."""


def on(guest: Guest, command: str) -> str:
    return ask(guest.lab, guest.spec, command, seconds=60)


def is_mounted(guest: Guest) -> bool:
    return "/dev/mapper/mercure-data" in on(guest, "findmnt --noheadings --output SOURCE --mountpoint /srv/mercure")


def is_whole(guest: Guest) -> bool:
    return "[UU]" in on(guest, "cat /proc/mdstat")


def put(guest: Guest, text: str) -> None:
    on(guest, f"echo {text} | sudo tee /srv/mercure/kept && sync")


def kept(guest: Guest) -> str:
    wait_until(lambda: is_mounted(guest), seconds=60 * guest.spec.patience, what="the data disk to be mounted")
    return on(guest, "sudo cat /srv/mercure/kept").strip()


def test_the_data_is_encrypted_on_two_disks(guest: Guest) -> None:
    assert is_mounted(guest)
    types = on(guest, "lsblk --inverse --noheadings --list --output TYPE /dev/mapper/mercure-data").split()
    assert types == ["crypt", "raid1", "part", "disk", "part", "disk"]
    assert "crypto_LUKS" in on(guest, "sudo blkid --probe --output value --match-tag TYPE /dev/md/mercure")
    assert on(guest, "stat --format '%a %U %s' /etc/mercure-data.key").split() == ["400", "root", "64"]


def test_while_it_is_closed_nothing_lets_it_be_erased(guest: Guest, storage: Callable[..., Run]) -> None:
    disk = f"/dev/disk/by-id/nvme-QEMU_NVMe_Ctrl_{DISK_SERIAL}"
    told = ("may be a router's data disk", "Nothing was changed")
    put(guest, "precious")
    on(guest, "sudo umount /srv/mercure && sudo cryptsetup close mercure-data")
    storage().refuses("crypto_LUKS", "systemd-cryptsetup@", *told)
    on(guest, "sudo mdadm --stop /dev/md/mercure")
    storage().refuses("linux_raid_member", "mdadm --assemble", *told)
    on(guest, f"sudo dd if={disk} of=/var/tmp/table bs=1M count=1 && sudo dd if=/dev/zero of={disk} bs=1M count=1")
    on(guest, f"sudo blockdev --rereadpt {disk}; sudo udevadm settle")
    assert on(guest, f"lsblk --noheadings --list --output TYPE {disk}").split() == ["disk"]
    storage().refuses("linux_raid_member", "a lost table of partitions", *told)
    on(guest, f"sudo dd if=/var/tmp/table of={disk} && sudo blockdev --rereadpt {disk}; sudo udevadm settle")
    on(guest, "sudo mdadm --assemble --scan; sudo systemctl restart 'systemd-cryptsetup@mercure\\x2ddata'")
    on(guest, "sudo mount /srv/mercure")
    assert kept(guest) == "precious"


def test_the_next_boot_finds_it(guest: Guest, boot: Boot) -> None:
    put(guest, "before")
    boot()
    assert kept(guest) == "before"
    assert "noatime" in on(guest, "findmnt --noheadings --output OPTIONS /srv/mercure")


def test_half_of_it_goes_on_and_says_so_and_is_whole_again_with_another_disk(
    guest: Guest, boot: Boot, storage: Callable[..., Run]
) -> None:
    put(guest, "twice")
    boot(SECOND_SERIAL)
    assert kept(guest) == "twice"
    assert "[U_]" in on(guest, "cat /proc/mdstat")
    told = "sudo journalctl --boot --identifier mercure-mirror --output cat --no-pager"
    wait_until(lambda: "DegradedArray" in on(guest, told), seconds=60 * guest.spec.patience, what="the loss to be told")
    put(guest, "alone")
    done = storage()
    assert done.exit_code == 0, done.text
    boot()
    assert kept(guest) == "alone"
    part = f"/dev/disk/by-id/nvme-QEMU_NVMe_Ctrl_{SECOND_SERIAL}-part1"
    assert "[U_]" in on(guest, "cat /proc/mdstat")
    on(guest, f"sudo mdadm --manage /dev/md/mercure --add {part}")
    wait_until(lambda: is_whole(guest), seconds=120 * guest.spec.patience, what="the mirror to be whole")
    assert kept(guest) == "alone"


def test_without_its_disks_the_host_can_be_reached(guest: Guest, boot: Boot) -> None:
    put(guest, "safe")
    on(guest, f"printf '[Manager]\\nDefaultDeviceTimeoutSec=120\\n' | sudo tee {IMPATIENT}")
    try:
        boot(DISK_SERIAL, SECOND_SERIAL)
        assert on(guest, "findmnt --mountpoint /srv/mercure || echo none").strip() == "none"
        assert on(guest, "systemctl is-active ssh local-fs.target multi-user.target").split() == ["active"] * 3
        assert "-w /etc/shadow" in on(guest, "sudo auditctl -l")
    finally:
        on(guest, f"sudo rm {IMPATIENT}")
        boot()
    assert kept(guest) == "safe"
