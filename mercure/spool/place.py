"""Spool place: where the spool in force is, remembered in the root.

A changed ``spool`` must not begin an empty spool while images wait in the old one. So what is in force is the place
that is written down; the configuration says where it should be, and `mercure spool move` brings it there.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Final, Literal

from pydantic import ValidationError

from mercure import durable
from mercure.model import ConfigProblem, Record
from mercure.spool import Spool, Stage
from mercure.spool.identity import read_identity

FILE_NAME: Final = "spool-place.json"
"""In the root. A backup leaves it out: where a spool is belongs to one machine."""

ADVICE: Final = (
    "stop the router and give `mercure spool move NEW`: it moves what is there and changes `spool`; or set it back"
)

_KEPT: Final = frozenset(Stage) - {Stage.STATE}
_WORDS: Final = {Stage.OUTBOX: "outbox (not read yet)", Stage.RECEIVING: "receiving"}


class SpoolPlace(Record):
    """Where the spool in force is.

    ``path`` is relative to the root where the spool is in it, so that a root may be moved whole; ``spool`` is its id.
    ``moving`` is where a move that is not finished goes to, ``left`` what a finished one still has to remove. ``mount``
    is the mount point of its disk, where it has one of its own.
    """

    version: Literal[1] = 1
    path: str
    spool: str = ""
    moving: str | None = None
    left: str | None = None
    mount: str | None = None


def read_place(root: Path) -> SpoolPlace | None:
    """Return the recorded place; None if there is none."""
    try:
        return SpoolPlace.model_validate_json((root / FILE_NAME).read_bytes())
    except (OSError, ValidationError):
        return None


def write_place(root: Path, place: SpoolPlace) -> None:
    """Write the place down, durably and whole.

    Raises
    ------
    OSError
        I/O failed; what was written before stands.
    """
    durable.write_file(root / FILE_NAME, place.model_dump_json(exclude_none=True).encode())


def place_of(root: Path, spool: Path) -> SpoolPlace:
    """Return the place of a spool."""
    path = spool.relative_to(root) if spool.is_relative_to(root) else spool
    return SpoolPlace(path=str(path), spool=read_identity(Spool(spool)), mount=_mount_of(root, spool))


def in_force(root: Path, wanted: Path) -> Path:
    """Return where the spool is.

    Parameters
    ----------
    root : Path
        The root.
    wanted : Path
        Where the configuration says it is.
    """
    place = read_place(root)
    if place is not None:
        found = root / place.path
        if place.spool and not is_there(root, found):
            # It was moved by hand, or by us and a crash came before that was written down.
            others = [wanted, *([Path(place.moving)] if place.moving else [])]
            return next((other for other in others if read_identity(Spool(other)) == place.spool), found)
        return found
    # Nothing is written down: a first start, or the first of this release. A spool at the default place that holds
    # something is not left behind for one that was never begun.
    default = root / "spool"
    if wanted != default and not _is_begun(wanted) and _is_begun(default) and holds(Spool(default)):
        return default
    return wanted


def spool_in_force(root: Path, wanted: Path) -> Spool:
    """Return the spool that is `in_force`."""
    return Spool(in_force(root, wanted))


def record(root: Path, spool: Path) -> None:
    """Record the spool's place, unless it is recorded already."""
    before, place = read_place(root), place_of(root, spool)
    after = (before or place).model_copy(update=place.model_dump(include={"path", "spool", "mount"}))
    if before != after:
        write_place(root, after)


def unmounted(root: Path, spool: Path) -> Path | None:
    """Return the mount point of the recorded spool's disk if nothing is mounted there; None if all is well.

    What is then found below the mount point is the disk under it: to use it would leave the images behind. A spool that
    has the recorded id is the same one, copied to that disk, and is used.
    """
    place = read_place(root)
    if place is None or place.mount is None or root / place.path != spool:
        return None
    mounted = Path(place.mount).is_mount() or read_identity(Spool(spool)) == place.spool
    return None if mounted else Path(place.mount)


def is_there(root: Path, spool: Path) -> bool:
    """Return whether the folder of a spool is there, with its disk mounted."""
    return spool.is_dir() and unmounted(root, spool) is None


def holds(spool: Spool, *, events: bool = True) -> Counter[str]:
    """Count what a spool holds, by stage; without the events if they do not matter.

    What cannot be looked at counts: unknown is not nothing.
    """
    found: Counter[str] = Counter()
    for stage in sorted(_KEPT if events else _KEPT - {Stage.OUTBOX}):
        name = _WORDS.get(stage, stage.value)
        try:
            with os.scandir(spool.stage(stage)) as entries:
                found[name] += sum(not _is_idle(stage, entry) for entry in entries)
        except FileNotFoundError:
            continue
        except OSError:
            found[f"{name} (cannot be read)"] += 1
    return +found


def place_problems(root: Path, wanted: Path) -> list[ConfigProblem]:
    """Say what is wrong with the place of the spool; each is an alert, and goes on until a person mends it."""
    found, problems = in_force(root, wanted), []
    mount = unmounted(root, found)
    if mount is not None:
        text = f"no image is received: nothing is mounted at {mount}, where the disk of the spool {found} should be"
        problems.append(ConfigProblem("spool", text, mount_advice(root)))
    elif found != wanted:
        text = f"{wanted} is not used: the spool is {found}, {_what(found)}"
        problems.append(ConfigProblem("spool", text, ADVICE))
    place = read_place(root)
    if place is not None and place.moving is not None:
        text = f"a move of the spool to {place.moving} was not finished"
        problems.append(
            ConfigProblem("spool", text, f"stop the router and give `mercure spool move {place.moving}` again")
        )
    spread = _elsewhere(found)
    if spread:
        text = f"{', '.join(spread)} of {found} {'is' if len(spread) == 1 else 'are'} on another file system"
        advice = "a spool has one file system, or nothing can be moved on in it: stop the router and bring it together"
        problems.append(ConfigProblem("spool", text, advice))
    return problems


def change_problems(root: Path, before: Path, wanted: Path) -> list[ConfigProblem]:
    """Say why a configuration that names another place cannot be saved.

    Parameters
    ----------
    root : Path
        The root.
    before, wanted : Path
        Where the configuration of now, and the changed one, say that the spool is.
    """
    found = in_force(root, before)
    if wanted == found:
        return []
    inside = nested_in(root, found, wanted)
    if inside is not None:
        return [
            ConfigProblem("spool", f"{wanted} and {inside} lie in each other", "give the spool a folder of its own")
        ]
    mount = unmounted(root, found)
    if mount is not None:
        text = f"the spool cannot be changed to {wanted}: nothing is mounted at {mount}, where the disk of {found} is"
        return [ConfigProblem("spool", text, mount_advice(root))]
    if not found.is_dir() and read_place(root) is None:
        return []
    if found.is_dir() and not holds(Spool(found)):
        return []
    return [
        ConfigProblem("spool", f"the spool cannot be changed to {wanted}: {found} is in use, {_what(found)}", ADVICE)
    ]


def nested_in(root: Path, spool: Path, wanted: Path) -> Path | None:
    """Return the folder of the router that a new place of the spool lies in, or that lies in it, if there is one.

    Symbolic links are followed.
    """
    new, old = Path(os.path.realpath(wanted)), Path(os.path.realpath(spool))
    if new != old and (new.is_relative_to(old) or old.is_relative_to(new)):
        return spool
    own = [root / name for name in ("config", "log", "run", "backup")]
    real = [(path, Path(os.path.realpath(path))) for path in own]
    return next((path for path, each in real if new.is_relative_to(each) or each.is_relative_to(new)), None)


def mount_advice(root: Path) -> str:
    """Return what to do when the disk of the spool is not mounted."""
    return f"mount the disk; or, if that spool is gone for good, remove {root / FILE_NAME} to begin a new one"


def _mount_of(root: Path, spool: Path) -> str | None:
    """Return the mount point that a spool is below; None if the root is below it too: that is no disk of its own."""
    real = Path(os.path.realpath(spool))
    mount = next(path for path in (real, *real.parents) if path.is_mount())
    return None if Path(os.path.realpath(root)).is_relative_to(mount) else str(mount)


def _what(spool: Path) -> str:
    if not spool.is_dir():
        return "which is not there: mount it"
    held = holds(Spool(spool))
    entries = ", ".join(f"{count} in {name}" for name, count in held.items())
    return f"which holds {entries}" if held else "which is left at the next start"


def _is_begun(path: Path) -> bool:
    return Spool(path).stage(Stage.INCOMING).is_dir()


def _is_idle(stage: Stage, entry: os.DirEntry[str]) -> bool:
    """Return whether an entry is nothing to wait for."""
    return stage is Stage.OUTBOX and entry.stat(follow_symlinks=False).st_size == 0


def _elsewhere(spool: Path) -> list[str]:
    """Return the stages that are not on the file system of the spool."""
    try:
        device = os.stat(spool).st_dev
    except OSError:
        return []
    found = []
    for stage in Stage:
        try:
            state = os.stat(spool / stage.value)
        except OSError:
            continue
        found += [stage.value] if state.st_dev != device else []
    return found
