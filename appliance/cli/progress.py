"""How far a long action has come, on standard error: a bar in place on a terminal, elsewhere what is waited for."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Final

import click

from appliance.cli.text import fitted, terminal_columns
from appliance.presentation.figures import size
from mercure.printable import cells, printable

if TYPE_CHECKING:
    from appliance.control.api.base import Progress

_BAR: Final = 24
_FULL, _FREE = "#", "."
"""ASCII: a console in the cellar has nothing else."""


def bar(progress: Progress, columns: int) -> str:
    """Write progress on a line of so many columns."""
    text = printable(progress.text)
    if not progress.total:
        return fitted(text, columns)
    full = min(_BAR, _BAR * progress.done // progress.total)
    done, total = (
        (size(progress.done), size(progress.total))
        if progress.unit == "bytes"
        else (str(progress.done), str(progress.total))
    )
    return fitted(f"[{_FULL * full}{_FREE * (_BAR - full)}] {done} of {total} {text}".rstrip(), columns)


class Meter:
    """Shows progress; a context manager that clears its line at the end.

    Without a terminal nothing is counted aloud, but what a verb waits for is said once: it explains a long silence.
    """

    def __init__(self) -> None:
        self._in_place = sys.stderr.isatty()
        self._shown = ""

    def __enter__(self) -> Meter:
        """Return the meter itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Clear the line."""
        self._show("")

    def __call__(self, progress: Progress) -> None:
        """Show how far it is."""
        if self._in_place:
            self._show(bar(progress, terminal_columns() - 1))
        elif progress.text and not progress.total:
            click.echo(printable(progress.text), err=True)

    def _show(self, line: str) -> None:
        if line != self._shown:
            blank = " " * max(0, cells(self._shown) - cells(line))
            click.echo(f"\r{line}{blank}" + ("" if line else "\r"), nl=False, err=True)
            self._shown = line
