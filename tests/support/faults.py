"""Faults at the durable steps of this process: count them, fail one, crash at one, or do something in between."""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mercure import durable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ERRORS = {"ENOSPC": errno.ENOSPC, "EIO": errno.EIO, "EROFS": errno.EROFS}


class Crash(BaseException):
    """Stands for the end of the process: no handler of ours may catch it (they catch `Exception` at most)."""


@dataclass
class Steps:
    """The durable steps taken since the hook was set."""

    taken: list[tuple[str, str]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.taken)


@contextmanager
def at_each_step(act: Callable[[int, str, str], None]) -> Iterator[Steps]:
    """Call ``act`` with number (from 1), operation and path before each durable step; what it raises, the step raises.

    Steps that ``act`` itself takes are neither counted nor reported.
    """
    steps = Steps()
    original = durable.step
    acting = False

    def hook(operation: str, path: object) -> None:
        nonlocal acting
        if acting:
            return
        steps.taken.append((operation, str(path)))
        acting = True
        try:
            act(len(steps), operation, str(path))
        finally:
            acting = False

    durable.step = hook
    try:
        yield steps
    finally:
        durable.step = original


@contextmanager
def counted() -> Iterator[Steps]:
    """Count the durable steps."""
    with at_each_step(lambda *_: None) as steps:
        yield steps


@contextmanager
def crash_at(number: int) -> Iterator[Steps]:
    """Crash before the step of this number."""

    def act(step: int, operation: str, path: str) -> None:
        if step == number:
            raise Crash(f"before step {number}: {operation} {path}")

    with at_each_step(act) as steps:
        yield steps


@contextmanager
def failing_at(number: int, error: str, *, onward: bool = False) -> Iterator[Steps]:
    """Let the step of this number fail with an error, and all after it too when ``onward``."""
    code = ERRORS[error]

    def act(step: int, operation: str, path: str) -> None:
        if step == number or (onward and step > number):
            raise OSError(code, os.strerror(code), path)

    with at_each_step(act) as steps:
        yield steps
