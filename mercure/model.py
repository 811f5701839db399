"""Base of all typed models: unknown fields are refused, what was read does not change, fields carry their meaning.

Here too is what configuration and spool both need, which do not import each other: a problem, and a task's priority.
"""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.json_schema import GenerateJsonSchema

if TYPE_CHECKING:
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import core_schema


class Model(BaseModel):
    """A frozen model without unknown keys, for everything that this program alone writes and people edit.

    What was wrong is never repeated in an error: it may be a secret, or name a patient.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, hide_input_in_errors=True)


class Record(BaseModel):
    """A frozen model that passes over unknown keys, for what another version of the router may have written."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)


Priority = Literal["urgent", "normal", "offpeak"]
PRIORITIES: Final[tuple[Priority, ...]] = ("urgent", "normal", "offpeak")
"""From the first to the last to be served."""


@dataclass(frozen=True)
class ConfigProblem:
    """One thing that is wrong.

    Parameters
    ----------
    place : str
        Where, as a path of keys: ``rules.mr.targets``.
    text : str
        What.
    advice : str
        What to do; empty when there is nothing to add.
    """

    place: str
    text: str
    advice: str = ""

    def __post_init__(self) -> None:
        """Write half a character, which JSON can name, as its escape: problems are shown, logged and sent."""
        for name in ("place", "text", "advice"):
            object.__setattr__(self, name, getattr(self, name).encode("utf-8", "backslashreplace").decode())

    def __str__(self) -> str:
        return f"{self.place}: {self.text}" + (f" ({self.advice})" if self.advice else "")


ModelT = TypeVar("ModelT", bound=BaseModel)


def read_state(path: Path, model: type[ModelT]) -> ModelT | None:
    """Read a small file of state; None when it is not there, or is not what this version writes.

    Raises
    ------
    OSError
        It is there and cannot be read.
    """
    try:
        return model.model_validate_json(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValidationError):
        return None


def notes_of(model: type[BaseModel]) -> dict[str, str]:
    """Return what the fields of a model mean: the docstrings that stand below them, each on one line.

    A field that holds another model, and has no docstring, means what that model's own docstring begins with.

    They are read from the source on demand. Pydantic's ``use_attribute_docstrings`` reads the source of
    every model while it is imported, and every start of a service or a command would pay for that.
    """
    notes: dict[str, str] = {}
    for ancestor in reversed(model.__mro__):
        notes |= _notes_in(ancestor.__module__).get(ancestor.__qualname__, {})
    for name, field in model.model_fields.items():
        kind = field.annotation
        if name not in notes and isinstance(kind, type) and issubclass(kind, BaseModel) and kind.__doc__:
            notes[name] = " ".join(inspect.cleandoc(kind.__doc__).partition("\n\n")[0].split())
    return notes


@cache
def described_schema(model: type[BaseModel]) -> dict[str, Any]:
    """Return the JSON schema of a model, with what each field means; it is made once, and not to be changed."""
    return model.model_json_schema(schema_generator=_Described)


class _Described(GenerateJsonSchema):
    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        """Describe the fields of a model, also where it is nested in another one."""
        found = super().model_schema(schema)
        notes = notes_of(schema["cls"])
        for name, property_ in found.get("properties", {}).items():
            if name in notes:
                property_.setdefault("description", notes[name])
        return found


@cache
def _notes_in(module: str) -> Mapping[str, Mapping[str, str]]:
    """Read the notes of all classes of a module; none where its source is not there."""
    try:
        tree = ast.parse(inspect.getsource(sys.modules[module]))
    except (OSError, TypeError):
        return {}
    return {node.name: dict(_notes(node)) for node in tree.body if isinstance(node, ast.ClassDef)}


def _notes(node: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for field, note in pairwise(node.body):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            text = note.value if isinstance(note, ast.Expr) else None
            if isinstance(text, ast.Constant) and isinstance(text.value, str):
                yield field.target.id, " ".join(text.value.split())
