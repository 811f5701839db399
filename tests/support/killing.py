"""Functions run in a process of their own that is killed at a durable step: a real SIGKILL, for the price of a fork."""

from __future__ import annotations

import multiprocessing
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from mercure import durable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.context import ForkServerProcess
    from pathlib import Path

_PRELOADED = [
    "mercure.services.router",
    "mercure.services.dispatcher",
    "mercure.services.processor",
    "mercure.services.cleaner",
    "mercure.services.bookkeeper",
    "mercure.services.receiver",
    "tests.support.box",
]
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(_PRELOADED)


def run(function: Callable[..., None], *arguments: Any, fault: str = "", seconds: float = 60.0) -> int:
    """Run a function of a module in a new process and return how that ended, negative for a signal.

    Parameters
    ----------
    function, arguments
        What to run; both can be pickled.
    fault
        As ``MERCURE_FAULT`` takes it, e.g. ``kill@7``.
    seconds
        A time limit.
    """
    with started(function, *arguments, fault=fault) as process:
        process.join(seconds)
        code = process.exitcode
    if code is None:
        raise AssertionError(f"{function.__name__} did not end within {seconds:g} s")
    return code


@contextmanager
def started(
    function: Callable[..., None], *arguments: Any, fault: str = "", log: Path | None = None
) -> Iterator[ForkServerProcess]:
    """Run a function of a module in a new process for the length of a block, at whose end it is killed.

    Parameters
    ----------
    function, arguments, fault
        As for `run`.
    log
        Where its steps are written down, as ``MERCURE_STEP_LOG``.
    """
    process = _context.Process(target=_child, args=(function, arguments, fault, str(log or "")))
    process.start()
    try:
        yield process
    finally:
        process.kill()
        process.join()
        process.close()


def _child(function: Callable[..., None], arguments: tuple[Any, ...], fault: str, log: str) -> None:
    os.environ["MERCURE_FAULT"] = fault
    os.environ["MERCURE_STEP_LOG"] = log
    durable.reload_faults()
    function(*arguments)
