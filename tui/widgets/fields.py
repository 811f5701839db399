"""Fields of a form: a line of text, one of several words, a condition over several lines."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

from textual.binding import Binding
from textual.message import Message
from textual.suggester import SuggestFromList
from textual.widget import Widget
from textual.widgets import Input, TextArea

from mercure.printable import printable
from tui.widgets.lines import strip_of
from tui.widgets.typed_keys import TypedLine, TypedText

if TYPE_CHECKING:
    from textual.binding import BindingType
    from textual.strip import Strip

Kind = Literal["text", "number", "whole", "words", "json", "choice", "long", "secret"]


@dataclass(frozen=True)
class Field:
    """One field.

    Parameters
    ----------
    name : str
        The key in the configuration; of something nested with the keys above it, and dots.
    kind : Kind
        ``words``: a list, with commas; ``json``: anything else, as JSON; ``choice``: one of `choices`; ``long``: text
        over several lines; ``secret``: JSON or text.
    text : str
        What it means, in a sentence or two.
    choices : tuple of str
        What can be chosen, or is suggested.
    default : object
        What it is when nothing is said; such a value is left out of the configuration.
    needed : bool
        It must be filled in.
    """

    name: str
    kind: Kind
    text: str = ""
    choices: tuple[str, ...] = ()
    default: Any = None
    needed: bool = False


NOTHING: Final = "-"
"""Stands among the words of a choice for none of them."""


_SAID: Final[Mapping[str, Mapping[str, str]]] = {
    "late": {
        "alone": "late images: deliver separately",
        "again": "late images: send all again",
        "hold": "late images: hold",
    },
}
"""What is shown for the words of a choice that say too little alone, by field."""


class FieldError(Exception):
    """What was typed cannot be taken; the text says why."""


class Choice(Widget, can_focus=True):
    """One of a few words; space or the arrows take the next."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space,right,enter", "turn(1)", show=False),
        Binding("left", "turn(-1)", show=False),
    ]
    DEFAULT_CSS = "Choice { height: 1; }"

    class Changed(Message):
        """Another word was taken."""

    def __init__(self, words: tuple[str, ...], value: str, said: Mapping[str, str] | None = None) -> None:
        super().__init__()
        self._words = words
        self._said = said or {}
        self.value = value if value in words else words[0]

    def action_turn(self, by: int) -> None:
        """Take the next or the one before."""
        self.value = self._words[(self._words.index(self.value) + by) % len(self._words)]
        self.refresh()
        self.post_message(self.Changed())

    def on_focus(self) -> None:
        """Show that the keys go here."""
        self.refresh()

    def on_blur(self) -> None:
        """Show that the keys go elsewhere."""
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draw the word between arrows."""
        style = "here" if self.has_focus else "bold"
        return strip_of(((f"◄ {printable(self._said.get(self.value, self.value))} ►", style),), self.size.width)


def widget_of(field: Field, value: object) -> Widget:
    """Make the widget of a field, with a value in it."""
    if field.kind == "choice":
        shown = value if value is not None else field.default
        return Choice(field.choices, NOTHING if shown is None else _word(shown), _SAID.get(field.name))
    text = text_of(field, value)
    if field.kind == "long":
        area = TypedText(text, soft_wrap=True, tab_behavior="focus", show_line_numbers=False)
        area.styles.height = 4
        return area
    line = TypedLine(text, select_on_focus=False, placeholder=printable(_placeholder(field)))
    if field.choices:
        line.suggester = SuggestFromList(field.choices)
    return line


def raw_text(widget: Widget) -> str:
    """Return what stands in a field, as it was typed."""
    if isinstance(widget, TextArea):
        return widget.text
    return widget.value if isinstance(widget, Input | Choice) else ""


def _word(value: object) -> str:
    return "yes" if value is True else "no" if value is False else str(value)


def _placeholder(field: Field) -> str:
    if field.needed:
        return "needed"
    if field.default in (None, "", [], {}, ()):
        return ""
    return f"{text_of(field, field.default)} (default)"


def text_of(field: Field, value: object) -> str:
    """Write the value of a field for editing."""
    if value is None:
        return ""
    if field.kind == "words" and isinstance(value, list | tuple):
        return ", ".join(str(item) for item in value)
    if field.kind in {"json", "secret"} and not isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return str(int(value) if isinstance(value, float) and value.is_integer() else value)


def value_of(field: Field, widget: Widget) -> Any:  # noqa: ANN401 - any JSON
    """Read a field; None when nothing is in it.

    Raises
    ------
    FieldError
        It cannot be read as what it should be.
    """
    if isinstance(widget, Choice):
        return {"yes": True, "no": False, NOTHING: None}.get(widget.value, widget.value)
    text = raw_text(widget).strip()
    if not text:
        if field.needed:
            raise FieldError(f"{field.name}: this is needed")
        return None
    return _READ[field.kind](field, text)


def _number(field: Field, text: str) -> float | int:
    try:
        return int(text) if field.kind == "whole" else json.loads(text.replace(",", "."), parse_constant=_refuse)
    except ValueError:
        raise FieldError(f"{field.name}: {text!r} is not a {'whole ' if field.kind == 'whole' else ''}number") from None


def _refuse(_text: str) -> float:
    raise ValueError


def _json(field: Field, text: str) -> Any:  # noqa: ANN401 - any JSON
    try:
        return json.loads(text)
    except ValueError as error:
        raise FieldError(f"{field.name}: this is not JSON: {error}") from None


def _words(_field: Field, text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _text(_field: Field, text: str) -> str:
    return text


def _secret(field: Field, text: str) -> Any:  # noqa: ANN401 - text or JSON
    return _json(field, text) if text.startswith("{") else text


_READ = {"text": _text, "long": _text, "choice": _text, "number": _number, "whole": _number, "words": _words,
         "json": _json, "secret": _secret}  # fmt: skip


def fields_of_schema(schema: Mapping[str, Any]) -> list[Field]:
    """Make the fields of a JSON schema's properties, and of what is nested in them: ``retry.first_seconds``.

    What may hold any keys, or lists of something, is edited as JSON.
    """
    definitions = schema.get("$defs", {})
    fields = [field for field in _fields(schema, definitions, "", {}) if field.name != "kind"]
    return sorted(fields, key=lambda field: not field.needed)


def _fields(
    schema: Mapping[str, Any], definitions: Mapping[str, Any], prefix: str, defaults: Mapping[str, Any]
) -> Iterator[Field]:
    needed = set() if prefix else set(schema.get("required", ()))
    for name, property_ in schema.get("properties", {}).items():
        of = _resolved(property_, definitions)
        default = defaults.get(name, property_.get("default"))
        if of.get("properties"):
            yield from _fields(of, definitions, f"{prefix}{name}.", default if isinstance(default, Mapping) else {})
            continue
        kind, choices = _kind(of)
        if kind == "choice" and default is None and name not in needed:
            choices = (NOTHING, *choices)
        text = _meaning(name, property_, of)
        yield Field(f"{prefix}{name}", kind, text, choices, default, name in needed)


_UNITS: Final = {"_seconds": "seconds", "_bytes": "bytes"}
"""In what a setting is counted, by the end of its name."""


def _meaning(name: str, property_: Mapping[str, Any], of: Mapping[str, Any]) -> str:
    """Say what a setting means, in what it is counted and what it may be."""
    text = str(property_.get("description", "")).replace("`", "")
    units = [unit for end, unit in _UNITS.items() if name.endswith(end)]
    counted = ", ".join([*units, *_limits(of)])
    return f"{text} ({counted})".strip() if counted else text


def _limits(of: Mapping[str, Any]) -> Iterator[str]:
    least, most = of.get("minimum"), of.get("maximum")
    if least is not None and most is not None:
        yield f"{least:.15g} to {most:.15g}"
        return
    words = (("at least", least), ("more than", of.get("exclusiveMinimum")), ("at most", most))
    yield from (f"{text} {limit:.15g}" for text, limit in words if limit is not None)


def _resolved(property_: Mapping[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a property is, without the way by which the schema says so and without that it may be absent."""
    of = dict(property_)
    options = [option for option in of.get("anyOf", ()) if option.get("type") != "null"]
    if len(options) == 1:
        of = {**of, **options[0]}
    if "$ref" in of:
        of = {**definitions.get(str(of["$ref"]).rsplit("/", 1)[-1], {})}
    return of


def value_at(values: Mapping[str, Any], name: str) -> Any:  # noqa: ANN401 - any JSON
    """Return the value of a field out of nested values; None where there is none."""
    found: Any = values
    for part in name.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def put_at(values: dict[str, Any], name: str, value: Any) -> None:  # noqa: ANN401 - any JSON
    """Put the value of a field into nested values."""
    *parts, last = name.split(".")
    for part in parts:
        values = values.setdefault(part, {})
    values[last] = value


def _kind(of: Mapping[str, Any]) -> tuple[Kind, tuple[str, ...]]:
    if "enum" in of:
        return "choice", tuple(str(word) for word in of["enum"])
    kinds: Mapping[str, Kind] = {"string": "text", "integer": "whole", "number": "number"}
    type_ = of.get("type")
    if type_ == "boolean":
        return "choice", ("no", "yes")
    if type_ == "array" and of.get("items", {}).get("type") == "string":
        return "words", ()
    return kinds.get(str(type_), "json"), ()
