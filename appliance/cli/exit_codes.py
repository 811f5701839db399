"""What the exit codes of `mercure` mean."""

from __future__ import annotations

from typing import Final

WELL: Final = 0
FAILED: Final = 1
USAGE: Final = 2
NOT_RUNNING: Final = 3
BUSY: Final = 4
NOT_FOUND: Final = 5
NOT_ALLOWED: Final = 6
INTERRUPTED: Final = 130

MEANING: Final = {
    WELL: "done, and all is well",
    FAILED: "it was tried and failed, or the answer is no: what was sent was not taken, a file is not valid …",
    USAGE: "the command line is wrong",
    NOT_RUNNING: "no router runs in this root",
    BUSY: "a service or another person works on it just now; nothing was changed",
    NOT_FOUND: "there is no such task, target, service or file, or no configuration",
    NOT_ALLOWED: "this user may not",
    INTERRUPTED: "interrupted by Ctrl-C",
}

OF_KIND: Final = {
    "failed": FAILED,
    "invalid": FAILED,
    "not-running": NOT_RUNNING,
    "busy": BUSY,
    "not-found": NOT_FOUND,
    "not-allowed": NOT_ALLOWED,
    "stale": BUSY,
    "too-much": BUSY,
    "bad-parameters": USAGE,
    "no-such-verb": FAILED,
    "bad-request": FAILED,
    "not-json": FAILED,
    "internal": FAILED,
}
"""The exit code for each kind of `appliance.control.errors.ControlError`."""
