"""What threads tell the UI. They touch no widget; they post one of these, and a handler does the rest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from textual.message import Message

from appliance.control.rpc.client import ControlError, Progress, api


@dataclass(eq=False)
class Question:
    """Something asked for and not answered yet.

    Parameters
    ----------
    name : str
        The verb.
    what : object
        The request.
    each : bool
        Its answer counts, whatever is asked later.
    dropped : bool
        Nobody wants its answer any more.
    """

    name: str
    what: object = None
    each: bool = False
    dropped: bool = False


class Answered(Message):
    """A verb was answered; `then` is the method that shows it."""

    def __init__(self, question: Question, then: Callable[[Any], None], answer: Any) -> None:  # noqa: ANN401 - any model
        super().__init__()
        self.question = question
        self.then = then
        self.answer = answer


class Refused(Message):
    """A verb was not answered; `then` is the method that shows why."""

    def __init__(self, question: Question, then: Callable[[ControlError], None], error: ControlError) -> None:
        super().__init__()
        self.question = question
        self.then = then
        self.error = error


class Broken(Message):
    """A request failed by a bug of the UI."""

    def __init__(self, question: Question, error: Exception) -> None:
        super().__init__()
        self.question = question
        self.error = error


class Progressed(Message):
    """A long action has come farther; only the last word counts."""

    def __init__(self, question: Question, then: Callable[[Progress], None], progress: Progress) -> None:
        super().__init__()
        self.question = question
        self.then = then
        self.progress = progress

    def can_replace(self, message: Message) -> bool:
        """Only the last one of an action is of interest."""
        return isinstance(message, Progressed) and message.question is self.question


class Connected(Message):
    """The router answers; `who` is what it takes us for."""

    def __init__(self, who: api.status.WhoAmI) -> None:
        super().__init__()
        self.who = who


class Disconnected(Message):
    """The router does not answer; in `seconds` it is tried again."""

    def __init__(self, why: str, seconds: float) -> None:
        super().__init__()
        self.why = why
        self.seconds = seconds


class Streamed(Message):
    """An item of the stream."""

    def __init__(self, item: api.streams.Item) -> None:
        super().__init__()
        self.item = item
