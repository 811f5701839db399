"""The targets: are they well, would they take an image, how are they set."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import on

from appliance.control.client import AnyVerb, ControlError, Nothing, Progress, Saved, api
from appliance.wording import plural
from tui.actions import bindings_of
from tui.format import duration, printable, since
from tui.looks import TARGET, Line
from tui.screens.long_actions import LongActions, bar_text
from tui.screens.modules import settings_lines
from tui.screens.overview import target_state
from tui.screens.table_page import TablePage
from tui.screens.target_form import TargetForm
from tui.screens.task import pair
from tui.screens.text_page import TextPage
from tui.widgets.dialogs import Choose, Confirm, Type
from tui.widgets.grid import Column, Grid

if TYPE_CHECKING:
    from textual.binding import BindingType

Target = api.targets.TargetState
_MOST_TEST_IMAGES = 100


def _where(row: Target) -> str:
    settings = row.settings
    if "host" in settings:
        return f"{settings['host']}:{settings.get('port', '')} {settings.get('called_aet', '')}"
    return str(settings.get("path") or settings.get("url") or ", ".join(map(str, settings.get("members", ()))))


class TargetsPage(LongActions, TablePage[Target]):
    """In the order of the configuration."""

    NAME: ClassVar[str] = "targets"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_of("targets")]
    WORDS: ClassVar[tuple[str, str]] = ("target", "targets")
    LONG: ClassVar[Mapping[str, AnyVerb]] = {api.targets.TEST_SEND.name: api.targets.TEST_SEND}
    EMPTY: ClassVar[str] = "no target is configured: n adds one"

    def __init__(self) -> None:
        super().__init__()
        self._answers: dict[str, tuple[str, str]] = {}
        self._known: api.targets.Targets | None = None

    def columns(self) -> Sequence[Column[Target]]:
        """Return the columns."""
        return (
            Column("target", lambda row: (printable(row.name), "bold"), 16, lambda row: row.name),
            Column("state", lambda row: TARGET[self._state(row)].span(), 18, lambda row: TARGET[self._state(row)].rank),
            Column("kind", lambda row: (printable(row.kind), ""), 8, lambda row: row.kind),
            Column("wait", lambda row: (str(row.waiting), "warn" if row.outage and row.waiting else ""), 6,
                   lambda row: row.waiting, right=True),
            Column("failed", lambda row: (str(row.failed), "bad" if row.failed else ""), 6, lambda row: row.failed,
                   right=True),
            Column("where", lambda row: (printable(_where(row)), "")),
        )  # fmt: skip

    def _state(self, row: Target) -> str:
        """Return its state; what an echo or a test said counts where no delivery has shown more."""
        state = target_state(row)
        return "unwell" if state == "up" and self._answers.get(row.name, ("", ""))[1] == "bad" else state

    def key_of(self, row: Target) -> object:
        """Return the name."""
        return row.name

    def text_of(self, row: Target) -> str:
        """Return all that is shown."""
        return f"{row.name} {row.kind} {self._state(row)} {_where(row)}"

    def below(self, row: Target) -> Iterable[Line]:
        """Return what is wrong with it, and what an echo or a test said."""
        columns = self.app.size.width - 2
        if row.outage is not None:
            yield from pair(
                "down", f"for {since(row.outage.since, self.board.heard)}: {row.outage.error}", columns, "bad"
            )
        text, style = self._answers.get(row.name, ("", ""))
        yield from pair("last test", text, columns, style)
        yield from pair("rules", ", ".join(row.rules), columns)

    def refresh_data(self) -> None:
        """Ask for the targets."""
        if self.board.connected:
            self.ask(api.targets.LIST, Nothing(), self._fill, failed=self.fail)
            self.look_for_jobs()

    def board_changed(self) -> None:
        """Look with each status: outages come and go."""
        self.mercure.soon(self, self.refresh_data)

    def _fill(self, answer: api.targets.Targets) -> None:
        self._known = answer
        self.fill(answer.targets)

    # Actions.

    def handlers(self) -> Mapping[str, Callable[[], None]]:
        """Return what is called for each action."""
        return {
            "show": self._open,
            "echo": self._echo,
            "test": self._test,
            "edit": self._edit,
            "new": self._new,
            "delete": self._delete,
        }

    @on(Grid.Chosen)
    def _open(self) -> None:
        row = self.table.current
        if row is not None:
            self.app.push_screen(TextPage("targets", row.name, lambda columns: _lines(row, columns)))

    def _tell(self, name: str, text: str, style: str) -> None:
        self._answers[name] = (text, style)
        self.table.fill(self.table.rows)
        self.show_below()

    def _echo(self) -> None:
        row = self.table.current
        if row is not None:
            self._tell(row.name, "echo: asking …", "dim")
            request = api.targets.EchoTarget(name=row.name)
            self.ask(api.targets.ECHO, request, self._echoed, failed=self._not_asked(row.name), each=True)

    def _not_asked(self, name: str) -> Callable[[ControlError], None]:
        return lambda error: self._tell(name, f"‼ {error.text} {error.advice}", "bad")

    def _echoed(self, answer: api.targets.EchoAnswer) -> None:
        text = f"echo: {'•' if answer.ok else '‼'} {answer.text} ({duration(answer.seconds)})"
        self._tell(answer.target, text, "good" if answer.ok else "bad")

    def _test(self) -> None:
        row = self.table.current
        if row is None:
            return
        name = row.name

        def wanted(text: str | None) -> None:
            if text is None:
                return
            if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= _MOST_TEST_IMAGES:
                self.say(f"a number from 1 to {_MOST_TEST_IMAGES} is wanted, and not {text!r}", "warning")
                return
            self.begin(api.targets.TEST_SEND, api.targets.TestSend(name=name, images=int(text)))

        texts = ["Made-up images without a patient are sent, and stay there.", "How many?"]
        self.app.push_screen(Type(f"Test send to {name}", texts, "1"), wanted)

    def show_progress(self, verb: str, about: str, progress: Progress) -> None:
        """Show how far a test send is."""
        self._tell(about, f"test send: {bar_text(progress)}", "busy")

    def show_answer(self, verb: str, about: str, answer: api.targets.TestSent, by: str) -> None:
        """Show what became of a test send."""
        text = f"test send: {'•' if answer.ok else '‼'} {answer.text}; {answer.confirmed} of {answer.sent} confirmed"
        who = f" ({by})" if by else ""
        self._tell(about, f"{text}, series {answer.series_uid}{who}", "good" if answer.ok else "bad")

    def show_failure(self, verb: str, about: str, error: ControlError, by: str) -> None:
        """Show why a test send failed."""
        self._not_asked(about)(error)

    def _edit(self) -> None:
        row, known = self.table.current, self._known
        if row is not None and known is not None:
            form = TargetForm(row.kind, known.kinds.get(row.kind, {}), row, known.revision)
            self.app.push_screen(form, self.go_to)

    def _new(self) -> None:
        known = self._known
        if known is None:
            return

        def chosen(kind: str | None) -> None:
            if kind:
                form = TargetForm(kind, known.kinds[kind], None, known.revision)
                self.app.push_screen(form, self.go_to)

        kinds = [(kind, str(schema.get("description", "")).split("\n", 1)[0]) for kind, schema in known.kinds.items()]
        self.app.push_screen(Choose("A target of which kind?", [], kinds), chosen)

    def _delete(self) -> None:
        row, known = self.table.current, self._known
        if row is None or known is None:
            return
        name, revision = row.name, known.revision

        def sure(comment: str | None) -> None:
            if comment is not None:
                request = api.targets.DeleteTarget(name=name, edited_from=revision, comment=comment)
                self.ask(api.targets.DELETE, request, self._deleted)

        texts = [f"{name} ({_where(row)})", f"{plural(row.waiting, 'task')} waiting for it, {row.failed} failed."]
        if row.rules:
            texts.append(f"Rules that name it must be changed before: {', '.join(row.rules)}")
        self.app.push_screen(Confirm(f"Delete target {name}?", texts, "Delete", type_name=name, reason=True), sure)

    def _deleted(self, saved: Saved) -> None:
        self.say(f"deleted: revision {saved.revision}")
        self.refresh_data()


def _lines(row: Target, columns: int) -> Iterator[Line]:
    yield ()
    if row.outage is not None:
        failures = plural(row.outage.failures, "failure")
        yield from pair("down", f"for {since(row.outage.since)}, {failures}", columns, "bad")
        yield from pair("error", row.outage.error, columns, "bad")
    yield from pair("rules", ", ".join(row.rules) or "none", columns)
    yield ()
    yield from settings_lines(row.settings, columns)
