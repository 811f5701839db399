"""Self-test: each step with its result."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final

from appliance.control.rpc.client import AnyVerb, ControlError, Progress, api
from appliance.presentation.states import STEP
from mercure.printable import printable
from tui.actions import bindings_of
from tui.format import fit, printable_lines, wrap
from tui.screens.long_actions import ReportPage, bar_text
from tui.screens.task import pair
from tui.styles import Line

if TYPE_CHECKING:
    from textual.binding import BindingType

_RUN = api.selftest.RUN
_NAME: Final = 14
_HEAD: Final = 41
"""Columns before the text of a step."""

_INTRODUCTION: Final = (
    "A self-test looks at disk, clock, permissions, programs, services and history. Then a made-up image goes through a"
    " receiver, a router and a dispatcher of its own, on loopback, to a made-up target, and is compared there. Nothing"
    " of the running router is touched.",
    "",
    "r runs it; l runs the checks only, and sends nothing.",
)


class SelftestPage(ReportPage):
    """The last one, or the one that runs."""

    NAME: ClassVar[str] = "selftest"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_of("selftest")]
    LONG: ClassVar[Mapping[str, AnyVerb]] = {_RUN.name: _RUN}

    def __init__(self) -> None:
        super().__init__()
        self._done: api.selftest.Selftest | None = None
        self._by = ""
        self._problem = ""

    def refresh_data(self) -> None:
        """Ask for what runs, or ran last."""
        self.look_for_jobs()

    def handlers(self) -> Mapping[str, Callable[[], None]]:
        """Return what is called for each action."""
        return {"run": lambda: self._run(image=True), "look": lambda: self._run(image=False)}

    def _run(self, *, image: bool) -> None:
        self.begin(_RUN, api.selftest.RunSelftest(image=image))

    def show_progress(self, verb: str, about: str, progress: Progress) -> None:
        """Show how far it is."""
        self.headline((bar_text(progress), "busy"))

    def show_answer(self, verb: str, about: str, answer: Any, by: str) -> None:  # noqa: ANN401 - of its verb
        """Show the steps."""
        self._done, self._by, self._problem = answer, by, ""
        self.show_report()

    def show_failure(self, verb: str, about: str, error: ControlError, by: str) -> None:
        """Show why there are none."""
        self._done, self._problem = None, f"‼ {error.text} {error.advice}"
        self.show_report()

    def report(self, columns: int) -> tuple[Line, Iterable[Line]]:
        """Return the outcome, and the steps."""
        done = self._done
        if done is None:
            return (("not run yet", "dim"),), _introduction(self._problem, columns)
        failed = sum(step.outcome == "failed" for step in done.steps)
        text, style = ("• all works", "good") if done.ok else (f"‼ {failed} of {len(done.steps)} failed", "bad")
        note: Line = ((text, style), (f"  {done.seconds:.1f} s  {self._by}".rstrip(), "dim"))
        return note, step_lines(done, columns)


def _introduction(problem: str, columns: int) -> Iterator[Line]:
    yield ()
    if problem:
        yield from pair("failed", problem, columns, "bad")
        yield ()
    for text in _INTRODUCTION:
        for line in wrap(text, columns - 2):
            yield ((f" {line}", ""),)


def step_lines(done: api.selftest.Selftest, columns: int) -> Iterator[Line]:
    """Write the steps: outcome, name, time, what was found, and what to do where it is not well."""
    yield ()
    for step in done.steps:
        look = STEP[step.outcome]
        head: Line = (
            (" ", ""),
            (fit(f"{look.glyph} {look.word}", 15), look.tone),
            (fit(printable(step.name), _NAME), "bold"),
            (fit(f"{1000 * step.seconds:.0f} ms", 9, right=True) + "  ", "dim"),
        )
        for number, line in enumerate(printable_lines(step.text, max(20, columns - _HEAD))):
            yield (*(head if number == 0 else ((" " * _HEAD, ""),)), (line, ""))
        for line in printable_lines(step.advice, max(20, columns - _HEAD)) if step.advice else ():
            yield ((" " * _HEAD, ""), (line, "notice"))
