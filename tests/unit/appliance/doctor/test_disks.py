"""Mounts, disks and the mirror: what is well is not told, and each fault is told with what mends it."""

from __future__ import annotations

import json

import pytest

from appliance.doctor.checks import healthy, mirrored, mounted
from tests.support.doctor_host import Host

INFO = "36 25 8:17 / /srv/mercure rw,noatime,nodev,nosuid,noexec shared:1 - xfs /dev/sdb1 rw,attr2,inode64\n"
FSTAB = "# made by the installer\nUUID=1-2 / ext4 defaults 0 1\nUUID=3-4 /srv/mercure xfs noatime 0 0\n"
MOUNT = {"path": "/srv/mercure", "filesystem": "xfs", "options": ["noatime", "nodev", "nosuid", "noexec"]}


@pytest.fixture
def mount(host: Host) -> Host:
    host.expected["mounts"] = [MOUNT]
    host.write("/proc/self/mountinfo", INFO)
    host.write("/etc/fstab", FSTAB)
    return host


def test_a_disk_that_is_mounted_as_it_was_set_up_is_well(mount: Host) -> None:
    assert mount.found(mounted) == []


def test_a_disk_that_is_not_mounted_is_a_failure(mount: Host) -> None:
    mount.write("/proc/self/mountinfo", INFO.replace("/srv/mercure", "/srv/other"))
    ((outcome, text, mend),) = mount.found(mounted)
    assert outcome == "failed"
    assert "/srv/mercure is not mounted" in text
    assert "mount /srv/mercure" in mend


def test_options_that_are_gone_are_named_with_the_command(mount: Host) -> None:
    mount.write("/proc/self/mountinfo", INFO.replace(",noexec", ""))
    ((outcome, text, mend),) = mount.found(mounted)
    assert (outcome, text) == ("warning", "/srv/mercure is mounted without noexec")
    assert mend == "mount --options remount,noatime,nodev,nosuid,noexec /srv/mercure"


@pytest.mark.parametrize(
    ("name", "before", "after", "words"),
    [
        ("/proc/self/mountinfo", "- xfs", "- ext4", "/srv/mercure is ext4, and xfs was set"),
        ("/proc/self/mountinfo", "sdb1 rw,", "sdb1 ro,", "read-only: the kernel found an error"),
        ("/etc/fstab", "UUID=3-4", "/dev/sdb1", "does not mount /srv/mercure by UUID"),
        ("/etc/fstab", "UUID=3-4", "#UUID=3-4", "does not mount /srv/mercure by UUID"),
    ],
)
def test_each_drift_of_a_mount_is_told(mount: Host, name: str, before: str, after: str, words: str) -> None:
    mount.write(name, (INFO if "mountinfo" in name else FSTAB).replace(before, after))
    ((_, text, mend),) = mount.found(mounted)
    assert words in text
    assert mend


def smart(host: Host, said: dict[str, object]) -> Host:
    host.said["smartctl --scan --json=c"] = json.dumps({"devices": [{"name": "/dev/nvme0"}]})
    host.said["smartctl --health --attributes --json=c /dev/nvme0"] = json.dumps(said)
    return host


def test_a_healthy_disk_is_well(host: Host) -> None:
    log = {"percentage_used": 12, "media_errors": 0}
    said = {"smart_status": {"passed": True}, "nvme_smart_health_information_log": log}
    assert smart(host, said).found(healthy) == []


@pytest.mark.parametrize(
    ("said", "outcome", "words"),
    [
        ({"smart_status": {"passed": False}}, "failed", "/dev/nvme0 says that it is failing"),
        ({"nvme_smart_health_information_log": {"percentage_used": 97}}, "warning", "worn to 97 %"),
        ({"nvme_smart_health_information_log": {"media_errors": 3}}, "warning", "could not read"),
        (
            {"ata_smart_attributes": {"table": [{"id": 197, "name": "Current_Pending_Sector", "raw": {"value": 8}}]}},
            "warning",
            "Current_Pending_Sector is 8",
        ),
    ],
)
def test_a_disk_that_complains_is_named(host: Host, said: dict[str, object], outcome: str, words: str) -> None:
    ((found, text, mend),) = smart(host, said).found(healthy)
    assert found == outcome
    assert words in text
    assert "smartctl --all /dev/nvme0" in mend


def test_without_root_or_smartctl_it_is_not_known(host: Host) -> None:
    ((outcome, text, _),) = host.found(healthy)
    assert (outcome, text) == ("unknown", "smartctl is not installed")
    host.is_root = False
    ((outcome, _, mend),) = host.found(healthy)
    assert (outcome, mend) == ("unknown", "sudo mercure doctor")


MDSTAT = """\
Personalities : [raid1]
md127 : active raid1 sdc1[1] sdb1[0]
      976630464 blocks super 1.2 [2/2] [UU]

unused devices: <none>
"""


def test_a_mirror_with_both_disks_is_well_and_none_is_where_none_is_wanted(host: Host) -> None:
    assert host.found(mirrored) == []
    host.expected["mirror"] = True
    host.write("/proc/mdstat", MDSTAT)
    assert host.found(mirrored) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (MDSTAT.replace("[2/2] [UU]", "[2/1] [U_]").replace("sdc1[1] ", ""), "md127 runs on one disk (sdb1[0])"),
        ("Personalities :\nunused devices: <none>\n", "the mirror is not assembled"),
    ],
)
def test_a_mirror_that_is_none_is_a_failure(host: Host, text: str, words: str) -> None:
    host.expected["mirror"] = True
    host.write("/proc/mdstat", text)
    ((outcome, said, mend),) = host.found(mirrored)
    assert outcome == "failed"
    assert words in said
    assert "mdadm" in mend
