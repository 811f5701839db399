"""Mounts, the health of disks, the mirror."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from appliance.doctor.host import Finding, Look, only_root

_WORN_PERCENT: Final = 90
_PLAY: Final = "ansible-playbook -i inventory playbook.yml --tags storage"


def mounted(look: Look) -> Iterator[Finding]:
    """Ask whether the data disk is mounted as it was set up, and will be after the next boot."""
    there = dict(_mounts(look.text("/proc/self/mountinfo") or ""))
    table = [line.split() for line in (look.text("/etc/fstab") or "").splitlines() if not line.startswith("#")]
    lasting = {fields[1]: fields[0] for fields in table if len(fields) > 1}
    for wanted in look.expected.mounts:
        if wanted.path not in there:
            text = f"{wanted.path} is not mounted: its disk is missing or damaged"
            mend = f"lsblk; journalctl --boot --unit '*.mount'; mount {wanted.path}; then systemctl restart mercure"
            yield Finding("failed", text, mend)
            continue
        kind, options = there[wanted.path]
        if kind != wanted.filesystem:
            yield Finding("warning", f"{wanted.path} is {kind}, and {wanted.filesystem} was set", _PLAY)
        missing = sorted(set(wanted.options) - options)
        if missing:
            text = f"{wanted.path} is mounted without {', '.join(missing)}"
            yield Finding("warning", text, f"mount --options remount,{','.join(wanted.options)} {wanted.path}")
        if "ro" in options:
            text = f"{wanted.path} is read-only: the kernel found an error on it"
            yield Finding("failed", text, "journalctl --dmesg --grep 'I/O error|XFS|EXT4'; replace the disk")
        if not lasting.get(wanted.path, "").startswith("UUID="):
            yield Finding(
                "failed", f"/etc/fstab does not mount {wanted.path} by UUID: it may be gone after a boot", _PLAY
            )


def _mounts(text: str) -> Iterator[tuple[str, tuple[str, set[str]]]]:
    """Read /proc/self/mountinfo (proc(5)): the last mount at a place counts."""
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        fields, rest = before.split(), after.split()
        yield fields[4], (rest[0], {*fields[5].split(","), *rest[2].split(",")})


def healthy(look: Look) -> Iterator[Finding]:
    """Ask each disk how it is (SMART)."""
    if not look.is_root:
        yield only_root("how the disks are")
        return
    found = look.ask("smartctl", "--scan", "--json=c")
    if found is None:
        yield Finding("unknown", "smartctl is not installed", "the playbook with monitoring_smart: true")
        return
    for device in json.loads(found or "{}").get("devices", []):
        name = device["name"]
        said = look.ask("smartctl", "--health", "--attributes", "--json=c", name)
        yield from _about_disk(name, json.loads(said or "{}"))


def _about_disk(name: str, said: dict[str, Any]) -> Iterator[Finding]:
    replace = f"have it replaced: smartctl --all {name} tells more"
    if said.get("smart_status", {}).get("passed") is False:
        yield Finding("failed", f"{name} says that it is failing", replace)
    nvme = said.get("nvme_smart_health_information_log", {})
    if nvme.get("percentage_used", 0) >= _WORN_PERCENT:
        yield Finding("warning", f"{name} is worn to {nvme['percentage_used']} % of what it was made for", replace)
    if nvme.get("media_errors", 0):
        yield Finding("warning", f"{name} could not read what it had stored, {nvme['media_errors']} times", replace)
    for row in said.get("ata_smart_attributes", {}).get("table", []):
        if row["id"] in {5, 197, 198} and row["raw"]["value"]:
            yield Finding("warning", f"{name}: {row['name']} is {row['raw']['value']}", replace)


def mirrored(look: Look) -> Iterator[Finding]:
    """Ask whether the mirror has both its halves."""
    text = look.text("/proc/mdstat") or ""
    mirrors = re.findall(r"^(md\S*) : active (?:\([^)]*\) )?raid1 (.*)\n.*\[([U_]+)\]", text, re.MULTILINE)
    if look.expected.mirror and not mirrors:
        yield Finding("failed", "the mirror is not assembled", "cat /proc/mdstat; mdadm --assemble --scan")
    for name, parts, state in mirrors:
        if "_" in state:
            text = f"the mirror {name} runs on one disk ({parts.strip()}): the next failure loses all of it"
            yield Finding("failed", text, f"replace the other, then mdadm --manage /dev/{name} --add NEW-PARTITION")
