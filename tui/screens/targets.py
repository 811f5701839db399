"""Targets: state, echo, test send, and the form of their settings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final

from appliance.control.rpc.client import AnyVerb, ControlError, Nothing, Progress, api
from appliance.presentation.figures import duration, since
from appliance.presentation.phrases import delays_in_words, plural
from appliance.presentation.states import TARGET
from mercure.printable import printable
from tui.actions import bindings_of
from tui.screens.flow import backlog_text, target_state
from tui.screens.long_actions import LongActions, bar_text
from tui.screens.probe import ProbePage
from tui.screens.settings_form import SettingsForm
from tui.screens.settings_page import ReachedPage, certificate_lines, name_column, named_by, settings_lines
from tui.screens.task import pair
from tui.screens.text_page import TextPage
from tui.styles import Line
from tui.widgets.dialogs import Choose, Type
from tui.widgets.grid import Column

if TYPE_CHECKING:
    from datetime import datetime

    from textual.binding import BindingType

Target = api.targets.TargetState
_MOST_TEST_IMAGES = 100
_DELAY_HOURS: Final = 24
"""Of so long it is told how long deliveries took."""


def _where(row: Target) -> str:
    settings = row.settings
    if "host" in settings:
        return f"{settings['host']}:{settings.get('port', '')} {settings.get('called_aet', '')}"
    return str(settings.get("path") or settings.get("url") or ", ".join(map(str, settings.get("members", ()))))


class TargetsPage(LongActions, ReachedPage[Target]):
    """In the order of the configuration."""

    NAME: ClassVar[str] = "targets"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_of("targets")]
    WORDS: ClassVar[tuple[str, str]] = ("target", "targets")
    LONG: ClassVar[Mapping[str, AnyVerb]] = {api.targets.TEST_SEND.name: api.targets.TEST_SEND}
    EMPTY: ClassVar[str] = "no target is configured: n adds one"
    OUTAGE: ClassVar[str] = "down"
    ANSWER: ClassVar[str] = "last test"

    def __init__(self) -> None:
        super().__init__()
        self._kinds: Mapping[str, Mapping[str, Any]] = {}
        self._delays: Mapping[str, api.traffic.TargetDelays] = {}

    def columns(self) -> Sequence[Column[Target]]:
        """Return the columns."""
        return (
            name_column("target", 16),
            Column("state", lambda row: TARGET[self._state(row)].span(), 18, lambda row: TARGET[self._state(row)].rank),
            Column("kind", lambda row: (printable(row.kind), ""), 8, lambda row: row.kind),
            *self.counts(),
            Column("where", lambda row: (printable(_where(row)), "")),
        )

    def _state(self, row: Target) -> str:
        """Return its state; what an echo or a test said counts where no delivery has shown more."""
        state, answer = target_state(row), self.answer_of(row.name)[1]
        if state in ("up", "unused") and answer == "bad":
            return "unwell"
        return "up" if state == "unused" and answer == "good" else state

    def below(self, row: Target) -> Iterator[Line]:
        """Return what waits for it and until when, and what is told of all that can be asked."""
        pace, router = self.router.pace.by_target, self.router
        rate_now = pace.get(row.name, 0.0) or router.delivered.lately(row.name)
        if row.waiting:
            yield from pair("backlog", backlog_text(row, 0.0 if row.outage else rate_now), self.below_columns)
        if row.name in self._delays:
            took = self._delays[row.name]
            text = f"{delays_in_words(took)} ({plural(took.tasks, 'task')} in {_DELAY_HOURS} h)"
            yield from pair("deliveries", text, self.below_columns)
        yield from super().below(row)

    def beside(self, row: Target) -> Iterator[Line]:
        """Return it with its settings."""
        yield from self.below(row)
        yield from _lines(row, self.router.heard, self.below_columns)

    def text_of(self, row: Target) -> str:
        """Return all that is shown."""
        return f"{row.name} {row.kind} {self._state(row)} {_where(row)}"

    def refresh_data(self) -> None:
        """Ask for the targets."""
        if self.router.connected:
            self.ask(api.targets.LIST, Nothing(), self._fill, failed=self.fail)
            self.look_for_jobs()

    def on_screen_resume(self) -> None:
        """Ask for how long deliveries took, too: once, for it is much to sum."""
        super().on_screen_resume()
        if self.router.connected:
            request = api.traffic.DelaysOver(hours=_DELAY_HOURS)
            self.ask(api.traffic.DELAYS, request, self._know_delays, failed=lambda _: None)

    def _know_delays(self, answer: api.traffic.Delays) -> None:
        self._delays = {target.name: target for target in answer.targets}
        self.show_below()

    def _fill(self, answer: api.targets.Targets) -> None:
        self.revision, self._kinds = answer.revision, answer.kinds
        self.fill(answer.targets)

    # Actions.

    def handlers(self) -> Mapping[str, Callable[[], None]]:
        """Return what is called for each action."""
        return {
            "show": self.with_row(self._open),
            "echo": self.with_row(self._echo),
            "test": self.with_row(self._test),
            "probe": self.with_row(self._probe),
            "edit": self.with_row(self._edit),
            "new": self._new,
            "delete": self.with_row(self._delete),
        }

    def _open(self, row: Target) -> None:
        self.app.push_screen(TextPage("targets", row.name, lambda columns: _lines(row, self.router.heard, columns)))

    def _probe(self, row: Target) -> None:
        self.app.push_screen(ProbePage(row.name))

    def _echo(self, row: Target) -> None:
        self.tell(row.name, "echo: asking …", "dim")
        request = api.targets.EchoTarget(name=row.name)
        self.ask(api.targets.ECHO, request, self._echoed, failed=self.not_asked(row.name), each=True)

    def _echoed(self, answer: api.targets.EchoAnswer) -> None:
        self.tell_outcome(answer.target, f"{answer.text} ({duration(answer.seconds)})", ok=answer.ok, what="echo: ")

    def _test(self, row: Target) -> None:
        name = row.name

        def wanted(text: str) -> None:
            if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= _MOST_TEST_IMAGES:
                self.say(f"a number from 1 to {_MOST_TEST_IMAGES} is wanted, and not {text!r}", "warning")
                return
            self.begin(api.targets.TEST_SEND, api.targets.TestSend(name=name, images=int(text)))

        texts = ["Made-up images without a patient are sent, and stay there.", "How many?"]
        self.when_answered(Type(f"Test send to {name}", texts, "1"), wanted)

    def show_progress(self, verb: str, about: str, progress: Progress) -> None:
        """Show how far a test send is."""
        self.tell(about, f"test send: {bar_text(progress)}", "busy")

    def show_answer(self, verb: str, about: str, answer: api.targets.TestSent, by: str) -> None:
        """Show what became of a test send."""
        counts = f"{answer.confirmed} of {answer.sent} confirmed{f' ({by})' if by else ''}"
        text = f"{answer.text}; {counts}, series {answer.series_uid}"
        self.tell_outcome(about, text, ok=answer.ok, what="test send: ")

    def show_failure(self, verb: str, about: str, error: ControlError, by: str) -> None:
        """Show why a test send failed."""
        self.not_asked(about)(error)

    def _edit(self, row: Target) -> None:
        self._open_form(row.kind, row)

    def _open_form(self, kind: str, row: Target | None) -> None:
        self.app.push_screen(TargetForm(kind, self._kinds.get(kind, {}), row, self.revision), self.go_to)

    def _new(self) -> None:
        kinds = [(kind, str(schema.get("description", "")).split("\n", 1)[0]) for kind, schema in self._kinds.items()]
        dialog = Choose("A target of which kind?", [], kinds)
        self.when_answered(dialog, lambda kind: self._open_form(kind, None))

    def _delete(self, row: Target) -> None:
        name, revision = row.name, self.revision
        texts = [f"{name} ({_where(row)})", f"{plural(row.waiting, 'task')} waiting for it, {row.failed} failed."]
        self.delete(
            name, [*texts, *named_by(row.rules)], api.targets.DELETE,
            lambda comment: api.targets.DeleteTarget(name=name, edited_from=revision, comment=comment),
        )  # fmt: skip


def _lines(row: Target, now: datetime | None, columns: int) -> Iterator[Line]:
    yield ()
    if row.outage is not None:
        failures = plural(row.outage.failures, "failure")
        yield from pair("down", f"for {since(row.outage.since, now)}, {failures}", columns, "bad")
        yield from pair("error", row.outage.error, columns, "bad")
        asks = "is given one image" if row.outage.by_image else "is asked"
        yield from pair("back", f"{asks} next {_until(row.outage.until, now)}", columns)
    elif not row.disabled:
        taken = "nothing yet" if row.taken is None else f"an image {since(row.taken, now)} ago"
        yield from pair("took", taken, columns)
    yield from certificate_lines(row.certificate, now, columns)
    yield from pair("rules", ", ".join(row.rules) or "none", columns)
    yield ()
    yield from settings_lines(row.settings, columns)


def _until(instant: datetime, now: datetime | None) -> str:
    left = (instant - now).total_seconds() if now is not None else 0.0
    return f"in {duration(left)}" if left > 0 else "now"


class TargetForm(SettingsForm):
    """The settings of a target.

    Parameters
    ----------
    kind : str
        Its kind.
    schema : mapping
        The JSON schema of the kind.
    target : TargetState or None
        What is changed; None: a new one.
    revision : int
        Of the configuration that this is edited from.
    """

    NAME: ClassVar[str] = "target-form"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_of("target-form")]
    ASKING: ClassVar[str] = "asking the target …"

    def __init__(
        self, kind: str, schema: Mapping[str, Any], target: api.targets.TargetState | None, revision: int
    ) -> None:
        title = f"Target {target.name}" if target else f"New target of kind {kind}"
        super().__init__("targets", title, schema, target, revision)
        self._kind = kind

    def try_out(self, name: str, settings: dict[str, Any]) -> None:
        """Ask the target as it is typed."""
        request = api.targets.EchoTarget(name=name, settings={"kind": self._kind, **settings})
        self.ask(api.targets.ECHO, request, self._answered_echo, failed=self.failed)

    def _answered_echo(self, answer: api.targets.EchoAnswer) -> None:
        self.show_outcome(f"{answer.text} ({duration(answer.seconds)})", ok=answer.ok)

    def save(self, name: str, settings: dict[str, Any]) -> None:
        """Save the target."""
        whole = {"kind": self._kind, **settings}
        request = api.targets.SaveTarget(name=name, settings=whole, rename_from=self.old, edited_from=self.revision)
        self.save_by(api.targets.SAVE, request)
