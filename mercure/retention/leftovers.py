"""Half-built and half-removed entries that a crash left, and hints that have outlived their use."""

from __future__ import annotations

import os
from typing import Final

from mercure import durable
from mercure.clock import Clock
from mercure.routing import seen_series
from mercure.spool import TASK_STAGES, Claim, Spool, Stage, Uptime, uptime, versions

HIDDEN_SECONDS: Final = 86400.0
"""Age at which a hidden entry that nobody holds is removed."""

_STAGES: Final = (*TASK_STAGES, Stage.INCOMING, Stage.STUDIES, Stage.QUARANTINE, Stage.RECEIVING)


def clear_hidden(spool: Spool, clock: Clock) -> int:
    """Remove hidden folders that are old and that nobody holds; return how many.

    They are links that were being made, or a task that was being removed: no image's only name.
    """
    cleared = 0
    lived = uptime(spool, clock)
    for stage in _STAGES:
        with os.scandir(spool.stage(stage)) as entries:
            hidden = [entry for entry in entries if entry.name.startswith(".") and entry.is_dir(follow_symlinks=False)]
        for entry in hidden:
            if _age(entry, lived) < HIDDEN_SECONDS:
                continue
            claim = Claim.take(spool.stage(stage) / entry.name)
            if claim is not None:
                with claim:
                    durable.remove_tree(claim.path)
                cleared += 1
    return cleared


def forget_series(spool: Spool, clock: Clock) -> int:
    """Forget the series whose last image came long ago; return how many."""
    folder = seen_series.folder(spool)
    if not folder.is_dir():
        return 0
    lived = uptime(spool, clock)
    with os.scandir(folder) as entries:
        old = [entry.path for entry in entries if _age(entry, lived) > seen_series.KEPT_SECONDS]
    for path in old:
        durable.unlink(folder / os.path.basename(path))
    return len(old)


def forget_versions(spool: Spool, clock: Clock) -> int:
    """Forget the versions of images of which nothing waits any more; return of how many series."""
    folder = versions.hints(spool)
    ages: dict[str, float] = {}
    if folder.is_dir():
        lived = uptime(spool, clock)
        with os.scandir(folder) as entries:
            ages = {entry.name: _age(entry, lived) for entry in entries}
    return versions.forget(spool, ages, seen_series.KEPT_SECONDS)


def _age(entry: os.DirEntry[str], lived: Uptime) -> float:
    """Return the seconds lived since an entry was changed; none for one that is being renamed in this moment."""
    try:
        return lived.age(entry.stat(follow_symlinks=False).st_mtime)
    except FileNotFoundError:
        return 0.0
