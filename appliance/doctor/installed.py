"""The release, its programs, who owns what, and the backups."""

from __future__ import annotations

import grp
import os
import pwd
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from appliance.doctor.host import Finding, Look, OwnedFile, only_root

_PROGRAMS: Final = ("getdcmtags", "mercure-codec", "mercure-storescp", "mercure-storescu")
_BACKUP_AGE: Final = timedelta(hours=50)
"""Every night, with one that was missed; the third day is a failure that nobody saw."""


def released(look: Look) -> Iterator[Finding]:
    """Ask whether the release that is installed is whole, and is the one that runs."""
    folder = look.path(look.expected.folder)
    play = "ansible-playbook -i inventory playbook.yml --tags router"
    try:
        current = os.readlink(folder / "current").rpartition("/")[2]
    except OSError:
        yield Finding("failed", f"no release is current in {look.expected.folder}", play)
        return
    here = folder / "releases" / current
    if not (here / "complete").exists():
        yield Finding("failed", f"the release {current} is not complete", "mercure-release back, then play again")
    for name in _PROGRAMS:
        said = look.ask(str(here / "venv/bin" / name), "--version")
        if said is None:
            mend = f"{play}; ldd {here / 'venv/bin' / name} tells what it misses"
            yield Finding("failed", f"{name} of the release {current} does not run", mend)
    pid = (look.ask("systemctl", "show", "--property=MainPID", "--value", "mercure.service") or "").strip()
    runs = look.text(f"/proc/{pid}/cmdline") if pid not in {"", "0"} else None
    if runs is not None and f"/releases/{current}/" not in runs:
        text = f"{current} is current, and the router runs {runs.split(chr(0))[0]}"
        yield Finding("warning", text, f"mercure-release switch {current}")


def owned(look: Look) -> Iterator[Finding]:
    """Ask whether files and folders belong to whom they should, and are open to nobody else."""
    hidden = []
    for wanted in look.expected.files:
        try:
            now = look.path(wanted.path).lstat()
        except PermissionError:
            hidden.append(wanted.path)
            continue
        except FileNotFoundError:
            mend = "ansible-playbook -i inventory playbook.yml; is the data disk mounted?"
            yield Finding("failed", f"there is no {wanted.path}", mend)
            continue
        yield from _about_file(wanted, now)
    if hidden:
        yield only_root(f"whose these are: {', '.join(hidden)}")


def _about_file(wanted: OwnedFile, now: os.stat_result) -> Iterator[Finding]:
    owner, group, mode = _user(now.st_uid), _group(now.st_gid), f"{stat.S_IMODE(now.st_mode):04o}"
    if (owner, group) != (wanted.owner, wanted.group):
        text = f"{wanted.path} belongs to {owner}:{group}, not to {wanted.owner}:{wanted.group}"
        yield Finding("failed", text, f"chown {wanted.owner}:{wanted.group} {wanted.path}")
    if mode != wanted.mode:
        text = f"{wanted.path} has mode {mode}, not {wanted.mode}"
        yield Finding("failed", text, f"chmod {wanted.mode} {wanted.path}")


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


def backed_up(look: Look) -> Iterator[Finding]:
    """Ask whether there is a backup of the last nights."""
    if look.expected.backups is None:
        return
    folder = look.path(look.expected.backups)
    mend = "journalctl --unit mercure-backup; systemctl start mercure-backup"
    try:
        times = [(folder / name).stat().st_mtime for name in os.listdir(folder) if _is_backup(Path(name))]
    except PermissionError:
        yield only_root("how old the backups are")
        return
    except FileNotFoundError:
        yield Finding("failed", f"there is no {look.expected.backups}: is its disk mounted?", mend)
        return
    if not times:
        yield Finding("warning", f"there is no backup in {look.expected.backups} yet", mend)
        return
    newest = datetime.fromtimestamp(max(times), UTC)
    if look.now - newest > _BACKUP_AGE:
        yield Finding("failed", f"the newest backup is of {newest:%Y-%m-%d %H:%M} UTC", mend)


def _is_backup(path: Path) -> bool:
    return path.suffix == ".tar" and not path.name.startswith(".")
