"""Long actions: progress and result, also of those that others began or that outlived a connection."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final

from appliance.control.rpc.client import AnyVerb, ControlError, Nothing, Progress, api
from appliance.presentation.figures import short_moment, size
from mercure.printable import printable
from tui.screens.page import Page
from tui.widgets.lines import Pager

if TYPE_CHECKING:
    from textual.app import ComposeResult
from tui.styles import Line

_BAR: Final = 20


def bar_text(progress: Progress) -> str:
    """Draw how far something has come: a bar where the end is known, else in words."""
    text = printable(progress.text)
    if not progress.total:
        return text or "begins …"
    full = min(_BAR, round(_BAR * progress.done / progress.total))
    done, total = (
        (size(progress.done), size(progress.total))
        if progress.unit == "bytes"
        else (str(progress.done), str(progress.total))
    )
    return f"{'█' * full}{'░' * (_BAR - full)} {done} of {total} {text}".rstrip()


def bar_line(what: str, progress: Progress) -> Line:
    """Draw it as a line of its own."""
    return ((f" {what}: {bar_text(progress)}", "busy"),)


class LongActions(Page):
    """A page that begins long actions, and joins those that run or have ended when it is opened.

    A subclass gives `LONG` and the three `show_…`, and calls `begin` and `look_for_jobs`.
    """

    LONG: ClassVar[Mapping[str, AnyVerb]] = {}
    """The verbs by their names."""

    def __init__(self) -> None:
        super().__init__()
        self._followed: set[str] = set()

    def show_progress(self, verb: str, about: str, progress: Progress) -> None:
        """Show how far one is."""
        raise NotImplementedError

    def show_answer(self, verb: str, about: str, answer: Any, by: str) -> None:  # noqa: ANN401 - of its verb
        """Show what one came to; `by` says who began it and when, empty: this person just now."""
        raise NotImplementedError

    def show_failure(self, verb: str, about: str, error: ControlError, by: str) -> None:
        """Show why one failed."""
        raise NotImplementedError

    def begin(self, verb: AnyVerb, request: Any) -> None:  # noqa: ANN401 - the request of its verb
        """Begin one, unless this is under way here."""
        name, about = verb.name, str(getattr(request, "name", ""))
        if self.under_way(name, request):
            self.say(f"{name}: this is under way; wait for its answer", "warning")
            return

        def told(progress: Progress) -> None:
            self._followed.add(progress.job)
            self.show_progress(name, about, progress)

        self.show_progress(name, about, Progress())
        self.ask(
            verb, request, lambda answer: self.show_answer(name, about, answer, ""),
            failed=lambda error: self.show_failure(name, about, error, ""), progress=told, each=True,
        )  # fmt: skip

    def look_for_jobs(self) -> None:
        """Ask what runs, or has ended."""
        if self.router.connected:
            self.ask(api.jobs.LIST, Nothing(), self._found, failed=lambda _: None)

    def _found(self, answer: api.jobs.Jobs) -> None:
        """Join the newest of each verb and object, where nobody here follows it or has."""
        newest: dict[tuple[str, str], api.jobs.JobState] = {}
        for state in answer.jobs:
            newest.setdefault((state.verb, state.about), state)
        for state in reversed(newest.values()):
            if state.verb in self.LONG and state.job not in self._followed and not self.under_way(state.verb):
                self._followed.add(state.job)
                self._join(state)

    def _join(self, state: api.jobs.JobState) -> None:
        def told(progress: Progress) -> None:
            if state.outcome == "running":
                self.show_progress(state.verb, state.about, progress)

        request = api.jobs.OneJob(job=state.job)
        self.ask(api.jobs.JOIN, request, self._came_to, failed=lambda _: None, progress=told, each=True)

    def _came_to(self, result: api.jobs.JobResult) -> None:
        state = result.state
        by = f"{printable(state.user)}, {short_moment(state.begun)}"
        if result.error is not None:
            error = ControlError("failed", result.error.text, result.error.advice)
            self.show_failure(state.verb, state.about, error, by)
        else:
            answer = self.LONG[state.verb].answer.model_validate(result.answer)
            self.show_answer(state.verb, state.about, answer, by)


class ReportPage(LongActions):
    """A page of one text that a long action makes. The line above says how far the action is, or what the text is.

    A subclass gives `report`, and calls `show_report` when it knows more.
    """

    def body(self) -> ComposeResult:
        """Lay out."""
        yield Pager(id="report", classes="pane")

    def on_mount(self) -> None:
        """Show what is known."""
        super().on_mount()
        self.set_focus(self.query_one(Pager))
        self.show_report()

    def on_resize(self) -> None:
        """Break the lines anew."""
        super().on_resize()
        self.show_report()

    def report(self, columns: int) -> tuple[Line, Iterable[Line]]:
        """Return what the text is, and the text for so many columns."""
        raise NotImplementedError

    def show_report(self) -> None:
        """Show what is known; while the action is under way, the line above is its own."""
        note, lines = self.report(self.app.size.width - 4)
        self.query_one(Pager).show(lines)
        if not any(self.under_way(name) for name in self.LONG):
            self.headline(*note)
