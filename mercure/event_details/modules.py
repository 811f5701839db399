"""Events of processing modules."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from mercure.model import Record


class ModuleStarted(Record):
    """A run of a module began; `run` is its name at the runner, `step` its place in the chain of `steps`."""

    module: str
    step: int
    steps: int
    number: int
    runner: str
    image: str = ""
    run: str = ""
    images: int = 0


class ModuleFinished(Record):
    """A run of a module ended well, and its result is safe; `result` is its ``result.json``, if not too long."""

    module: str
    step: int
    number: int
    seconds: float = 0.0
    images: int = 0
    bytes: int = 0
    left_out: tuple[str, ...] = ()
    left_out_files: int = 0
    result: dict[str, Any] | None = None


class ModuleFailed(Record):
    """A run of a module failed; `how` is exited, killed, memory, time, output, stopped, lost, or result.

    `log` is the end of what it printed.
    """

    module: str
    step: int
    number: int
    how: str
    reason: str
    code: int | None = None
    seconds: float = 0.0
    log: str = ""
    next_attempt: datetime | None = None


class ModuleDown(Record):
    """A module cannot be run; its tasks wait, and it is tried again at `until`."""

    module: str
    runner: str
    kind: Literal["runner", "image", "configuration"]
    error: str
    until: datetime | None = None


class ModuleUp(Record):
    """A module can be run again."""

    module: str
    since: datetime
    failures: int = 0
