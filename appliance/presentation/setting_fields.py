"""Settings as fields: what each is, in what it is counted, and its value as text and back, all from its JSON schema.

Forms of the terminal UI and `mercure config set` are made from it. No setting is typed as JSON: what has names of its
own (the settings of a module) is written as words ``KEY=VALUE``, several of such sets with ``;`` between them.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final, Literal

Kind = Literal["text", "number", "whole", "words", "choice", "long", "secret", "pairs", "rows", "table", "json"]
Schema = Mapping[str, Any]

MISSING: Final[Mapping[str, Any]] = MappingProxyType({})
"""Stands for a value where there is none: null is one."""

NOTHING: Final = "-"
"""Stands among the words of a choice for none of them."""

_SECOND: Final = 1.0
UNITS_OF_TIME: Final[Mapping[str, float]] = {
    "seconds": _SECOND, "minutes": 60.0, "hours": 3600.0, "days": 86400.0, "weeks": 7 * 86400.0,
}  # fmt: skip
_SHORT_UNITS: Final[Mapping[str, Mapping[str, float]]] = {
    "_seconds": {unit[0]: seconds for unit, seconds in UNITS_OF_TIME.items()},
    "_bytes": {"kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12, "kib": 2.0**10, "mib": 2.0**20, "gib": 2.0**30,
               "tib": 2.0**40},
}  # fmt: skip
"""What may stand behind a number, by the end of a setting's name."""
_COUNTED: Final = {"_seconds": "seconds", "_bytes": "bytes"}
"""In what a setting is counted, by the end of its name."""
_NUMBER_AND_UNIT: Final = re.compile(r"([0-9][0-9.,]*)\s*([a-zA-Z]+)")
_YES_AND_NO: Final = ("no", "yes")
_YES_OR_NO: Final = {"yes": True, "no": False, "true": True, "false": False, "on": True, "off": False}


@dataclass(frozen=True)
class Field:
    """One setting.

    Parameters
    ----------
    name : str
        The key in the configuration; of something nested with the keys above it, and dots.
    kind : Kind
        ``words``: a list, with commas; ``choice``: one of `choices`; ``long``: text over several lines; ``secret``:
        where a secret is; ``pairs``: words ``KEY=VALUE``; ``rows``: several of these, with ``;`` between; ``table``:
        entries with a form of their own; ``json``: none of these.
    text : str
        What it means, in a sentence or two.
    choices : tuple of str
        What can be chosen, or is suggested.
    default : object
        What it is when nothing is said; such a value is left out of the configuration.
    needed : bool
        It must be filled in.
    plain : bool
        The values of `pairs` are text, whatever they look like.
    may_be_none : bool
        It can be switched off, by ``-``, where it has a default.
    """

    name: str
    kind: Kind
    text: str = ""
    choices: tuple[str, ...] = ()
    default: Any = None
    needed: bool = False
    plain: bool = False
    may_be_none: bool = False


class FieldError(Exception):
    """What was typed cannot be taken; the text says why."""


# Values and text.


def text_of(field: Field, value: object) -> str:
    """Write the value of a field for editing; nothing for `MISSING`."""
    if value is MISSING:
        return ""
    if value is None:
        return NOTHING if field.may_be_none else ""
    if field.kind in _TEXT_OF:
        return _TEXT_OF[field.kind](field, value)
    if not isinstance(value, bool | int | float | str):
        return json.dumps(value, ensure_ascii=False)
    return word_of(int(value) if isinstance(value, float) and value.is_integer() else value)


def word_of(value: object) -> str:
    """Write one of several words, or a value that stands alone."""
    return "yes" if value is True else "no" if value is False else str(value)


def read_value(field: Field, text: str) -> Any:  # noqa: ANN401 - any JSON
    """Read what was typed for a field; it is not empty.

    Raises
    ------
    FieldError
        It cannot be read as what it should be.
    """
    if field.may_be_none and text.strip() == NOTHING:
        return None
    return _READ[field.kind](field, text)


def _read_number(field: Field, text: str) -> float | int:
    whole = field.kind == "whole"
    try:
        return int(text) if whole else json.loads(text.replace(",", "."), parse_constant=_refuse)
    except ValueError:
        units = next((units for end, units in _SHORT_UNITS.items() if field.name.endswith(end)), {})
        found = _NUMBER_AND_UNIT.fullmatch(text.strip())
        if found and found[2].lower() in units:
            number = _read_number(replace(field, kind="number"), found[1]) * units[found[2].lower()]
            return int(number) if number.is_integer() else number
        units_text = f", or one with {', '.join(units)} behind it" if units else ""
        kind = "whole " if whole else ""
        raise FieldError(f"{field.name}: {text!r} is not a {kind}number{units_text}") from None


def _refuse(_text: str) -> float:
    raise ValueError


def _read_json(field: Field, text: str) -> Any:  # noqa: ANN401 - any JSON
    try:
        return json.loads(text)
    except ValueError as error:
        raise FieldError(f"{field.name}: this is not JSON: {error}") from None


_QUOTED: Final = r'"(?:[^"\\]|\\.)*"'
_WORD: Final = re.compile(rf"\s*({_QUOTED}|[^,]*)\s*(?:,|$)")


def _read_words(_field: Field, text: str) -> list[str]:
    """Read a list; a word with a comma in it stands in double quotes (an AE title may have one)."""
    words = [word.strip() for word in _WORD.findall(text)]
    return [json.loads(word) if re.fullmatch(_QUOTED, word) else word for word in words if word]


def _text_of_words(_field: Field, value: object) -> str:
    words = [str(item) for item in value] if isinstance(value, list | tuple) else [str(value)]
    return ", ".join(json.dumps(word, ensure_ascii=False) if re.search(r'[",]', word) else word for word in words)


def _read_text(_field: Field, text: str) -> str:
    return text


def _read_choice(field: Field, text: str) -> Any:  # noqa: ANN401 - a word, yes or no, or nothing
    if set(_YES_AND_NO) <= set(field.choices):
        if text.lower() in _YES_OR_NO:
            return _YES_OR_NO[text.lower()]
    elif text in field.choices:
        return None if text == NOTHING else text
    raise FieldError(f"{field.name}: {text!r} is none of {', '.join(field.choices)}")


def _read_secret(field: Field, text: str) -> dict[str, str]:
    """Read where a secret is. What it is has no place here, and is not repeated."""
    where, colon, place = text.partition(":")
    if not colon or where not in {"file", "env"} or not place:
        raise FieldError(f"{field.name}: a secret is never written here: give file:/path, or env:NAME")
    return {where: place}


def _text_of_secret(_field: Field, value: object) -> str:
    return ":".join(map(str, next(iter(value.items()), ()))) if isinstance(value, Mapping) else ""


def _read_pairs(field: Field, text: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for number, word in enumerate(_shell_words(field, text), 1):
        key, equals, value = word.partition("=")
        if not equals or not key:
            # The word is not repeated: it may be half of a password.
            raise FieldError(f"{field.name}: word {number} is not KEY=VALUE; put quotes around one with blanks in it")
        found[key] = value if field.plain else _read_one_value(value)
    return found


def _read_one_value(text: str) -> Any:  # noqa: ANN401 - any JSON
    """Read a value of which nothing is known: a number, yes or no of JSON, or else the text itself."""
    try:
        return json.loads(text, parse_constant=_refuse)
    except ValueError:
        return text


def _shell_words(field: Field, text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise FieldError(f"{field.name}: {error}") from None


def _text_of_pairs(field: Field, value: object) -> str:
    pairs = value.items() if isinstance(value, Mapping) else ()
    return " ".join(shlex.quote(f"{key}={each if field.plain else _one_value(each)}") for key, each in pairs)


def _one_value(value: object) -> str:
    """Write a value so that reading it gives the same: text that JSON would take for something else in quotes."""
    if isinstance(value, str) and _read_one_value(value) == value:
        return value
    return json.dumps(value, ensure_ascii=False)


def _read_rows(field: Field, text: str) -> list[dict[str, Any]]:
    rows: list[list[str]] = [[]]
    splitter = shlex.shlex(text, posix=True, punctuation_chars=";")
    splitter.whitespace_split, splitter.commenters = True, ""
    try:
        words = list(splitter)
    except ValueError as error:
        raise FieldError(f"{field.name}: {error}") from None
    for word in words:
        if word and set(word) == {";"}:
            rows += [[] for _ in word]
        else:
            rows[-1].append(word)
    return [_read_pairs(field, shlex.join(row)) for row in rows]


def _text_of_rows(field: Field, value: object) -> str:
    return " ; ".join(_text_of_pairs(field, row) for row in value) if isinstance(value, list | tuple) else ""


_READ: Final[Mapping[Kind, Callable[[Field, str], Any]]] = {
    "text": _read_text, "long": _read_text, "choice": _read_choice, "number": _read_number, "whole": _read_number,
    "words": _read_words, "json": _read_json, "secret": _read_secret, "pairs": _read_pairs, "rows": _read_rows,
    "table": _read_json,
}  # fmt: skip
_TEXT_OF: Final[Mapping[Kind, Callable[[Field, object], str]]] = {
    "words": _text_of_words, "secret": _text_of_secret, "pairs": _text_of_pairs, "rows": _text_of_rows,
}  # fmt: skip


# Fields of a schema.


def fields_of_schema(schema: Schema) -> list[Field]:
    """Make the fields of a JSON schema's properties, and of what is nested in them: ``retry.first_seconds``.

    What stands first is what must be filled in. Tables, whose entries have names and forms of their own, are fields of
    the kind ``table``.
    """
    definitions = schema.get("$defs", {})
    fields = [field for field in _fields(schema, definitions, "", {}) if field.name != "kind"]
    return sorted(fields, key=lambda field: not field.needed)


def _fields(schema: Schema, definitions: Schema, prefix: str, defaults: Mapping[str, Any]) -> Iterator[Field]:
    needed = set() if prefix else set(schema.get("required", ()))
    for name, property_ in schema.get("properties", {}).items():
        of = resolved(property_, definitions)
        default = defaults.get(name, property_.get("default"))
        if of.get("properties"):
            yield from _fields(of, definitions, f"{prefix}{name}.", default if isinstance(default, Mapping) else {})
            continue
        kind, choices = _kind(of, definitions)
        if kind == "choice" and default is None and name not in needed:
            choices = (NOTHING, *choices)
        plain = kind == "pairs" and resolved(of["additionalProperties"], definitions).get("type") == "string"
        nullable = default is not None and {"type": "null"} in property_.get("anyOf", ())
        text = _meaning(name, property_, of)
        yield Field(f"{prefix}{name}", kind, text, choices, default, name in needed, plain, nullable)


def _meaning(name: str, property_: Schema, of: Schema) -> str:
    """Say what a setting means, in what it is counted and what it may be."""
    text = str(property_.get("description", "")).replace("`", "")
    units = [unit for end, unit in _COUNTED.items() if name.endswith(end)]
    counted = ", ".join([*units, *_limits(of)])
    return f"{text} ({counted})".strip() if counted else text


def _limits(of: Schema) -> Iterator[str]:
    least, most = of.get("minimum"), of.get("maximum")
    if least is not None and most is not None:
        yield f"{least:.15g} to {most:.15g}"
        return
    words = (("at least", least), ("more than", of.get("exclusiveMinimum")), ("at most", most))
    yield from (f"{text} {limit:.15g}" for text, limit in words if limit is not None)


def resolved(property_: Schema, definitions: Schema) -> dict[str, Any]:
    """Return what a property is, without the way by which the schema says so and without that it may be absent."""
    of = dict(property_)
    options = [option for option in of.get("anyOf", ()) if option.get("type") != "null"]
    if len(options) == 1:
        of = {**of, **options[0]}
    if "$ref" in of:
        of = {**definitions.get(str(of["$ref"]).rsplit("/", 1)[-1], {})}
    return of


_OF_TYPE: Final[Mapping[str, Kind]] = {"string": "text", "integer": "whole", "number": "number"}


def _kind(of: Schema, definitions: Schema) -> tuple[Kind, tuple[str, ...]]:
    if "enum" in of:
        return "choice", tuple(str(word) for word in of["enum"])
    type_ = str(of.get("type"))
    if type_ == "boolean":
        return "choice", _YES_AND_NO
    if type_ == "object":
        entry = resolved(of.get("additionalProperties") or {}, definitions)
        return ("table" if entry.get("properties") or entry.get("oneOf") else "pairs"), ()
    if type_ == "array":
        item = resolved(of.get("items", {}), definitions)
        return ("rows" if item.get("type") == "object" else "words"), ()
    if _is_secret(of, definitions):
        return "secret", ()
    return _OF_TYPE.get(type_, "json"), ()


def _is_secret(of: Schema, definitions: Schema) -> bool:
    """Tell whether a property says where a secret is: in a file or in a variable."""
    options = [resolved(option, definitions) for option in of.get("anyOf", ())]
    keys = [key for option in options for key in option.get("properties", {})]
    return keys == ["file", "env"]


def value_at(values: Mapping[str, Any], name: str) -> Any:  # noqa: ANN401 - any JSON
    """Return the value of a field out of nested values; `MISSING` where there is none."""
    found: Any = values
    for part in name.split("."):
        found = found.get(part, MISSING) if isinstance(found, Mapping) else MISSING
    return found


def put_at(values: dict[str, Any], name: str, value: Any) -> None:  # noqa: ANN401 - any JSON
    """Put the value of a field into nested values."""
    *parts, last = name.split(".")
    for part in parts:
        values = values.setdefault(part, {})
    values[last] = value
