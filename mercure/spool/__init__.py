"""Crash-safe tasks in directories: stages, claims, moves, links. ``docs/reference/spool.md`` is the contract."""

from mercure.locks import locked
from mercure.model import Priority
from mercure.spool.claim import Claim, is_locked, is_sending
from mercure.spool.division import Division, DivisionPart, load_division, save_division
from mercure.spool.images import (
    ImageFile,
    LedgerLine,
    TagRecord,
    add_to_ledger,
    image_files,
    image_refs,
    read_ledger,
    read_tags,
)
from mercure.spool.layout import TASK_STAGES, WAITING_STAGES, Spool, Stage
from mercure.spool.link import derive
from mercure.spool.move import move
from mercure.spool.task import Attempt, Failure, FiredRule, Hold, Task, TaskError, load_task, save_task
from mercure.spool.uptime import Uptime, uptime
from mercure.spool.watch import Changes, Watcher, nudge

__all__ = [
    "TASK_STAGES",
    "WAITING_STAGES",
    "Attempt",
    "Changes",
    "Claim",
    "Division",
    "DivisionPart",
    "Failure",
    "FiredRule",
    "Hold",
    "ImageFile",
    "LedgerLine",
    "Priority",
    "Spool",
    "Stage",
    "TagRecord",
    "Task",
    "TaskError",
    "Uptime",
    "Watcher",
    "add_to_ledger",
    "derive",
    "image_files",
    "image_refs",
    "is_locked",
    "is_sending",
    "load_division",
    "load_task",
    "locked",
    "move",
    "nudge",
    "read_ledger",
    "read_tags",
    "save_division",
    "save_task",
    "uptime",
]
