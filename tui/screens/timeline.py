"""Timeline: what came of a task, a series or an exam, and all that happened to it, in order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from appliance.presentation.events import sentence
from appliance.presentation.figures import moment
from appliance.presentation.phrases import plural
from appliance.presentation.states import TASK
from mercure.printable import printable
from tui.format import fit, printable_lines
from tui.styles import Line

if TYPE_CHECKING:
    from appliance.control.rpc.client import api

_INDENT: Final = 43


def timeline_lines(story: api.history.Story, columns: int) -> Iterator[Line]:
    """Write the tasks of a series or an exam with their state, then every event."""
    if story.tasks:
        yield ()
        yield ((" Result", "title"),)
    for task in story.tasks:
        look = TASK.get(task.state or "")
        state = look.span() if look else (task.state or "", "good" if task.delivered else "")
        target = task.target or task.module or task.action or ""
        last = f"  {task.last_error}" if task.last_error and not task.delivered else ""
        yield (
            (" ", ""),
            (fit(printable(target), 18), "bold"),
            (fit(printable(state[0]), 14), state[1]),
            (printable(f"{plural(task.images or 0, 'image')}{last}"), ""),
        )
    yield ()
    yield ((" Timeline", "title"),)
    for event in story.events:
        yield from _event(event.time, event.service, event.type, event.details, columns)
    if not story.events:
        yield ((" nothing is recorded", "dim"),)


def _event(time: Any, service: str, type: str, details: Mapping[str, Any], columns: int) -> Iterator[Line]:  # noqa: ANN401
    said = sentence(type, details)
    pieces = printable_lines(said.text, max(20, columns - _INDENT))
    head = f" {moment(time)} {fit(service, 10)} "
    for number, piece in enumerate(pieces or [""]):
        if number == 0:
            yield ((head, "dim"), (fit(said.word, 11), said.tone), (" ", ""), (piece, ""))
        else:
            yield ((" " * (_INDENT + 1), ""), (piece, ""))
