"""The doctor's checks, in their order: disks, kernel settings, clock, units, updates, release, permissions, backups."""

from __future__ import annotations

import grp
import json
import os
import pwd
import re
import socket
import ssl
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from appliance.control.errors import ControlError
from appliance.doctor.host import EXPECTED, Answer, Check, CheckFinding, Expected, HostView, OwnedFile, only_root
from appliance.nic_report import report
from mercure.config import Receiver
from mercure.model import Model

_UNIT: Final = "mercure-network@"
_SOON: Final = timedelta(days=30)
_APPLIED: Final = "/var/lib/apt/periodic/upgrade-stamp"
"""Touched by apt's daily timer when it has applied updates, or has found none."""
_APPLIED_AT_LEAST: Final = timedelta(days=7)
_SSHD: Final = {"passwordauthentication": "no", "permitrootlogin": "no", "kbdinteractiveauthentication": "no"}
_TABLE: Final = "table inet mercure"


def nics_set(host: HostView) -> Iterator[CheckFinding]:
    """Check that the network interfaces are set as the playbook sets them."""
    wants = host.path("/etc/systemd/system/multi-user.target.wants")
    for unit in sorted(wants.glob(f"{_UNIT}*.service")):
        name = unit.name.removeprefix(_UNIT).removesuffix(".service")
        try:
            found = report((name,), sys=host.path("/sys"), proc=host.path("/proc"))
        except ControlError as error:
            yield CheckFinding("failed", error.text, f"{error.advice}; correct network_interfaces and play")
            continue
        (nic,) = found.nics
        if not nic.up:
            yield CheckFinding("failed", f"{name} has no link", "look at the cable and at the port of the switch")
        for advice in nic.advice:
            yield CheckFinding("warning", f"{name}: {advice.what}: {advice.why}", advice.how)


def filtered(host: HostView) -> Iterator[CheckFinding]:
    """Check that the firewall holds the rules of the playbook."""
    if _TABLE not in (host.text("/etc/nftables.conf") or ""):
        return  # not ours: firewall_enabled is false
    if not host.is_root:
        yield only_root("which rules the firewall has")
        return
    rules = host.ask("nft", "list", "table", "inet", "mercure") or ""
    if "policy drop" not in rules:
        yield CheckFinding("failed", "the firewall has not the rules of the playbook", "systemctl restart nftables")


def guarded(host: HostView) -> Iterator[CheckFinding]:
    """Check that sshd still refuses passwords."""
    if not host.path("/etc/ssh/sshd_config.d/10-mercure.conf").exists():
        return  # hardening_waivers: ssh
    if not host.is_root:
        yield only_root("how sshd is set")
        return
    lines = (host.ask("sshd", "-T") or "").splitlines()
    said = dict(line.split(maxsplit=1) for line in lines if " " in line)
    for key, wanted in _SSHD.items():
        if said.get(key) != wanted:
            text = f"sshd: {key} is {said.get(key, 'not told')}, and {wanted} was set"
            mend = "another file in /etc/ssh/sshd_config.d comes before 10-mercure.conf; systemctl reload ssh"
            yield CheckFinding("failed", text, mend)


def certified(host: HostView) -> Iterator[CheckFinding]:
    """Check how long the certificate of the status page is valid, as a browser sees it."""
    if host.expected.page is None:
        return
    name, _, port = host.expected.page.rpartition(":")
    try:
        ends = _end_of_certificate(name, int(port))
    except OSError as error:
        mend = "systemctl restart nginx; journalctl --unit nginx"
        yield CheckFinding("failed", f"the status page does not answer over TLS: {error}", mend)
        return
    mend = "the playbook with a new status_page_certificate"
    if ends <= host.now:
        yield CheckFinding("failed", f"the certificate of the status page has expired on {ends:%Y-%m-%d}", mend)
    elif ends - host.now < _SOON:
        yield CheckFinding("warning", f"the certificate of the status page expires on {ends:%Y-%m-%d}", mend)


def _end_of_certificate(host: str, port: int) -> datetime:
    from cryptography import x509  # noqa: PLC0415 - a tenth of a second, for who has a page

    context = ssl.create_default_context()
    # The issuer does not matter here: only the end of its validity does.
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection((host, port), timeout=10) as link, context.wrap_socket(link) as page:
        certificate = page.getpeercert(binary_form=True) or b""
    return x509.load_der_x509_certificate(certificate).not_valid_after_utc.astimezone(UTC)


_WORN_PERCENT: Final = 90
_PLAY: Final = "ansible-playbook -i inventory playbook.yml --tags storage"


def mounted(host: HostView) -> Iterator[CheckFinding]:
    """Check that the data disk is mounted as it was set up, and will be after the next boot."""
    there = dict(_mounts(host.text("/proc/self/mountinfo") or ""))
    table = [line.split() for line in (host.text("/etc/fstab") or "").splitlines() if not line.startswith("#")]
    lasting = {fields[1]: fields[0] for fields in table if len(fields) > 1}
    for wanted in host.expected.mounts:
        if wanted.path not in there:
            text = f"{wanted.path} is not mounted: its disk is missing or damaged"
            mend = f"lsblk; journalctl --boot --unit '*.mount'; mount {wanted.path}; then systemctl restart mercure"
            yield CheckFinding("failed", text, mend)
            continue
        kind, options = there[wanted.path]
        if kind != wanted.filesystem:
            yield CheckFinding("warning", f"{wanted.path} is {kind}, and {wanted.filesystem} was set", _PLAY)
        missing = sorted(set(wanted.options) - options)
        if missing:
            text = f"{wanted.path} is mounted without {', '.join(missing)}"
            yield CheckFinding("warning", text, f"mount --options remount,{','.join(wanted.options)} {wanted.path}")
        if "ro" in options:
            text = f"{wanted.path} is read-only: the kernel found an error on it"
            yield CheckFinding("failed", text, "journalctl --dmesg --grep 'I/O error|XFS|EXT4'; replace the disk")
        if not lasting.get(wanted.path, "").startswith("UUID="):
            yield CheckFinding(
                "failed", f"/etc/fstab does not mount {wanted.path} by UUID: it may be gone after a boot", _PLAY
            )


def _mounts(text: str) -> Iterator[tuple[str, tuple[str, set[str]]]]:
    """Read /proc/self/mountinfo (proc(5)): the last mount at a place counts."""
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        fields, rest = before.split(), after.split()
        yield fields[4], (rest[0], {*fields[5].split(","), *rest[2].split(",")})


def healthy(host: HostView) -> Iterator[CheckFinding]:
    """Check the health of each disk (SMART)."""
    if not host.is_root:
        yield only_root("how the disks are")
        return
    found = host.ask("smartctl", "--scan", "--json=c")
    if found is None:
        yield CheckFinding("unknown", "smartctl is not installed", "the playbook with monitoring_smart: true")
        return
    for device in json.loads(found or "{}").get("devices", []):
        name = device["name"]
        said = host.ask("smartctl", "--health", "--attributes", "--json=c", name)
        yield from _about_disk(name, json.loads(said or "{}"))


def _about_disk(name: str, said: dict[str, Any]) -> Iterator[CheckFinding]:
    replace = f"have it replaced: smartctl --all {name} tells more"
    if said.get("smart_status", {}).get("passed") is False:
        yield CheckFinding("failed", f"{name} says that it is failing", replace)
    nvme = said.get("nvme_smart_health_information_log", {})
    if nvme.get("percentage_used", 0) >= _WORN_PERCENT:
        yield CheckFinding("warning", f"{name} is worn to {nvme['percentage_used']} % of what it was made for", replace)
    if nvme.get("media_errors", 0):
        yield CheckFinding(
            "warning", f"{name} could not read what it had stored, {nvme['media_errors']} times", replace
        )
    for row in said.get("ata_smart_attributes", {}).get("table", []):
        if row["id"] in {5, 197, 198} and row["raw"]["value"]:
            yield CheckFinding("warning", f"{name}: {row['name']} is {row['raw']['value']}", replace)


def mirrored(host: HostView) -> Iterator[CheckFinding]:
    """Check that the mirror has both its halves."""
    text = host.text("/proc/mdstat") or ""
    mirrors = re.findall(r"^(md\S*) : active (?:\([^)]*\) )?raid1 (.*)\n.*\[([U_]+)\]", text, re.MULTILINE)
    if host.expected.mirror and not mirrors:
        yield CheckFinding("failed", "the mirror is not assembled", "cat /proc/mdstat; mdadm --assemble --scan")
    for name, parts, state in mirrors:
        if "_" in state:
            text = f"the mirror {name} runs on one disk ({parts.strip()}): the next failure loses all of it"
            yield CheckFinding(
                "failed", text, f"replace the other, then mdadm --manage /dev/{name} --add NEW-PARTITION"
            )


_PROGRAMS: Final = ("getdcmtags", "mercure-codec", "mercure-storescp", "mercure-storescu")
_BACKUP_AGE: Final = timedelta(hours=50)
"""One backup a night, and one may be missed; after two days it has failed unseen."""


def released(host: HostView) -> Iterator[CheckFinding]:
    """Check that the installed release is complete, and is the one that runs."""
    folder = host.path(host.expected.folder)
    play = "ansible-playbook -i inventory playbook.yml --tags router"
    try:
        current = os.readlink(folder / "current").rpartition("/")[2]
    except OSError:
        yield CheckFinding("failed", f"no release is current in {host.expected.folder}", play)
        return
    here = folder / "releases" / current
    if not (here / "complete").exists():
        yield CheckFinding("failed", f"the release {current} is not complete", "mercure-release back, then play again")
    for name in _PROGRAMS:
        said = host.ask(str(here / "venv/bin" / name), "--version")
        if said is None:
            mend = f"{play}; ldd {here / 'venv/bin' / name} tells what it misses"
            yield CheckFinding("failed", f"{name} of the release {current} does not run", mend)
    pid = (host.ask("systemctl", "show", "--property=MainPID", "--value", "mercure.service") or "").strip()
    runs = host.text(f"/proc/{pid}/cmdline") if pid not in {"", "0"} else None
    if runs is not None and f"/releases/{current}/" not in runs:
        text = f"{current} is current, and the router runs {runs.split(chr(0))[0]}"
        yield CheckFinding("warning", text, f"mercure-release switch {current}")


def owned(host: HostView) -> Iterator[CheckFinding]:
    """Check owner, group and mode of files and folders."""
    hidden = []
    for wanted in host.expected.files:
        try:
            now = host.path(wanted.path).lstat()
        except PermissionError:
            hidden.append(wanted.path)
            continue
        except FileNotFoundError:
            mend = "ansible-playbook -i inventory playbook.yml; is the data disk mounted?"
            yield CheckFinding("failed", f"there is no {wanted.path}", mend)
            continue
        yield from _about_file(wanted, now)
    if hidden:
        yield only_root(f"whose these are: {', '.join(hidden)}")


def _about_file(wanted: OwnedFile, now: os.stat_result) -> Iterator[CheckFinding]:
    owner, group, mode = _user(now.st_uid), _group(now.st_gid), f"{stat.S_IMODE(now.st_mode):04o}"
    if (owner, group) != (wanted.owner, wanted.group):
        text = f"{wanted.path} belongs to {owner}:{group}, not to {wanted.owner}:{wanted.group}"
        yield CheckFinding("failed", text, f"chown {wanted.owner}:{wanted.group} {wanted.path}")
    if mode != wanted.mode:
        text = f"{wanted.path} has mode {mode}, not {wanted.mode}"
        yield CheckFinding("failed", text, f"chmod {wanted.mode} {wanted.path}")


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def _group(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)


def backed_up(host: HostView) -> Iterator[CheckFinding]:
    """Check that there is a backup of the last nights."""
    if host.expected.backups is None:
        return
    folder = host.path(host.expected.backups)
    mend = "journalctl --unit mercure-backup; systemctl start mercure-backup"
    try:
        times = [(folder / name).stat().st_mtime for name in os.listdir(folder) if _is_backup(Path(name))]
    except PermissionError:
        yield only_root("how old the backups are")
        return
    except FileNotFoundError:
        yield CheckFinding("failed", f"there is no {host.expected.backups}: is its disk mounted?", mend)
        return
    if not times:
        yield CheckFinding("warning", f"there is no backup in {host.expected.backups} yet", mend)
        return
    newest = datetime.fromtimestamp(max(times), UTC)
    if host.now - newest > _BACKUP_AGE:
        yield CheckFinding("failed", f"the newest backup is of {newest:%Y-%m-%d %H:%M} UTC", mend)


def _is_backup(path: Path) -> bool:
    return path.name.endswith((".tar", ".tar.age")) and not path.name.startswith(".")


_OFF_SECONDS: Final = 1.0
_UNIT_KEYS: Final = "Id,LoadState,ActiveState,Result,UnitFileState,ConditionResult"
_CONTAINER: Final = "none"


def set_up(host: HostView) -> Iterator[CheckFinding]:
    """Check that the kernel's settings are those in /etc/sysctl.d."""
    for file in sorted(host.path("/etc/sysctl.d").glob("*mercure*.conf")):
        for line in file.read_text().splitlines():
            name, equals, wanted = (part.strip() for part in line.partition("="))
            if not equals or name.startswith(("#", ";")):
                continue
            name = name.lstrip("-")
            now = host.text(f"/proc/sys/{name.replace('.', '/')}")
            # A kernel may lack one that begins with "-", and some are hidden from everybody but root.
            if now is not None and now.split() != wanted.split():
                text = f"{name} is {' '.join(now.split())}, and {wanted} was set in /{file.relative_to(host.top)}"
                mend = f"sysctl --load=/{file.relative_to(host.top)}; if it does not stay, another file says otherwise"
                yield CheckFinding("warning", text, mend)


_NEEDED_BY_SANDBOXES: Final = (
    # file, what it says where all is well, what is missing else, how to mend it
    ("/proc/sys/kernel/seccomp/actions_avail", re.compile(r"\berrno\b"), "filters of system calls (seccomp)",
     "start a kernel with CONFIG_SECCOMP_FILTER, such as Debian's"),
    ("/proc/sys/user/max_user_namespaces", re.compile(r"^[1-9]"), "user namespaces",
     "sysctl user.max_user_namespaces=1000"),
    ("/proc/sys/kernel/unprivileged_userns_clone", re.compile(r"^1|^$"), "user namespaces of users",
     "sysctl kernel.unprivileged_userns_clone=1"),
)  # fmt: skip


def shut_in(host: HostView) -> Iterator[CheckFinding]:
    """Check that the kernel has what the sandboxes of modules are made of, where bubblewrap is installed."""
    if not host.path("/usr/bin/bwrap").exists():
        return
    for path, good, what, mend in _NEEDED_BY_SANDBOXES:
        said = host.text(path)
        is_debians = "unprivileged" in path  # other kernels have no such switch
        if not good.search(said or "") and not (said is None and is_debians):
            yield CheckFinding(
                "failed", f"the kernel gives no {what}: modules of the runner 'command' cannot run", mend
            )


def jailed(host: HostView) -> Iterator[CheckFinding]:
    """Check that receiver and sender can shut themselves in: the receiver itself tells what the kernel lacks."""
    said = host.ask(str(host.path(host.expected.folder) / "current/venv/bin/mercure-storescp"), "--check-jail")
    for part in (said or "").splitlines():  # that it does not run, `released` tells
        text = f"the kernel lacks {part}: who finds a hole in receiver or sender can do what the user mercure can"
        yield CheckFinding(
            "warning", text, "start Debian's kernel, without lsm= on its command line; dmesg --grep landlock"
        )


def on_time(host: HostView) -> Iterator[CheckFinding]:
    """Check that chrony synchronises the clock."""
    if (host.ask("systemd-detect-virt", "--container") or _CONTAINER).strip() != _CONTAINER:
        return  # its machine keeps it
    said = host.ask("chronyc", "-n", "tracking")
    if said is None:
        yield CheckFinding(
            "failed", "nothing keeps the clock right: chrony does not answer", "systemctl restart chrony"
        )
        return
    values = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in said.splitlines())}
    if values.get("Leap status") == "Not synchronised":
        mend = "chronyc -n sources; name servers that can be reached in base_time_servers"
        yield CheckFinding("warning", "no time server answers chrony", mend)
    offset = re.match(r"([0-9.]+) seconds (fast|slow)", values.get("System time", ""))
    if offset and float(offset[1]) > _OFF_SECONDS:
        yield CheckFinding("failed", f"the clock is {offset[1]} s {offset[2]}", "chronyc makestep")


def running(host: HostView) -> Iterator[CheckFinding]:
    """Check that the expected units run and are enabled."""
    if host.expected.units:
        said = host.ask("systemctl", "show", f"--property={_UNIT_KEYS}", *host.expected.units) or ""
        for block in filter(None, said.split("\n\n")):
            yield from _about_unit(dict(line.split("=", 1) for line in block.splitlines() if "=" in line))
    failed = host.ask("systemctl", "list-units", "--failed", "--no-legend", "--plain") or ""
    for line in failed.splitlines():
        unit = line.split()[0]
        if unit not in host.expected.units:
            yield CheckFinding("warning", f"{unit} has failed", f"journalctl --unit {unit}; systemctl restart {unit}")


def _about_unit(unit: dict[str, str]) -> Iterator[CheckFinding]:
    name = unit["Id"]
    if unit["LoadState"] != "loaded":
        yield CheckFinding("failed", f"there is no {name}", "ansible-playbook -i inventory playbook.yml")
        return
    # One that rightly does not start here, such as auditd in a container.
    if unit["ActiveState"] not in {"active", "activating", "reloading"} and unit["ConditionResult"] != "no":
        mend = f"journalctl --unit {name}; systemctl restart {name}"
        yield CheckFinding("failed", f"{name} is {unit['ActiveState']} ({unit['Result']})", mend)
    if unit["UnitFileState"] not in {"enabled", "enabled-runtime", "static", "indirect", "generated", "alias"}:
        yield CheckFinding("warning", f"{name} will not come back at the next boot", f"systemctl enable {name}")


def up_to_date(host: HostView) -> Iterator[CheckFinding]:
    """Check for pending security updates and a pending reboot."""
    if host.path("/run/reboot-required").exists():
        packages = " ".join(sorted(set((host.text("/run/reboot-required.pkgs") or "").split())))
        mend = "reboot at a quiet hour: images are taken again a minute later, none is lost"
        yield CheckFinding("warning", f"updates wait for a boot ({packages or 'not told of what'})", mend)
    newest = max(
        (path.name.removeprefix("vmlinuz-") for path in host.path("/boot").glob("vmlinuz-*")), key=_version, default=""
    )
    if newest and _version(newest) > _version(host.kernel) and not host.path("/run/reboot-required").exists():
        yield CheckFinding(
            "warning", f"the kernel {host.kernel} runs, and {newest} is installed", "reboot at a quiet hour"
        )
    said = host.ask("apt-get", "--simulate", "--quiet=2", "-o", "Debug::NoLocking=1", "upgrade") or ""
    waiting = [line.split()[1] for line in said.splitlines() if line.startswith("Inst ") and "Security" in line]
    if waiting:
        text = f"{len(waiting)} security updates wait: {', '.join(waiting[:5])}"
        yield CheckFinding(
            "warning", text, "unattended-upgrade --verbose; /var/log/unattended-upgrades tells why they wait"
        )
    yield from _last_applied(host)


def _last_applied(host: HostView) -> Iterator[CheckFinding]:
    """Say when apt's timer last applied updates, and complain where that is too long ago."""
    try:
        last = datetime.fromtimestamp(host.path(_APPLIED).stat().st_mtime, UTC)
    except FileNotFoundError:
        return  # a host of today: its first night is before it
    days = (host.now - last).days
    text = f"updates were last applied on {last:%Y-%m-%d}, {days} days ago"
    if host.now - last > _APPLIED_AT_LEAST:
        yield CheckFinding("warning", text, "systemctl status apt-daily-upgrade.timer; does it reach its mirror?")
    else:
        yield CheckFinding("ok", text, "")


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", text))


def restricted(host: HostView) -> Iterator[CheckFinding]:
    """Check that not anybody may send from anywhere."""
    name = f"{host.expected.root}/config/mercure.json"
    text = host.text(name)
    if text is None:
        if host.is_root:
            yield CheckFinding("unknown", f"there is no {name}", "mercure config history; mercure config rollback")
        else:
            yield only_root("who may send")
        return
    try:
        receiver = Receiver.model_validate(json.loads(text).get("receiver", {}))
    except (ValueError, AttributeError, RecursionError):
        mend = "mercure config validate tells why"
        yield CheckFinding("unknown", f"{name} cannot be used: it does not tell who may send", mend)
        return
    if receiver.is_open_to_all:
        text = f"anybody may send from anywhere: receiver.access is {receiver.access!r}, listening on {receiver.bind}"
        mend = "mercure senders list; enter each of them in `senders`; then: mercure config set receiver.access listed"
        yield CheckFinding("warning", text, mend)


QUESTIONS: Final[dict[str, tuple[Check, str]]] = {
    "mounts": (mounted, "the data disk is mounted as it was set up"),
    "disks": (healthy, "no disk complains"),
    "mirror": (mirrored, "no mirror misses a disk"),
    "kernel": (set_up, "the kernel's settings are those that were written"),
    "sandboxes": (shut_in, "the kernel has what modules are shut in by"),
    "jails": (jailed, "receiver and sender can shut themselves in"),
    "network": (nics_set, "the network interfaces are set as they can be"),
    "firewall": (filtered, "the rules of the inventory are in force"),
    "senders": (restricted, "only those may send that are listed, or that are on this machine"),
    "logins": (guarded, "sshd takes keys and nothing else"),
    "clock": (on_time, "it is kept right"),
    "units": (running, "all run, and come back at the next boot"),
    "updates": (up_to_date, "none waits"),
    "release": (released, "the one that is installed is whole, and runs"),
    "permissions": (owned, "all belongs to whom it should"),
    "certificate": (certified, "it is good for more than a month"),
    "backups": (backed_up, "there is one of the last nights"),
}
"""For each question its check, and the answer when the check finds nothing."""


class Diagnosis(Model):
    """All answers; ``ok``: none failed."""

    ok: bool
    answers: tuple[Answer, ...]


def expected(top: Path = Path("/")) -> Expected:
    """Read what the playbook set.

    Raises
    ------
    ControlError
        No playbook was here, or the file is damaged.
    """
    file = top / EXPECTED
    try:
        return Expected.model_validate(json.loads(file.read_text()))
    except FileNotFoundError as error:
        advice = "on a laptop there is nothing to compare with: `mercure selftest` looks at the router itself"
        raise ControlError(
            "not-found", f"this host was not made by the playbook: there is no {file}", advice
        ) from error
    except ValueError as error:
        raise ControlError("failed", f"{file} cannot be read: {error}", "play again: it is written anew") from error


def examine(host: HostView) -> Diagnosis:
    """Run all checks."""
    answers = tuple(answer for question in QUESTIONS for answer in _asked(question, host))
    return Diagnosis(ok=all(answer.outcome != "failed" for answer in answers), answers=answers)


def _asked(question: str, host: HostView) -> Iterator[Answer]:
    check, well = QUESTIONS[question]
    findings = list(check(host))
    if not findings:
        yield Answer(question=question, outcome="ok", text=well)
    for finding in findings:
        yield Answer(question=question, outcome=finding.outcome, text=finding.text, mend=finding.mend)
