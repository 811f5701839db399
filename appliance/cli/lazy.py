"""Command groups that import a command only when it is used: `mercure --help` must not load the history's database."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
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
    headings : mapping of str to sequence of str
        Under which heading of the help each command stands.
    """

    def __init__(
        self,
        *args: Any,  # noqa: ANN401 - click's
        commands_in: Mapping[str, tuple[str, str]],
        headings: Mapping[str, Sequence[str]],
        **kwargs: Any,  # noqa: ANN401 - click's
    ) -> None:
        super().__init__(*args, **kwargs)
        self._commands_in = commands_in
        self._headings = headings

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

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; say what may be meant where there is none. Click knows only what is imported."""
        try:
            return super().resolve_command(ctx, args)
        except click.exceptions.NoSuchCommand as error:
            raise click.exceptions.NoSuchCommand(args[0], possibilities=self._commands_in, ctx=ctx) from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands from the table, importing none."""
        widest = max(map(len, self._commands_in))
        for heading, names in self._headings.items():
            with formatter.section(heading):
                formatter.write_dl([(name.ljust(widest), self._commands_in[name][1]) for name in names])
