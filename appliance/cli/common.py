"""What all commands share: which router, who asks, JSON or text, and errors that become a sentence and an exit code."""

from __future__ import annotations

import contextlib
import functools
import io
import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from appliance.cli import exit_codes
from mercure.printable import json_text, printable

if TYPE_CHECKING:
    from pydantic import BaseModel

    from appliance.control.session import Session

DEFAULT_ROOT: Final = "var"
ROOT_VARIABLE: Final = "MERCURE_ROOT"
_ROOT_KEY: Final = "appliance.cli.root"
_JSON_KEY: Final = "appliance.cli.json"
_OUTPUT_KEY: Final = "appliance.cli.output"

F = TypeVar("F", bound=Callable[..., Any])


class Failure(click.ClickException):
    """An expected failure: printed as what happened and what to do, without a traceback.

    Parameters
    ----------
    text : str
        What happened, and where.
    advice : str
        What to do next.
    code : int
        The exit code.
    """

    def __init__(self, text: str, advice: str = "", code: int = exit_codes.FAILED) -> None:
        super().__init__(text)
        self.advice = advice
        self.exit_code = code  # type: ignore[misc] # click reads it from the instance

    def show(self, file: Any = None) -> None:  # noqa: ANN401 - click's signature
        """Print it to standard error."""
        for index, line in enumerate([*self.message.splitlines(), *([f"→ {self.advice}"] if self.advice else [])]):
            click.echo(f"{'mercure: ' if index == 0 else '  '}{printable(line)}", err=True)


def _remember(key: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    def remember(context: click.Context, parameter: click.Parameter, value: Any) -> None:  # noqa: ANN401
        if value not in (None, False):
            context.meta[key] = value

    return remember


def root_option(command: F) -> F:
    """Add ``--root``; the innermost one given counts, then MERCURE_ROOT, then ``var``."""
    return click.option(
        "--root",
        type=click.Path(path_type=Path, file_okay=False),
        expose_value=False,
        callback=_remember(_ROOT_KEY),
        help=f"Folder of the router.  [default: ${ROOT_VARIABLE}, else {DEFAULT_ROOT}]",
    )(command)


class JsonOption(click.Option):
    """``--json``, which knows what is printed."""

    documents: tuple[tuple[str | None, str], ...] = ()
    """For the reference page: the model that is printed as ``module:class``, after the key under which it is a list."""


def json_option(*models: str, **lists: str) -> Callable[[F], F]:
    """Add ``--json``.

    Parameters
    ----------
    *models : str
        The models of which one is printed, as ``module:class``.
    **lists : str
        Or the keys of one object, and the model of what is listed there.
    """

    def add(command: F) -> F:
        decorated: Any = click.option(
            "--json",
            "as_json",
            cls=JsonOption,
            is_flag=True,
            expose_value=False,
            callback=_remember(_JSON_KEY),
            help="Print one JSON document instead of text.",
        )(command)
        decorated.__click_params__[-1].documents = (*((None, model) for model in models), *lists.items())
        return click.option(  # type: ignore[no-any-return] # what it was, with two more parameters
            "-o",
            "--output",
            type=click.Choice(["table", "json", "csv"]),
            expose_value=False,
            callback=_remember(_OUTPUT_KEY),
            help="Print text, one JSON document, or the rows as CSV.",
        )(decorated)

    return add


def root_folder() -> Path:
    """Return the folder of the router that the command line names, absolute."""
    given = click.get_current_context().meta.get(_ROOT_KEY)
    return Path(given or os.environ.get(ROOT_VARIABLE) or DEFAULT_ROOT).absolute()


def open_session() -> Session:
    """Return the session of whoever calls at the router that the command line names."""
    from appliance.control.identity import caller  # noqa: PLC0415 - costs more than `--help` may take
    from appliance.control.session import Session  # noqa: PLC0415
    from mercure.config import Root  # noqa: PLC0415

    return Session(Root(root_folder()), caller())


def output_form() -> str:
    """Return how the result is wanted: ``table``, ``json`` or ``csv``."""
    meta = click.get_current_context().meta
    return str(meta.get(_OUTPUT_KEY) or ("json" if meta.get(_JSON_KEY) else "table"))


def watch_option(command: F) -> F:
    """Add ``--watch``: the list is shown anew every few seconds, until Ctrl-C."""

    @functools.wraps(command)
    def run(*args: Any, watch: float | None, **kwargs: Any) -> None:  # noqa: ANN401 - those of the command
        if watch is None:
            command(*args, **kwargs)
            return
        while True:
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed), contextlib.suppress(click.exceptions.Exit):
                command(*args, **kwargs)
            click.clear()
            click.echo(printed.getvalue(), nl=False)
            time.sleep(watch)

    option = click.option(
        "--watch", type=click.FloatRange(min=0.2), is_flag=False, flag_value=2.0, metavar="[SECONDS]",
        help="Show it anew every 2 seconds, or so many, until Ctrl-C.",
    )  # fmt: skip
    watched: Any = option(run)
    return watched  # type: ignore[no-any-return] # what it was, with one more parameter


def show(data: BaseModel | Mapping[str, Sequence[BaseModel]], lines: Callable[[], Iterable[str]]) -> None:
    """Print a result: as one JSON document where ``--json`` was given, else as lines of text.

    Parameters
    ----------
    data : BaseModel or mapping
        The result; a mapping is one JSON object with lists.
    lines : callable
        Makes the text.
    """
    form = output_form()
    if form == "json":
        click.echo(json_text(_plain(data), indent=1))
        return
    if form == "csv":
        from appliance.cli.text import csv_text  # noqa: PLC0415 - only when asked for

        click.echo(csv_text(_plain(data)), nl=False)
        return
    for line in lines():
        click.echo(line)


def _plain(data: BaseModel | Mapping[str, Sequence[BaseModel]]) -> object:
    if isinstance(data, Mapping):
        return {name: [item.model_dump(mode="json") for item in items] for name, items in data.items()}
    return data.model_dump(mode="json")


def narrate(text: str) -> None:
    """Tell a person what is going on, on standard error."""
    click.echo(printable(text), err=True)


def end_with(code: int) -> None:
    """End the command with an exit code; nothing more is printed."""
    if code:
        click.get_current_context().exit(code)


def program() -> str:
    """Return how this command was called, for advice that can be copied."""
    called = Path(sys.argv[0])
    on_path = any(Path(folder, called.name).exists() for folder in os.get_exec_path())
    return called.name if on_path and called.name == "mercure" else str(called)
