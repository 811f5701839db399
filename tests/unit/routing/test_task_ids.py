"""Routers give ids one after the other: what has a smaller id can be seen first."""

from __future__ import annotations

import fcntl
import os
import threading
from typing import TYPE_CHECKING

import pytest

from mercure.names import id_time
from mercure.routing.task_ids import enter_routing
from mercure.spool import Claim, Stage
from tests.support.polling import eventually

if TYPE_CHECKING:
    from tests.support.box import Box


def claimed(box: Box, name: str) -> Claim:
    directory = box.spool.entry(Stage.INCOMING, name)
    directory.mkdir()
    claim = Claim.take(directory)
    assert claim is not None
    return claim


def waits_in_the_kernel(thread: threading.Thread) -> bool:
    """Tell whether a thread is blocked in a system call on a lock (proc(5), ``wchan`` and ``syscall``)."""
    with open(f"/proc/self/task/{thread.native_id}/stat", encoding="ascii") as file:
        return file.read().rpartition(")")[2].split()[0] == "S"


def test_a_router_that_comes_later_reads_the_clock_later(box: Box) -> None:
    """The first is held up between its clock and its rename; the second has to wait, and then gets a later id."""
    first = os.open(box.spool.stage(Stage.ROUTING), os.O_RDONLY)
    fcntl.flock(first, fcntl.LOCK_EX)
    with claimed(box, "1.2.3") as claim:
        second = threading.Thread(target=enter_routing, args=(box.spool, claim, box.clock))
        second.start()
        eventually(lambda: second.native_id and waits_in_the_kernel(second))
        assert box.spool.names(Stage.ROUTING) == []
        box.clock.advance(10)
        now = box.clock.now()
        os.close(first)  # as at its end, whatever ends it
        second.join(20)
        (name,) = box.spool.names(Stage.ROUTING)
        assert claim.path.name == name
        assert id_time(name) == now


def test_the_lock_is_gone_when_the_disk_refuses(box: Box) -> None:
    with claimed(box, "1.2.3") as claim:
        os.rename(claim.path, claim.path.with_name("elsewhere"))
        with pytest.raises(FileNotFoundError):
            enter_routing(box.spool, claim, box.clock)
    with claimed(box, "1.2.4") as claim:
        enter_routing(box.spool, claim, box.clock)
    assert len(box.spool.names(Stage.ROUTING)) == 1


def entered(box: Box, name: str) -> str:
    with claimed(box, name) as claim:
        enter_routing(box.spool, claim, box.clock)
        return claim.path.name


YEAR = 365 * 86400.0


@pytest.mark.parametrize("boots", [False, True])
@pytest.mark.parametrize("lost", [False, True])
def test_ids_stay_in_order_when_the_clock_goes_back(box: Box, boots: bool, lost: bool) -> None:
    """Also to the year 2000 by a boot, and when a power cut took the file of the last id."""
    before = [entered(box, f"1.{number}") for number in range(3)]
    os.rename(box.spool.entry(Stage.ROUTING, before[-1]), box.spool.entry(Stage.OUTGOING, before[-1]))
    box.clock.step_wall(-26 * YEAR)
    if boots:
        box.clock.restart()
    if lost:
        (box.spool.stage(Stage.STATE) / "clock" / "last-id.json").write_bytes(b"")
    after = [entered(box, f"2.{number}") for number in range(3)]
    box.clock.step_wall(26 * YEAR)
    box.clock.advance(1)
    after.append(entered(box, "3.1"))
    assert [*before, *after] == sorted({*before, *after})
    assert id_time(after[-1]) == box.clock.now()


def test_after_a_boot_an_older_file_of_the_last_id_is_not_believed(box: Box) -> None:
    """It is not synced: the power took what was written last."""
    first = entered(box, "1.1")
    path = box.spool.stage(Stage.STATE) / "clock" / "last-id.json"
    older = path.read_bytes()
    last = entered(box, "1.2")
    path.write_bytes(older)
    box.clock.restart(off=-YEAR)
    assert first < last < entered(box, "1.3")


def test_a_clock_that_stands_still_gives_ids_in_order(box: Box) -> None:
    given = [entered(box, f"1.{number}") for number in range(20)]
    assert given == sorted(set(given))
    assert len({name[:21] for name in given}) == 20
