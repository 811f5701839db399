"""All commands, by their words."""

from __future__ import annotations

from collections.abc import Iterator

import click

from appliance.cli.app import mercure


def commands(
    command: click.Command = mercure, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    if not isinstance(command, click.Group):
        yield path, command
        return
    for name in command.list_commands(click.Context(command)):
        child = command.get_command(click.Context(command), name)
        assert child is not None
        yield from commands(child, (*path, name))


EVERY_COMMAND = dict(commands())
