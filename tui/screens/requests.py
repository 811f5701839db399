"""Requests of a screen to the router: each in a thread that only posts messages.

Threads of our own and not Textual's workers: those drop the answer of the first of two changes, and a router that
stalls fills their pool. What changes something is always made and always answered; of what only looks the last
question counts.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from textual import on
from textual.screen import Screen

from appliance.control.rpc.client import ControlError
from tui.messages import Answered, Broken, Progressed, Question, Refused

if TYPE_CHECKING:
    from textual.message import Message

    from appliance.control.rpc.client import Progress, Verb, api
    from tui.app import MercureApp
    from tui.router_client import OnProgress
    from tui.state import RouterState

T = TypeVar("T")
Work = Callable[["OnProgress"], Any]
OnFailure = Callable[[ControlError], None]
OnProgressShown = Callable[["Progress"], None]


class RequestScreen(Screen[T]):
    """A screen that makes requests. `T` is what it is dismissed with."""

    last_seconds: float = 0.0
    """How long the last answer took."""

    def __init__(self) -> None:
        super().__init__()
        self._questions: list[Question] = []

    @property
    def mercure(self) -> MercureApp:
        """The app, as what it is."""
        from tui.app import MercureApp  # noqa: PLC0415 - the app knows its screens, and each screen its app

        assert isinstance(self.app, MercureApp)  # noqa: S101 - there is no other
        return self.app

    @property
    def router(self) -> RouterState:
        """What is known of the router."""
        return self.mercure.router

    def ask(
        self,
        verb: Verb[api.base.Q, api.base.A],
        request: api.base.Q,
        then: Callable[[api.base.A], None],
        *,
        failed: OnFailure | None = None,
        progress: OnProgressShown | None = None,
        each: bool = False,
    ) -> None:
        """Request a verb.

        For read-only verbs only the answer to the latest request is shown. Changes are all made and all reported; the
        same change requested again before it is answered is refused.

        Parameters
        ----------
        each : bool
            Show each answer although the verb is read-only: two targets may be probed one after the other.
        """
        if verb.changes and self.under_way(verb.name, request):
            self.say(f"{verb.name}: this is under way; wait for its answer", "warning")
            return
        source = self.mercure.source
        question = Question(verb.name, request, each=each or verb.changes)
        self.work(question, lambda told: source.call(verb, request, told), then, failed=failed, progress=progress)

    def under_way(self, name: str, what: object = None) -> bool:
        """Return whether a request is unanswered; without `what`: any of this name."""
        return any(one.name == name and what in (None, one.what) for one in self._questions)

    def drop(self, name: str = "") -> None:
        """Ignore the answers to open read-only requests: of this name, or all of them."""
        for question in [one for one in self._questions if not one.each and name in {"", one.name}]:
            question.dropped = True
            self._questions.remove(question)

    def work(
        self,
        question: Question,
        work: Work,
        then: Callable[[Any], None],
        *,
        failed: OnFailure | None = None,
        progress: OnProgressShown | None = None,
    ) -> None:
        """Run something that may take long.

        In a daemon thread, and not in a pool: there a few questions that a stalled router does not answer would keep
        all others waiting, and leaving too.
        """
        if not question.each:
            self.drop(question.name)
        self._questions.append(question)
        arguments = (question, work, then, failed or self.say_error, progress)
        threading.Thread(target=self._in_thread, args=arguments, name=question.name, daemon=True).start()

    def _post(self, message: Message) -> None:
        """Post a message from a thread; once the app has ended there is nobody to take it."""
        with contextlib.suppress(RuntimeError):
            self.post_message(message)

    def _in_thread(
        self,
        question: Question,
        work: Work,
        then: Callable[[Any], None],
        failed: OnFailure,
        progress: OnProgressShown | None,
    ) -> None:
        begun = time.monotonic()

        def told(state: Progress) -> None:
            if progress is not None:
                self._post(Progressed(question, progress, state))

        try:
            answer = work(told)
        except ControlError as error:
            self._post(Refused(question, failed, error))
        except Exception as error:  # noqa: BLE001 - a bug is shown on the screen; no answer may just fail to appear
            self._post(Broken(question, error))
        else:
            self.last_seconds = time.monotonic() - begun
            self._post(Answered(question, then, answer))

    def _ended(self, question: Question) -> bool:
        """Forget a finished request, and return whether its answer is to be shown."""
        if question in self._questions:
            self._questions.remove(question)
        return not question.dropped

    @on(Broken)
    def _broken(self, event: Broken) -> None:
        event.stop()
        if self._ended(event.question):
            self.say(f"{event.question.name}: the answer could not be read: {event.error}", "error")

    @on(Answered)
    def _answered(self, event: Answered) -> None:
        event.stop()
        if self._ended(event.question):
            event.then(event.answer)

    @on(Refused)
    def _refused(self, event: Refused) -> None:
        event.stop()
        if self._ended(event.question):
            event.then(event.error)

    @on(Progressed)
    def _progressed(self, event: Progressed) -> None:
        event.stop()
        if not event.question.dropped:
            event.then(event.progress)

    def say(self, text: str, severity: str = "information") -> None:
        """Show a message for some seconds at the bottom of the page."""
        self.mercure.say(text, severity)

    def say_error(self, error: ControlError) -> None:
        """Show why something was not done, and what to do next."""
        self.say(f"{error.text}\n{error.advice}" if error.advice else error.text, "error")
