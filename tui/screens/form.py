"""A form over a page: fields one below the other, saved with ^s, left with esc."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from textual import on
from textual.containers import Horizontal, VerticalScroll
from textual.widgets import Input, TextArea

from appliance.control.client import ControlError, Saved
from tui.actions import Action, bindings_of
from tui.format import fit, printable, wrap
from tui.looks import Line
from tui.screens.differences import difference_lines, problem_lines
from tui.screens.page import Page
from tui.widgets.dialogs import Confirm
from tui.widgets.fields import Choice, Field, FieldError, raw_text, value_of, widget_of
from tui.widgets.lines import Static

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType
    from textual.widget import Widget

    from appliance.control.client import Verb, api

_LABEL = 22


class FormPage(Page):
    """Fields and what is wrong with them.

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
    """

    NAME: ClassVar[str] = "form"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_of("form")]

    def __init__(self, of: str, title: str, fields: Sequence[Field], values: Mapping[str, Any]) -> None:
        super().__init__()
        self.belongs_to = of
        self._heading = title
        self._fields = fields
        self._values = values
        self._widgets: dict[str, Widget] = {}
        self._before: dict[str, str] = {}

    def body(self) -> ComposeResult:
        """Lay out a line for each field, and below what is wrong."""
        yield Static(id="note")
        with VerticalScroll(id="fields", can_focus=False):
            for field in self._fields:
                widget = self._widgets[field.name] = widget_of(field, self._values.get(field.name))
                with Horizontal(classes="field"):
                    yield Static(classes="label").saying(((fit(field.name, _LABEL - 1), "title"),))
                    yield widget
        yield Static(id="hint")
        yield Static(id="wrong")

    def on_mount(self) -> None:
        """Begin in the first field."""
        super().on_mount()
        self.query_one("#note", Static).show([((f" {printable(self._heading)}", "bold"),)])
        self._before = self._raw()
        self.focus_main()

    def _raw(self) -> dict[str, str]:
        return {name: raw_text(widget) for name, widget in self._widgets.items()}

    def focus_main(self) -> None:
        """Give the keys to the first field."""
        if self._fields and self.focused not in self._widgets.values():
            self._widgets[self._fields[0].name].focus()

    def on_descendant_focus(self) -> None:
        """Tell what the field means."""
        field = next((field for field in self._fields if self._widgets.get(field.name) is self.focused), None)
        if field is not None:
            more = f"  ({', '.join(field.choices[:12])})" if field.choices and field.kind != "choice" else ""
            text = fit(printable(f" {field.text}{more}"), self.app.size.width - 1)
            self.query_one("#hint", Static).show([((text, "dim"),)])

    @on(Input.Changed)
    @on(TextArea.Changed)
    @on(Choice.Changed)
    def _something_changed(self) -> None:
        self.edited()

    @on(Input.Submitted)
    def _next(self) -> None:
        self.focus_next()

    def edited(self) -> None:
        """Look at what was typed, while it is typed."""

    def values(self) -> dict[str, Any]:
        """Return what is in the fields; what is empty or the default is left out.

        Raises
        ------
        FieldError
            One cannot be read.
        """
        found = {}
        for field in self._fields:
            value = value_of(field, self._widgets[field.name])
            if value is not None and (field.needed or value != field.default):
                found[field.name] = value
        return found

    def read(self) -> dict[str, Any] | None:
        """Return what is in the fields; None when one cannot be read, and it is told which."""
        try:
            return self.values()
        except FieldError as error:
            self.stop_looking()
            self.show_wrong([((f"‼ {printable(str(error))}", "bad"),)])
            return None

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
        self.dismiss()
        self.mercure.say(f"saved as revision {saved.revision}")

    def show_wrong(self, lines: Sequence[Line]) -> None:
        """Show what is wrong, or what was found."""
        self.query_one("#wrong", Static).show(lines[:8])

    def failed(self, error: ControlError) -> None:
        """Show why it was not saved, and what somebody else changed meanwhile."""
        columns = self.app.size.width - 2
        lines: list[Line] = [((f"‼ {printable(text)}", "bad"),) for text in wrap(error.text, columns - 2)]
        lines += [
            ((f"  {printable(text)}", "notice"),) for text in (wrap(error.advice, columns - 2) if error.advice else ())
        ]
        lines += problem_lines(error.problems, columns)
        if error.difference:
            lines += difference_lines(error.difference, columns)
        self.show_wrong(lines)

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

        def sure(answer: str | None) -> None:
            if answer is not None:
                self.dismiss()

        self.app.push_screen(Confirm("Give up the changes?", [self._heading, "Nothing is saved."], "Give up"), sure)
