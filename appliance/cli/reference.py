"""The reference page of the command, made from the command itself: ``python -m appliance.cli.reference``."""

from __future__ import annotations

import importlib
import inspect
import textwrap
import types
import typing
from collections.abc import Iterable, Iterator
from datetime import datetime
from enum import Enum
from typing import Any, Final, Literal, Union

import click
from pydantic import BaseModel

from appliance.cli.app import mercure
from appliance.cli.common import JsonOption
from appliance.cli.exit_codes import MEANING

_HEAD: Final = """\
# The `mercure` command

<!-- Made by `python -m appliance.cli.reference > docs/reference/cli.md`; a test compares the two. -->

Data goes to standard output, everything else to standard error. Text fits a terminal of 80 columns (`COLUMNS` sets
another width); what came from images is escaped, so that a terminal obeys nothing in it. With `--json` exactly one JSON
document is printed, in ASCII, with times in UTC; its keys are listed here and do not change their meaning.
`rules eval` always prints JSON lines.
"""

_WORDS: Final[dict[Any, str]] = {
    str: "text",
    int: "number",
    float: "number",
    bool: "true or false",
    datetime: "time",
    type(None): "null",
    Any: "any JSON",
}


def page() -> str:
    """Return the reference page as Markdown."""
    context = click.Context(mercure, info_name="mercure")
    parts = [
        _HEAD,
        *_exit_codes(),
        *_command(mercure, context),
        *models(_documents(mercure, context), "What `--json` prints"),
    ]
    return "\n".join(parts).rstrip() + "\n"


def _exit_codes() -> Iterator[str]:
    yield "## Exit codes\n"
    yield "| code | meaning |\n| --- | --- |"
    yield from (f"| {code} | {meaning} |" for code, meaning in MEANING.items())
    yield "\n`status` and `verify` give their codes a meaning of their own, told there.\n"


def _command(command: click.Command, context: click.Context) -> Iterator[str]:
    path = context.command_path
    usage = " ".join([path, *command.collect_usage_pieces(context)])
    yield f"## `{path}`\n"
    yield f"    {usage}\n"
    yield inspect.cleandoc(command.help or "").replace("\b\n", "") + "\n"
    options = [param.get_help_record(context) for param in command.params]
    rows = [record for record in options if record is not None and record[1]]
    if rows:
        yield "| option | meaning |\n| --- | --- |"
        yield from (f"| `{name}` | {text} |" for name, text in map(_cells, rows))
        yield ""
    documents = [text for _, text in _documents_of(command)]
    if documents:
        yield f"`--json` prints {' or '.join(documents)}.\n"
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            if child is not None:
                yield from _command(child, click.Context(child, info_name=name, parent=context))


def _cells(record: tuple[str, str]) -> tuple[str, str]:
    name, text = record
    return name.replace("|", "\\|"), " ".join(text.replace("|", "\\|").split())


def _documents_of(command: click.Command) -> Iterator[tuple[type[BaseModel], str]]:
    for param in command.params:
        for key, path in param.documents if isinstance(param, JsonOption) else ():
            module, _, name = path.partition(":")
            model: type[BaseModel] = vars(importlib.import_module(module))[name]
            yield model, f'`{{"{key}": [`{link(model)}`, …]}}`' if key else link(model)


def _documents(command: click.Command, context: click.Context) -> Iterator[type[BaseModel]]:
    yield from (model for model, _ in _documents_of(command))
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            if child is not None:
                yield from _documents(child, click.Context(child, info_name=name, parent=context))


def models(wanted: Iterable[type[BaseModel]], title: str) -> Iterator[str]:
    """Describe models and those that they are made of, by name."""
    found: dict[str, type[BaseModel]] = {}
    for model in wanted:
        _collect(model, found)
    yield f"# {title}\n"
    for name in sorted(found):
        yield from _model(found[name])


def _collect(annotation: Any, found: dict[str, type[BaseModel]]) -> None:  # noqa: ANN401 - a type
    if _is_described(annotation) and annotation.__name__ not in found:
        found[annotation.__name__] = annotation
        for field in annotation.model_fields.values():
            _collect(field.annotation, found)
    for argument in typing.get_args(annotation):
        _collect(argument, found)


def _is_described(annotation: Any) -> bool:  # noqa: ANN401 - a type
    """Tell whether a model is described here. Those of the files (task.json, mercure.json) have pages of their own."""
    return (
        isinstance(annotation, type)
        and issubclass(annotation, BaseModel)
        and annotation.__module__.startswith(("appliance.", "mercure.history."))
    )


def _model(model: type[BaseModel]) -> Iterator[str]:
    yield f"## {model.__name__}\n"
    yield textwrap.dedent(inspect.cleandoc(model.__doc__ or "")).replace("``", "`") + "\n"
    yield "| key | value |\n| --- | --- |"
    for name, field in model.model_fields.items():
        yield f"| `{name}` | {words(field.annotation)} |"
    yield ""


def link(model: type[BaseModel]) -> str:
    """Return a link to where a model is described."""
    return f"[{model.__name__}](#{model.__name__.lower()})"


def words(annotation: Any) -> str:  # noqa: ANN401, PLR0911 - a type; one line for each kind of type
    """Write a type in words."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if annotation in _WORDS:
        return _WORDS[annotation]
    if origin is typing.Annotated:
        return words(arguments[0])
    if origin is Literal:
        return " or ".join(f"`{argument}`" for argument in arguments)
    if origin in (Union, types.UnionType):
        return " or ".join(words(argument) for argument in arguments)
    if origin in (tuple, list, frozenset, set):
        return f"list of {words(arguments[0])}"
    if origin is dict:
        return f"object: {words(arguments[0])} to {words(arguments[1])}"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return (
            link(annotation) if _is_described(annotation) else f"`{annotation.__name__}` of `{annotation.__module__}`"
        )
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return " or ".join(f"`{member.value}`" for member in annotation)
    return "text"


if __name__ == "__main__":
    click.echo(page(), nl=False)
