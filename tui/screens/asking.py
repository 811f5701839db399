"""How a screen asks the router: in a worker thread that only posts messages."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from textual import on
from textual.screen import Screen
from textual.worker import Worker, WorkerState, get_current_worker

from appliance.control.client import ControlError
from tui.messages import Answered, Progressed, Refused

if TYPE_CHECKING:
    from appliance.control.client import Progress, Verb, api
    from tui.app import MercureApp
    from tui.board import Board
    from tui.source import OnProgress

T = TypeVar("T")
Work = Callable[["OnProgress"], Any]
OnFailure = Callable[[ControlError], None]


class Asking(Screen[T]):
    """A screen that can ask. `T` is what it is dismissed with."""

    last_seconds: float = 0.0
    """How long the last answer took."""

    @property
    def mercure(self) -> MercureApp:
        """The app, as what it is."""
        from tui.app import MercureApp  # noqa: PLC0415 - the app knows its screens, and each screen its app

        assert isinstance(self.app, MercureApp)  # noqa: S101 - there is no other
        return self.app

    @property
    def board(self) -> Board:
        """What is known of the router."""
        return self.mercure.board

    def ask(
        self,
        verb: Verb[api.base.Q, api.base.A],
        request: api.base.Q,
        then: Callable[[api.base.A], None],
        *,
        failed: OnFailure | None = None,
        progress: Callable[[int, int, str], None] | None = None,
    ) -> None:
        """Ask for a verb; an answer to an older question of the same verb is not shown any more."""
        source = self.mercure.source
        self.work(verb.name, lambda told: source.call(verb, request, told), then, failed=failed, progress=progress)

    def work(
        self,
        name: str,
        work: Work,
        then: Callable[[Any], None],
        *,
        failed: OnFailure | None = None,
        progress: Callable[[int, int, str], None] | None = None,
    ) -> None:
        """Do something that may take long; the last work of a name is the one that counts."""
        thread = partial(self._in_thread, work, then, failed or self.say_error, progress)
        self.run_worker(thread, name=name, group=name, thread=True, exclusive=True, exit_on_error=False)

    def _in_thread(
        self,
        work: Work,
        then: Callable[[Any], None],
        failed: OnFailure,
        progress: Callable[[int, int, str], None] | None,
    ) -> None:
        worker = get_current_worker()
        begun = time.monotonic()

        def told(state: Progress) -> None:
            if progress is not None and not worker.is_cancelled:
                self.post_message(Progressed(progress, state.done, state.total, state.text))

        try:
            answer = work(told)
        except ControlError as error:
            if not worker.is_cancelled:
                self.post_message(Refused(failed, error))
            return
        self.last_seconds = time.monotonic() - begun
        if not worker.is_cancelled:
            self.post_message(Answered(then, answer))

    @on(Worker.StateChanged)
    def _broken(self, event: Worker.StateChanged) -> None:
        """Tell of a mistake of our own, or of the router's answer: nothing may just not appear."""
        if event.state is WorkerState.ERROR:
            self.say(f"{event.worker.name}: the answer could not be read: {event.worker.error}", "error")

    @on(Answered)
    def _answered(self, event: Answered) -> None:
        event.stop()
        event.then(event.answer)

    @on(Refused)
    def _refused(self, event: Refused) -> None:
        event.stop()
        event.then(event.error)

    @on(Progressed)
    def _progressed(self, event: Progressed) -> None:
        event.stop()
        progress = event.then
        progress(event.done, event.total, event.text)

    def say(self, text: str, severity: str = "information") -> None:
        """Say something for some seconds, at the bottom of the page."""
        self.mercure.say(text, severity)

    def say_error(self, error: ControlError) -> None:
        """Say why something was not done, and what to do next."""
        self.say(f"{error.text}\n{error.advice}" if error.advice else error.text, "error")
