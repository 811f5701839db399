"""What is missing at a target: asked from its page, named image by image, and one key sends it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from appliance.control.rpc.client import AnyVerb, ControlError, Progress, api
from appliance.presentation.comparison import exam_in_words, finding_in_words, verdict
from appliance.presentation.figures import moment
from mercure.printable import printable
from tui.actions import bindings_of
from tui.format import printable_lines
from tui.screens.desk_page import plan_and_ask
from tui.screens.long_actions import ReportPage, bar_text
from tui.screens.task import pair
from tui.styles import Line

if TYPE_CHECKING:
    from textual.binding import BindingType

_RUN = api.compare.RUN


class ComparePage(ReportPage):
    """What one target has of one exam.

    Parameters
    ----------
    of : str
        The page it belongs to.
    target, exam : str
        Who is asked about what.
    """

    NAME: ClassVar[str] = "compare"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_of("compare")]
    LONG: ClassVar[Mapping[str, AnyVerb]] = {_RUN.name: _RUN}

    def __init__(self, of: str, target: str, exam: str) -> None:
        super().__init__()
        self.belongs_to = of
        self._target = target
        self._exam = exam
        self._compared: api.compare.Compared | None = None
        self._problem = ""

    def on_mount(self) -> None:
        """Ask at once: that is what it was opened for."""
        super().on_mount()
        self._ask()

    def handlers(self) -> Mapping[str, Callable[[], None]]:
        """Return what is called for each action."""
        return {"ask": self._ask, "send-missing": self._send}

    def _ask(self) -> None:
        self.begin(_RUN, api.compare.Compare(name=self._target, exam=self._exam))

    def _send(self) -> None:
        wanted = api.resend.missing_of(self._compared) if self._compared is not None else None
        if wanted is None:
            self.say("nothing that can be sent is missing there", "warning")
        else:
            plan_and_ask(self, wanted)

    def show_note(self) -> None:
        """Say again what the text is."""
        self.show_report()

    def show_progress(self, verb: str, about: str, progress: Progress) -> None:
        """Show that it is being asked."""
        self.headline((f"asking {printable(about)}: {bar_text(progress)}", "busy"))

    def show_answer(self, verb: str, about: str, answer: Any, by: str) -> None:  # noqa: ANN401 - of its verb
        """Show what it has, and has not."""
        self._compared, self._problem = answer, ""
        self.show_report()

    def show_failure(self, verb: str, about: str, error: ControlError, by: str) -> None:
        """Show why it could not be asked."""
        self._problem = f"{error.text}; {error.advice}" if error.advice else error.text
        self.show_report()

    def report(self, columns: int) -> tuple[Line, Iterable[Line]]:
        """Return whom it is about, and what came of it."""
        about = f"What {printable(self._target)} has of {printable(self._exam)}"
        return ((about, "bold"),), _lines(self._compared, self._problem, columns)


def _lines(found: api.compare.Compared | None, problem: str, columns: int) -> Iterator[Line]:
    yield ()
    yield from pair("not asked", problem, columns, "bad")
    if found is None:
        return
    yield from pair("asked", f"{moment(found.time)}, {found.destination}", columns)
    yield from pair("result", verdict(found), columns, "good" if found.ok else "warn")
    for exam in found.exams:
        yield ()
        yield from _wrapped(exam_in_words(exam), columns, "title")
        for text in exam.problems:
            yield from _wrapped(f"? {text}", columns, "warn")
        for finding in found.missing:
            if finding.study_uid == exam.study_uid:
                yield from _wrapped(finding_in_words(finding), columns, "bad" if finding.was_meant else "dim")
    if found.not_named:
        yield ((f" and {found.not_named} instances more", "dim"),)
    if api.resend.missing_of(found) is not None:
        yield ()
        yield ((" s sends just what is missing there and was meant for it", "notice"),)


def _wrapped(text: str, columns: int, style: str) -> Iterator[Line]:
    for line in printable_lines(text, columns - 2):
        yield ((f" {line}", style),)
