"""A table whose rows can be marked, and to all of which the same is then done."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from appliance.control.rpc.client import AnyVerb, ControlError, Progress
from appliance.presentation.phrases import plural
from tui.messages import Question
from tui.screens.long_actions import bar_text
from tui.screens.table_page import TablePage

if TYPE_CHECKING:
    from tui.router_client import OnProgress

R = TypeVar("R")
_NAMED: Final = 5


class Outcome(Generic[R]):
    """Result of one action on several rows: to which it was done, and why not to the others."""

    def __init__(self) -> None:
        self.done: list[R] = []
        self.problems: list[str] = []


class BulkPage(TablePage[R]):
    """A table with marks; an action is done to all marked rows, or to the one under the cursor."""

    def mark_handlers(self) -> Mapping[str, Callable[[], None]]:
        """Return what is called for the keys that mark."""
        return {"mark": self._mark, "mark-all": self._mark_all}

    def _mark(self) -> None:
        self.table.mark()
        self.show_note()

    def _mark_all(self) -> None:
        self.table.mark_all()
        self.show_note()

    def marked_text(self) -> str:
        """Return how many rows are marked; empty: none."""
        marked = len(self.table.marked)
        return f"{marked} marked" if marked else ""

    def each(
        self,
        verb: AnyVerb,
        request_of: Callable[[R], Any],
        done: str,
        *,
        rows: Sequence[R],
        why_not: Callable[[Any], str] = lambda _: "",
        undo: str = "",
        then: Callable[[Sequence[R]], None] = lambda _: None,
    ) -> None:
        """Do the same to rows, one after the other; what could not be done is told together.

        Parameters
        ----------
        verb : Verb
            What is asked of the router.
        request_of : callable
            Makes its request for a row.
        done : str
            What has become of the rows, after their number.
        rows : sequence
            To which: those that were chosen when a person was asked, not those at the cursor by now.
        why_not : callable
            Says of an answer why nothing was done; empty: it was.
        undo : str
            How it is undone; empty: it cannot be.
        then : callable
            Gets the rows to which it was done.
        """
        if not rows:
            self.say(f"there is no {self.WORDS[0]} to do this to", "warning")
            return
        source = self.mercure.source

        def work(told: OnProgress) -> Outcome[R]:
            outcome = Outcome[R]()
            for number, row in enumerate(rows, start=1):
                try:
                    problem = why_not(source.call(verb, request_of(row)))
                except ControlError as error:
                    problem = f"{error.text}\n{error.advice}"
                if problem:
                    outcome.problems.append(problem)
                else:
                    outcome.done.append(row)
                if len(rows) > 1:
                    told(Progress(done=number, total=len(rows), text=verb.name))
            return outcome

        def changed(outcome: Outcome[R]) -> None:
            then(outcome.done)
            self._changed(outcome, done, undo)

        question = Question(verb.name, [self.key_of(row) for row in rows], each=True)
        self.work(question, work, changed, progress=self._show_progress)

    def _show_progress(self, progress: Progress) -> None:
        self.headline((f"{self.WORDS[1]}: {bar_text(progress)}", "busy"))

    def _changed(self, outcome: Outcome[R], done: str, undo: str) -> None:
        said = []
        if outcome.done:
            said.append(f"{plural(len(outcome.done), *self.WORDS)} {done}{f' · {undo}' if undo else ''}")
        if outcome.problems:
            first, _, advice = outcome.problems[0].partition("\n")
            more = f" (and {len(outcome.problems) - 1} more)" if len(outcome.problems) > 1 else ""
            said += filter(None, [f"{first}{more}", advice])
        self.say("\n".join(said), "error" if outcome.problems else "information")
        self.refresh_data()


def names(lines: Sequence[str]) -> str:
    """Write what a question is about, a line each: the first few, and how many more."""
    more = len(lines) - _NAMED
    return "\n".join([*lines[:_NAMED], *([f"and {more} more"] if more > 0 else [])])
