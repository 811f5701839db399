"""Kernel settings, the clock, units of systemd, updates."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from appliance.doctor.host import Finding, Look

_OFF_SECONDS: Final = 1.0
_UNIT_KEYS: Final = "Id,LoadState,ActiveState,Result,UnitFileState,ConditionResult"
_CONTAINER: Final = "none"


def set_up(look: Look) -> Iterator[Finding]:
    """Ask whether the kernel's settings are those that were written."""
    for file in sorted(look.path("/etc/sysctl.d").glob("*mercure*.conf")):
        for line in file.read_text().splitlines():
            name, equals, wanted = (part.strip() for part in line.partition("="))
            if not equals or name.startswith(("#", ";")):
                continue
            name = name.lstrip("-")
            now = look.text(f"/proc/sys/{name.replace('.', '/')}")
            # A kernel may lack one that begins with "-", and some are hidden from everybody but root.
            if now is not None and now.split() != wanted.split():
                text = f"{name} is {' '.join(now.split())}, and {wanted} was set in /{file.relative_to(look.top)}"
                mend = f"sysctl --load=/{file.relative_to(look.top)}; if it does not stay, another file says otherwise"
                yield Finding("warning", text, mend)


def on_time(look: Look) -> Iterator[Finding]:
    """Ask whether chrony keeps the clock right."""
    if (look.ask("systemd-detect-virt", "--container") or _CONTAINER).strip() != _CONTAINER:
        return  # its machine keeps it
    said = look.ask("chronyc", "-n", "tracking")
    if said is None:
        yield Finding("failed", "nothing keeps the clock right: chrony does not answer", "systemctl restart chrony")
        return
    values = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in said.splitlines())}
    if values.get("Leap status") == "Not synchronised":
        mend = "chronyc -n sources; name servers that can be reached in base_time_servers"
        yield Finding("warning", "no time server answers chrony", mend)
    offset = re.match(r"([0-9.]+) seconds (fast|slow)", values.get("System time", ""))
    if offset and float(offset[1]) > _OFF_SECONDS:
        yield Finding("failed", f"the clock is {offset[1]} s {offset[2]}", "chronyc makestep")


def running(look: Look) -> Iterator[Finding]:
    """Ask whether all units run that should, and come back at the next boot."""
    if look.expected.units:
        said = look.ask("systemctl", "show", f"--property={_UNIT_KEYS}", *look.expected.units) or ""
        for block in filter(None, said.split("\n\n")):
            yield from _about_unit(dict(line.split("=", 1) for line in block.splitlines() if "=" in line))
    failed = look.ask("systemctl", "list-units", "--failed", "--no-legend", "--plain") or ""
    for line in failed.splitlines():
        unit = line.split()[0]
        if unit not in look.expected.units:
            yield Finding("warning", f"{unit} has failed", f"journalctl --unit {unit}; systemctl restart {unit}")


def _about_unit(unit: dict[str, str]) -> Iterator[Finding]:
    name = unit["Id"]
    if unit["LoadState"] != "loaded":
        yield Finding("failed", f"there is no {name}", "ansible-playbook -i inventory playbook.yml")
        return
    # One that rightly does not start here, such as auditd in a container.
    if unit["ActiveState"] not in {"active", "activating", "reloading"} and unit["ConditionResult"] != "no":
        mend = f"journalctl --unit {name}; systemctl restart {name}"
        yield Finding("failed", f"{name} is {unit['ActiveState']} ({unit['Result']})", mend)
    if unit["UnitFileState"] not in {"enabled", "enabled-runtime", "static", "indirect", "generated", "alias"}:
        yield Finding("warning", f"{name} will not come back at the next boot", f"systemctl enable {name}")


def up_to_date(look: Look) -> Iterator[Finding]:
    """Ask whether security updates wait, and whether a boot is due."""
    if look.path("/run/reboot-required").exists():
        packages = " ".join(sorted(set((look.text("/run/reboot-required.pkgs") or "").split())))
        mend = "reboot at a quiet hour: images are taken again a minute later, none is lost"
        yield Finding("warning", f"updates wait for a boot ({packages or 'not told of what'})", mend)
    newest = max(
        (path.name.removeprefix("vmlinuz-") for path in look.path("/boot").glob("vmlinuz-*")), key=_version, default=""
    )
    if newest and _version(newest) > _version(look.kernel) and not look.path("/run/reboot-required").exists():
        yield Finding("warning", f"the kernel {look.kernel} runs, and {newest} is installed", "reboot at a quiet hour")
    said = look.ask("apt-get", "--simulate", "--quiet=2", "-o", "Debug::NoLocking=1", "upgrade") or ""
    waiting = [line.split()[1] for line in said.splitlines() if line.startswith("Inst ") and "Security" in line]
    if waiting:
        text = f"{len(waiting)} security updates wait: {', '.join(waiting[:5])}"
        yield Finding("warning", text, "unattended-upgrade --verbose; /var/log/unattended-upgrades tells why they wait")


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", text))
