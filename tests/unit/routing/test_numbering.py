"""Routers give ids one after the other: what has a smaller id can be seen first."""

from __future__ import annotations

import fcntl
import os
import threading
from typing import TYPE_CHECKING

import pytest

from mercure.names import id_time
from mercure.routing.numbering import enter_routing
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
