"""Seen series: those routed before, which make a later image a late arrival.

A hint in ``state/seen/``: it is replaced atomically and not synced. Losing it to a power cut costs the mark "late", no
image.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import AwareDatetime

from mercure import durable
from mercure.clock import Clock
from mercure.model import Record, read_state
from mercure.names import safe_name
from mercure.spool import Spool, Stage

KEPT_SECONDS = 30 * 86400
"""A series is remembered this long after its last image; then the cleaner forgets it."""

KEPT_TASKS = 50


class _Seen(Record):
    tasks: tuple[str, ...] = ()
    last: AwareDatetime


def folder(spool: Spool) -> Path:
    """Return the folder of the hints."""
    return spool.stage(Stage.STATE) / "seen"


def remember(spool: Spool, series: str, before: str, task: str, clock: Clock) -> tuple[str, ...]:
    """Note that a task holds images of a series, and return the tasks that did before it.

    Parameters
    ----------
    series : str
        Key of the series of one sender, patient and study; nothing is remembered if empty.
    before : str
        Its key from an older router, which did not separate senders and patients.
    task : str
        The routed task; noting it twice changes nothing.
    """
    if not series:
        return ()
    durable.make_directory(folder(spool), sync=False)
    path = _path(spool, series)
    known = _tasks(path if path.exists() else _path(spool, before))
    if task not in known:
        seen = _Seen(tasks=(*known, task)[-KEPT_TASKS:], last=clock.now())
        durable.write_file(path, seen.model_dump_json().encode(), sync=False)
        return known
    return known[: known.index(task)]


def _path(spool: Spool, series: str) -> Path:
    return folder(spool) / f"{safe_name(series)}.json"


def _tasks(path: Path) -> tuple[str, ...]:
    seen = read_state(path, _Seen)
    return seen.tasks if seen is not None else ()
