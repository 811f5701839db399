"""Calling the command `mercure` in this process."""

from __future__ import annotations

from collections.abc import Callable

from click.testing import Result

HOSTILE = "\x1b]0;owned\x07\u202eEvil^\x9bName\n"


Call = Callable[..., Result]
