"""Places of settings: what stands at ``targets.pacs.retry.first_seconds``, by the schema of the configuration."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from appliance.control.errors import ControlError
from appliance.presentation.setting_fields import (
    MISSING,
    UNITS_OF_TIME,
    Field,
    FieldError,
    Schema,
    fields_of_schema,
    read_value,
    resolved,
)
from mercure.config import Config
from mercure.config.notifications import CHANNELS
from mercure.config.problems import suggest
from mercure.model import described_schema
from mercure.targets import MODELS

Place = tuple[str, ...]
_LINK: Final = re.compile(r"\s*\(\[[^]]*\]\([^)]*\)\)")
_BASE: Final = "_seconds"
KINDS: Final[Mapping[Place, Mapping[str, Any]]] = {("targets",): MODELS, ("notifications", "channels"): CHANNELS}
"""Tables whose entries have the settings of their kind."""


@dataclass(frozen=True)
class Node:
    """What stands at a place.

    Parameters
    ----------
    place : tuple of str
        Where.
    schema : mapping
        Of what may stand there, resolved.
    definitions : mapping
        Of the schemas that it names.
    value, default : object
        What stands there (`MISSING`: nothing), and what holds then.
    field : Field, optional
        How it is typed; None for what has settings or entries of its own.
    unit : float
        In how many of the setting's own unit it is typed: 86400 for ``success_days``.
    """

    place: Place
    schema: Schema
    definitions: Schema = field(repr=False)
    value: Any
    default: Any = None
    field: Field | None = None
    unit: float = 1.0

    @property
    def name(self) -> str:
        """The place as people write it."""
        return ".".join(self.place)

    @property
    def text(self) -> str:
        """What it means, in a sentence or two."""
        described = str(self.schema.get("description", "")).partition("\n\n")[0]
        return self.field.text if self.field is not None else _plain(described)

    @property
    def is_table(self) -> bool:
        """Whether it holds entries by name."""
        return self.field is not None and self.field.kind == "table"

    def children(self) -> Iterator[Node]:
        """Yield what stands directly below."""
        if self.field is not None and self.field.kind == "pairs":
            return
        if self.is_table:
            yield from (self._entry(name) for name in self.value)
            return
        yield from (self.setting(name) for name in self.schema.get("properties", {}))

    def child(self, rest: Place) -> tuple[Node, Place]:
        """Return what the next words of a place name, and the words after it.

        Raises
        ------
        ControlError
            There is no such setting.
        """
        properties = self.schema.get("properties", {})
        if rest[0] in properties:
            return self.setting(rest[0]), rest[1:]
        if self.is_table:
            return self._entry_of(rest)
        if self.field is not None and self.field.kind == "pairs":
            return self._pair(self.field, ".".join(rest)), ()
        end = next((end for end in UNITS_OF_TIME if rest[0].endswith(f"_{end}")), "")
        base = f"{rest[0].removesuffix(f'_{end}')}{_BASE}"
        if end and base in properties:
            child = self.setting(base)
            return Node(**{**vars(child), "unit": UNITS_OF_TIME[end]}), rest[1:]
        raise self._no_such(rest[0], properties)

    def _no_such(self, word: str, known: Mapping[str, Any]) -> ControlError:
        place = ".".join((*self.place, word))
        if self.field is not None and not known:
            return ControlError("invalid", f"there is no setting {place!r}", f"{self.name} is a setting of its own")
        here = f"{self.name}.…" if self.place else "the configuration"
        every = f"in {here} there are {', '.join(known)}"
        return ControlError("invalid", f"there is no setting {place!r}", suggest(word, known) or every)

    def setting(self, name: str) -> Node:
        """Return one of its settings."""
        property_ = self.schema["properties"][name]
        of = resolved(property_, self.definitions)
        default = self.default.get(name) if isinstance(self.default, Mapping) else None
        default = property_.get("default") if default is None else default
        needed = {name} & set(self.schema.get("required", ()))
        alone = {"properties": {name: {**property_, "default": default}}, "required": needed, "$defs": self.definitions}
        nested = bool(of.get("properties"))
        own = None if nested else next(iter(fields_of_schema(alone)), Field(name, "text", needed=True))
        value = self.value.get(name, MISSING) if isinstance(self.value, Mapping) else MISSING
        return Node((*self.place, name), of, self.definitions, value, default, own)

    def _entry_of(self, rest: Place) -> tuple[Node, Place]:
        """Find the entry: its name may have dots in it."""
        for length in range(len(rest), 0, -1):
            name = ".".join(rest[:length])
            if name in self.value:
                return self._entry(name), rest[length:]
        known = ", ".join(self.value) or "none"
        advice = suggest(rest[0], self.value) or f"there are: {known}"
        raise ControlError("not-found", f"there is no {rest[0]!r} in {self.name}", advice)

    def _entry(self, name: str) -> Node:
        value = self.value.get(name, MISSING)
        of = self.entry_schema()
        definitions = self.definitions
        kinds = KINDS.get(self.place)
        if kinds is not None:
            of = described_schema(self._model_of(name, value, kinds))
            definitions = of.get("$defs", {})
        return Node((*self.place, name), of, definitions, value)

    def entry_schema(self) -> Schema:
        """Return the schema of an entry of a table, where all have the same."""
        return resolved(self.schema.get("additionalProperties", {}), self.definitions)

    def _model_of(self, name: str, value: object, kinds: Mapping[str, Any]) -> Any:  # noqa: ANN401 - a model
        kind = str(value.get("kind", "")) if isinstance(value, Mapping) else ""
        if kind not in kinds:
            text = f"{self.name}.{name}: kind {kind!r} is unknown" if kind else f"{self.name}.{name} needs a 'kind'"
            raise ControlError("invalid", text, suggest(kind, kinds) or f"there are {', '.join(kinds)}")
        return kinds[kind]

    def _pair(self, pairs: Field, key: str) -> Node:
        value = self.value.get(key, MISSING) if isinstance(self.value, Mapping) else MISSING
        own = Field(key, "pairs", pairs.text, plain=pairs.plain)
        return Node((*self.place, key), {}, {}, value, None, own)

    def read(self, text: str) -> Any:  # noqa: ANN401 - any JSON
        """Read what a person typed for it.

        Raises
        ------
        ControlError
            It cannot be read as what it should be.
        """
        if self.field is None or self.is_table:
            below = ", ".join(child.name for child in self.children()) or "none yet"
            text = f"{self.name} is no single setting"
            raise ControlError("invalid", text, f"name one of: {below}")
        typed = Field(**{**vars(self.field), "name": self.name})
        try:
            if self.schema == {}:
                key = self.place[-1]
                return read_value(typed, shlex.quote(f"{key}={text}"))[key]
            if self.unit != 1.0:
                return float(read_value(Field(self.name, "number"), text)) * self.unit
            return read_value(typed, text)
        except FieldError as error:
            raise ControlError("invalid", str(error), self.field.text) from error


def _plain(text: str) -> str:
    """Return a docstring as a person reads it on a screen: without marks and links."""
    return " ".join(_LINK.sub("", text.replace("`", "")).split())


def configuration(content: Mapping[str, Any]) -> Node:
    """Return what stands at the root of a configuration: all of it."""
    schema = described_schema(Config)
    return Node((), schema, schema.get("$defs", {}), content)


def node_at(content: Mapping[str, Any], place: str) -> Node:
    """Return what stands at a place.

    Raises
    ------
    ControlError
        There is no such setting, or no entry of this name.
    """
    node, rest = configuration(content), tuple(place.split(".")) if place else ()
    while rest:
        node, rest = node.child(rest)
    return node


def leaves(node: Node) -> Iterator[Node]:
    """Yield the single settings at a place and below it."""
    if node.field is not None and not node.is_table:
        yield node
        return
    for child in node.children():
        yield from leaves(child)
