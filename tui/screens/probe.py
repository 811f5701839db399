"""Probe of a target: what it accepts, and proposed settings that one key saves."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from appliance.control.rpc.client import AnyVerb, ControlError, Progress, Saved, api
from appliance.presentation.figures import moment
from appliance.presentation.phrases import capabilities_in_words, matrix_of, proposal_in_words
from mercure.printable import printable
from tui.actions import bindings_of
from tui.screens.long_actions import ReportPage, bar_text
from tui.screens.task import pair
from tui.styles import Line

if TYPE_CHECKING:
    from textual.binding import BindingType

_PROBE = api.targets.PROBE
_MOST_AT_ONCE = 4


class ProbePage(ReportPage):
    """What one target takes.

    Parameters
    ----------
    target : str
        Its name.
    """

    NAME: ClassVar[str] = "probe"
    belongs_to = "targets"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_of("probe")]
    LONG: ClassVar[Mapping[str, AnyVerb]] = {_PROBE.name: _PROBE}

    def __init__(self, target: str) -> None:
        super().__init__()
        self._target = target
        self._probed: api.targets.Probed | None = None
        self._problem = ""

    def refresh_data(self) -> None:
        """Ask for what the target said last, and join who asks it just now."""
        if self.router.connected:
            self.ask(api.targets.KNOWN, api.targets.OneTarget(name=self._target), self._fill, failed=self._failed)
            self.look_for_jobs()

    def _fill(self, probed: api.targets.Probed) -> None:
        self._probed, self._problem = probed, ""
        self.show_report()

    def _failed(self, error: ControlError) -> None:
        self._problem = f"{error.text}; {error.advice}"
        self.show_report()

    def handlers(self) -> Mapping[str, Callable[[], None]]:
        """Return what is called for each action."""
        return {
            "ask": lambda: self._ask(0),
            "count": lambda: self._ask(_MOST_AT_ONCE),
            "accept": self._accept,
        }

    def _ask(self, associations: int) -> None:
        self.begin(_PROBE, api.targets.ProbeTarget(name=self._target, associations=associations))

    def _accept(self) -> None:
        probed = self._probed
        if probed is None or probed.settings is None:
            self.say("nothing is proposed", "warning")
            return
        comment = "as proposed after asking the target what it takes"
        request = api.targets.SaveTarget(
            name=self._target, settings=probed.settings, edited_from=probed.revision, comment=comment
        )
        self.ask(api.targets.SAVE, request, self._saved)

    def _saved(self, saved: Saved) -> None:
        self.say(f"saved: revision {saved.revision}")
        self.refresh_data()

    def show_progress(self, verb: str, about: str, progress: Progress) -> None:
        """Show how far it is."""
        if about == self._target:
            self.headline((f"asking {printable(about)}: {bar_text(progress)}", "busy"))

    def show_answer(self, verb: str, about: str, answer: Any, by: str) -> None:  # noqa: ANN401 - of its verb
        """Show what it said."""
        if about != self._target:
            return
        if by:  # one of before: what is kept is newer, or the same
            self.ask(api.targets.KNOWN, api.targets.OneTarget(name=self._target), self._fill, failed=self._failed)
        else:
            self._fill(answer)

    def show_failure(self, verb: str, about: str, error: ControlError, by: str) -> None:
        """Show why it could not be asked."""
        if about == self._target and not by:
            self._failed(error)

    def report(self, columns: int) -> tuple[Line, Iterable[Line]]:
        """Return whose answers these are, and the answers."""
        return ((f"What {printable(self._target)} accepts", "bold"),), _lines(self._probed, self._problem, columns)


def _lines(probed: api.targets.Probed | None, problem: str, columns: int) -> Iterator[Line]:
    yield ()
    yield from pair("not asked", problem, columns, "bad")
    if probed is None:
        return
    if probed.text:
        yield from pair("not asked", f"{probed.text}; {probed.advice}", columns, "warn")
    if probed.known is None:
        yield from pair("r", "asks it, by an echo and negotiations alone; no image is sent", columns)
        return
    yield from pair("asked", moment(probed.known.time), columns)
    for what, text in capabilities_in_words(probed.known):
        yield from pair(what, text, columns)
    for each in probed.proposals:
        yield from pair("proposed", f"{proposal_in_words(each)} (a accepts it)", columns, "notice")
    yield ()
    for line in matrix_of(probed.known, columns - 1):
        yield ((f" {line}", ""),)
