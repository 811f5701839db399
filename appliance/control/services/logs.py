"""The logs of the processes: their last lines, and what is added to them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, get_args

from pydantic_core import from_json

from appliance.control.api import services as api
from appliance.control.api.services import Log, LogLevel, LogLine, ReadLog
from appliance.control.errors import ControlError
from appliance.control.registry import carries_out
from appliance.control.session import Session

_BYTES_A_LINE: Final = 300
_MOST_BYTES: Final = 4 * 1024 * 1024
_MOST_CHARS: Final = 4000
_MOST_NAME: Final = 200
_NAME: Final = re.compile(r"[a-z_]+(_[0-9]{2})?")
_ORDER: Final = get_args(LogLevel)
_KNOWN: Final = ("time", "level", "logger", "pid", "message")


def log_files(session: Session, name: str) -> list[Path]:
    """Find the logs of a process (``router_00``), of all processes of a service, or of the supervisor.

    Raises
    ------
    ControlError
        There is none of this name.
    """
    folder = session.root.log
    found = []
    if _NAME.fullmatch(name):
        found = sorted(path for path in folder.glob(f"{name}*.log") if _of(path.stem, name))
    if not found:
        there = ", ".join(sorted(path.stem for path in folder.glob("*.log"))) or "none"
        raise ControlError("not-found", f"there is no log of {name[:100]!r}", f"there are: {there}")
    return found


def _of(stem: str, name: str) -> bool:
    return stem == name or re.fullmatch(r"_[0-9]{2}", stem.removeprefix(name)) is not None


@carries_out(api.LOG)
def tail(session: Session, wanted: ReadLog) -> Log:
    """Read the last lines, of several logs in the order of time.

    Raises
    ------
    ControlError
        There is no such log.
    """
    lines = wanted.lines
    narrowed = bool(wanted.search) or wanted.level != _ORDER[0]
    found = [
        line
        for path in log_files(session, wanted.name)
        for line in _last(path, None if narrowed else lines)
        if not narrowed or is_wanted(line, wanted)
    ]
    found.sort(key=lambda line: line.time)
    return Log(lines=tuple(found[-lines:]))


def is_wanted(line: LogLine, wanted: ReadLog) -> bool:
    """Return True for a line of a level, with a text; one without a level (a traceback, say) is as bad as any."""
    level = line.level.lower()
    if level in _ORDER and _ORDER.index(level) < _ORDER.index(wanted.level):
        return False
    return wanted.search.casefold() in f"{line.process} {line.message} {line.more}".casefold()


def _last(path: Path, lines: int | None) -> list[LogLine]:
    """Read the last lines; None: as many as are looked through at all."""
    size = _MOST_BYTES if lines is None else min(_MOST_BYTES, max(64 * 1024, lines * _BYTES_A_LINE))
    try:
        with path.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            begin = file.seek(max(0, end - size))
            data = file.read(size)
    except OSError:
        return []
    if begin:
        data = data.partition(b"\n")[2]
    return parsed(path.stem, data.splitlines()[-lines if lines else 0 :])


def parsed(process: str, lines: Iterable[bytes]) -> list[LogLine]:
    """Read lines of a log; a line without a time of its own (a traceback, say) has that of the one before it."""
    found: list[LogLine] = []
    for line in lines:
        if line.strip():
            found.append(_line(process, line, found[-1].time if found else ""))
    return found


def _line(process: str, line: bytes, time: str) -> LogLine:
    try:
        value: Any = from_json(line)
    except ValueError:
        value = None
    if not isinstance(value, dict) or "message" not in value:
        return LogLine(process=process, time=time, message=line.decode("utf-8", "replace")[:_MOST_CHARS])
    more = "; ".join(f"{key}: {text}" for key, text in value.items() if key not in _KNOWN)
    return LogLine(
        process=process,
        time=str(value.get("time", time)),
        level=str(value.get("level", "")),
        logger=str(value.get("logger", "")),
        message=str(value["message"])[:_MOST_CHARS],
        more=more[:_MOST_CHARS],
        task=str(value.get("task") or "")[:_MOST_NAME],
        series=str(value.get("series") or "")[:_MOST_NAME],
    )


class Follower:
    """What is added to some logs from now on; a log that supervisor has rotated is followed anew.

    Parameters
    ----------
    paths : iterable of Path
        The logs.
    """

    def __init__(self, paths: Iterable[Path]) -> None:
        self._at: dict[Path, tuple[int, int]] = {path: _state(path) for path in paths}

    def read(self) -> list[LogLine]:
        """Return the whole lines that were added since the last time."""
        found: list[LogLine] = []
        for path, (inode, position) in self._at.items():
            now, size = _state(path)
            begin = position if now == inode and size >= position else 0
            if size <= begin:
                self._at[path] = (now, begin)
                continue
            data = _between(path, begin)
            whole = data[: data.rfind(b"\n") + 1]
            if not whole and len(data) >= _MOST_BYTES:
                whole = data  # one line without end: shown as it is, or nothing after it ever would be
            self._at[path] = (now, begin + len(whole))
            found += parsed(path.stem, whole.splitlines())
        return found


def _state(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError:
        return (0, 0)
    return (status.st_ino, status.st_size)


def _between(path: Path, begin: int) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(begin)
            return file.read(_MOST_BYTES)
    except OSError:
        return b""
