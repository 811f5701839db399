"""Task ids: one after the other, however many routers, whatever the clock says.

Ordered dispatch rests on it: when a task of some id can be seen, every smaller id that was ever given can be seen too.
Without the lock, a router that is held up between reading the clock and renaming would let later series overtake; and
without the last id, a clock that was set back would.
"""

from __future__ import annotations

from datetime import timedelta
from itertools import chain
from pathlib import Path

from mercure import durable
from mercure.clock import Clock
from mercure.locks import locked
from mercure.model import Record, read_state
from mercure.names import id_time, is_id, new_id, time_part
from mercure.spool import Claim, Spool, Stage, move


class LastId(Record):
    """The id given last, and the boot of the machine: after a power cut the file may be an older one."""

    boot: str
    id: str


def enter_routing(spool: Spool, claim: Claim, clock: Clock) -> None:
    """Move a claimed folder to ``routing/`` under a new id, later than all given before.

    Waits for other routers that do the same, for as long as a rename takes; the kernel frees the lock at any death.

    Raises
    ------
    OSError
        I/O failed; see `mercure.spool.move`.
    """
    with locked(spool.stage(Stage.ROUTING)):
        move(spool, claim, Stage.ROUTING, next_id(spool, clock))


def newest_id(spool: Spool) -> str:
    """Return the newest id of all tasks in the spool; empty when there is none."""
    return max((name for _, name in chain(spool.tasks(), spool.studies())), default="")


def next_id(spool: Spool, clock: Clock) -> str:
    """Make an id later than all given before, and record it; the caller holds the lock of ``routing/``."""
    folder = spool.stage(Stage.STATE) / "clock"
    last = _last_id(folder / "last-id.json", spool, clock)
    identifier = new_id(clock.now())
    if last and time_part(identifier) <= time_part(last):
        identifier = new_id(id_time(last) + timedelta(microseconds=1))
    if not folder.is_dir():
        durable.make_directory(folder, sync=False)
    text = LastId(boot=clock.boot(), id=identifier).model_dump_json().encode()
    durable.write_file(folder / "last-id.json", text, sync=False)
    return identifier


def _last_id(path: Path, spool: Spool, clock: Clock) -> str:
    last = read_state(path, LastId)
    if last is None:
        return newest_id(spool)
    known = last.id if is_id(last.id) else ""
    return known if last.boot == clock.boot() and known else max(known, newest_id(spool))
