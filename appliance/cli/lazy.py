"""Command groups that import a command only when it is used: `mercure --help` must not load the history's database."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import click


class OrderedGroup(click.Group):
    """A group that lists its commands in the order in which they were written."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """List the commands in their order."""
        return list(self.commands)


class LazyGroup(click.Group):
    """A group whose commands live in modules of their own.

    Parameters
    ----------
    commands_in : mapping of str to (str, str)
        For each command, in the order of the help: ``module:attribute`` and one line of help.
    """

    def __init__(self, *args: Any, commands_in: Mapping[str, tuple[str, str]], **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(*args, **kwargs)
        self._commands_in = commands_in

    def list_commands(self, ctx: click.Context) -> list[str]:
        """List the commands in the order of the table."""
        return list(self._commands_in)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command."""
        if cmd_name not in self._commands_in:
            return None
        module, _, attribute = self._commands_in[cmd_name][0].partition(":")
        command = getattr(importlib.import_module(module), attribute)
        return command if isinstance(command, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands from the table, importing none."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, help) for name, (_, help) in self._commands_in.items()])
