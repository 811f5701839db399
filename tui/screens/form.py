"""A form over a page: fields one below the other, saved with ^s, left with esc."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final

from textual import on
from textual.actions import SkipAction
from textual.binding import Binding
from textual.containers import Horizontal, VerticalScroll
from textual.widgets import Input, TextArea

from appliance.control.rpc.client import ControlError, Saved, api
from appliance.presentation.phrases import plural, when_it_counts
from appliance.presentation.setting_fields import MISSING, Field, FieldError, put_at, value_at
from mercure.printable import printable
from tui.actions import Action, keys_of_form
from tui.format import fit, printable_lines
from tui.screens.differences import difference_lines, problem_lines
from tui.screens.page import Page
from tui.styles import Line
from tui.widgets.dialogs import Confirm
from tui.widgets.fields import Choice, raw_text, value_of, widget_of
from tui.widgets.lines import Static, marked
from tui.widgets.pane import Pane

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType
    from textual.widget import Widget

    from appliance.control.rpc.client import Verb

_LABEL: Final = 30
HINT_LINES: Final = 3
"""So many lines, at the most, tell what the field under the cursor means."""


class FieldList(VerticalScroll, Pane):
    """The fields, in a pane."""


class FormPage(Page):
    """Fields and what is wrong with them. It is dismissed with the name of what was saved, or None.

    Parameters
    ----------
    of : str
        The page it belongs to.
    title : str
        What is edited.
    fields : sequence of Field
        From top to bottom.
    values : mapping
        What is in them at first, by name.
    revision : int
        Of the configuration that this is edited from.
    """

    NAME: ClassVar[str] = "form"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab,enter", "go(1)", show=False, priority=True),
        Binding("shift+tab", "go(-1)", show=False, priority=True),
        Binding("down", "step(1)", show=False, priority=True),
        Binding("up", "step(-1)", show=False, priority=True),
    ]

    def __init__(
        self, of: str, title: str, fields: Sequence[Field], values: Mapping[str, Any], revision: int = 0
    ) -> None:
        super().__init__()
        self.revision = revision
        self.belongs_to = of
        self._heading = title
        self._fields = fields
        self._values = values
        self._widgets: dict[str, Widget] = {}
        self._before: dict[str, str] = {}

    def body(self) -> ComposeResult:
        """Lay out a line for each field, and below what is wrong."""
        with FieldList(id="fields", classes="pane", can_focus=False):
            for field in self._fields:
                widget = self._widgets[field.name] = widget_of(field, value_at(self._values, field.name))
                with Horizontal(classes="field"):
                    yield Static(classes="label").saying(((fit(field.name, _LABEL - 1), "title"),))
                    yield widget
        yield Static(id="hint")
        yield Static(id="wrong")

    def on_mount(self) -> None:
        """Begin in the first field."""
        super().on_mount()
        self.headline((printable(self._heading), "bold"))
        self._before = self._raw()
        self.focus_main()

    def _raw(self) -> dict[str, str]:
        return {name: raw_text(widget) for name, widget in self._widgets.items()}

    def focus_main(self) -> None:
        """Give the keys to the first field."""
        if self._fields and self.focused not in self._widgets.values():
            self.set_focus(self._widgets[self._fields[0].name])

    def on_descendant_focus(self) -> None:
        """Tell what the field means."""
        field = next((field for field in self._fields if self._widgets.get(field.name) is self.focused), None)
        if field is not None:
            more = f"  ({', '.join(field.choices[:12])})" if field.choices and field.kind != "choice" else ""
            texts = printable_lines(f"{field.text}{more}", self.app.size.width - 2)[:HINT_LINES]
            self.query_one("#hint", Static).show([((f" {text}", "dim"),) for text in texts])

    @on(Input.Changed)
    @on(TextArea.Changed)
    @on(Choice.Changed)
    def _something_changed(self) -> None:
        self.edited()

    def action_go(self, by: int) -> None:
        """Go to the next field or the one before.

        Bound before the keys of the fields and done at once: what is typed in the same moment belongs there.
        """
        fields = list(self._widgets.values())
        here = fields.index(self.focused) if self.focused in fields else -1
        self.set_focus(fields[(here + by) % len(fields)])

    def action_step(self, by: int) -> None:
        """Go to another field by ↑ or ↓, which move in a text of several lines until its first or last."""
        area = self.focused
        if isinstance(area, TextArea) and not (area.cursor_at_last_line if by > 0 else area.cursor_at_first_line):
            raise SkipAction
        self.action_go(by)

    def keys_shown(self) -> Sequence[Action]:
        """Return what stands at the bottom."""
        return keys_of_form(self.NAME)

    def edited(self) -> None:
        """Look at what was typed, while it is typed."""

    def values(self) -> dict[str, Any]:
        """Return what is in the fields; what is empty or the default is left out.

        Raises
        ------
        FieldError
            One cannot be read.
        """
        found: dict[str, Any] = {}
        for field in self._fields:
            value = value_of(field, self._widgets[field.name])
            given = value is not MISSING and (value is not None or field.may_be_none)
            if given and (field.needed or value != field.default):
                put_at(found, field.name, value)
        return found

    def read(self) -> dict[str, Any] | None:
        """Return what is in the fields; None when one cannot be read, and it is told which."""
        try:
            return self.values()
        except FieldError as error:
            self.stop_looking()
            self.show_wrong([*marked("‼", str(error), self.app.size.width - 4, "bad")])
            return None

    def with_values(self, act: Callable[[str, dict[str, Any]], None]) -> Callable[[], None]:
        """Make of what is done with a name and what belongs to it what is done with what is in the fields."""

        def now() -> None:
            values = self.read()
            if values is not None:
                act(values.pop("name"), values)

        return now

    def save_by(self, verb: Verb[api.base.Q, Saved], request: api.base.Q) -> None:
        """Save; until that is answered nothing else is said and nothing is saved again."""
        if self.under_way(verb.name):
            self.say("it is being saved: wait for the answer", "warning")
            return
        self.say_first("saving …")
        self.ask(verb, request, self._saved, failed=self.failed)

    def say_first(self, text: str) -> None:
        """Say what is begun. What was found while typing, or will be, must not hide its outcome."""
        self.stop_looking()
        self.show_wrong([((f" {text}", "dim"),)])

    def stop_looking(self) -> None:
        """Show no answer that still comes to what only looks: a check, an echo, a dry run."""
        self.drop()

    def _saved(self, saved: Saved) -> None:
        said = "; ".join(
            [f"saved as revision {saved.revision}", *when_it_counts(saved.restart, saved.renews), *saved.warnings]
        )
        if saved.tasks or saved.busy:
            said += (
                f"; {plural(saved.tasks, 'waiting task')} renamed, {len(saved.busy)} being worked on and not renamed"
            )
        service = next((name for name in saved.restart if " " not in name), "")
        if service and self.router.allows(api.services.RESTART.name):
            self._offer_restart(service, said)
        else:
            self._leave(said, "warning" if saved.warnings else "information")

    def _offer_restart(self, service: str, said: str) -> None:
        """Ask whether the service for which a change waits is restarted now; Cancel leaves it for later."""

        def answered(answer: str | None) -> None:
            if answer is None:
                self._leave(said)
                return
            restart, done = api.services.OneService(name=service), f"saved, and the {service} restarted: it counts now"
            self.ask(
                api.services.RESTART,
                restart,
                lambda _: self._leave(done),
                failed=lambda error: self._leave(f"{said}; {error.text}"),
            )

        texts = ["It is saved, and counts after a restart.", "Cancel: you restart it later."]
        self.app.push_screen(Confirm(f"Restart the {service} now?", texts, "Restart now"), answered)

    def _leave(self, said: str, severity: str = "information") -> None:
        name = self._widgets.get("name")
        self.dismiss(raw_text(name).strip() if name is not None else None)
        self.mercure.say(said, severity)

    def show_wrong(self, lines: Sequence[Line]) -> None:
        """Show what is wrong, or what was found."""
        self.query_one("#wrong", Static).show(lines[:8])

    def failed(self, error: ControlError) -> None:
        """Show why it was not saved, and what somebody else changed meanwhile."""
        columns = self.app.size.width - 2
        # What is wrong with a configuration is in the text too, but shortened; each problem is shown once.
        text = "it cannot be saved:" if error.problems else error.text
        lines: list[Line] = [((f"‼ {line}", "bad"),) for line in printable_lines(text, columns - 2)]
        advice = "" if error.problems else error.advice
        if error.kind == "stale":
            advice = "Look at what is different; ^s once more makes your change on top of it, esc leaves."
            newest = api.configuration.ListRevisions(file="mercure", limit=1)
            self.ask(api.configuration.REVISIONS, newest, self._go_on_from, failed=lambda _: None)
        lines += [((f"  {line}", "notice"),) for line in printable_lines(advice, columns - 2) if line]
        lines += problem_lines(error.problems, columns)
        if error.difference:
            lines += difference_lines(error.difference, columns)
        self.show_wrong(lines)

    def _go_on_from(self, answer: api.configuration.Revisions) -> None:
        self.revision = answer.current

    def action_open(self, name: str) -> None:
        """Open no other page over a form: what was typed would be out of sight."""
        self.say("save the form (^s) or leave it (esc) first", "warning")

    def why_not(self, action: Action) -> str:
        """Say of quitting too that the form comes first."""
        if action.name == "quit" and self._raw() != self._before:
            return "save the form (^s) or leave it (esc) first"
        return super().why_not(action)

    def go_back(self) -> None:
        """Leave; what was changed and not saved is given up only when asked."""
        if self._raw() == self._before:
            self.dismiss()
            return

        dialog = Confirm("Discard changes?", [self._heading, "Nothing is saved."], "Discard")
        self.when_answered(dialog, lambda _: self.dismiss())
