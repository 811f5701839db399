"""The same verbs for targets, rules, senders, channels and modules: one table, and no noun has its own."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import click

from appliance.cli import shell_completion
from appliance.cli.assignments import texts_of
from appliance.cli.changes import comment_option, save_change, yes_option
from appliance.cli.common import json_option, root_option

if TYPE_CHECKING:
    from appliance.control.api.configuration import EntryVerb, Table

    Decorate = Callable[[Any], Any]


@dataclass(frozen=True)
class _Command:
    """A verb.

    Parameters
    ----------
    text : str
        Its help; ``{one}`` is what an entry is called, ``{all}`` the table.
    takes : str
        What follows the name: ``settings``, ``to``, ``names`` instead of a name, or nothing.
    asks : bool
        It asks a person at a terminal.
    """

    text: str
    takes: str = ""
    asks: bool = False


_RENAME: Final = """Rename a {one}, wherever it is named.

Waiting tasks get the new name, too. Those that are being worked on are named: repeat the
command when they have ended."""

_COMMANDS: Final[dict[EntryVerb, _Command]] = {
    "add": _Command("Add a {one}.\n\nA VALUE is typed as in `mercure config set`.", "settings"),
    "set": _Command("Change settings of a {one}; `KEY=` brings the default back.", "settings"),
    "rename": _Command(_RENAME, "to", asks=True),
    "copy": _Command("Add a copy of a {one} under another name.", "to"),
    "remove": _Command("Remove a {one}; what names it must be changed before.", asks=True),
    "enable": _Command("Enable a {one}."),
    "disable": _Command("Disable a {one}; its settings stay."),
    "order": _Command("Put the {all} into an order: name all of them.", "names"),
}

_EXAMPLES: Final[dict[Table, dict[str, str]]] = {
    "targets": {
        "add": "mercure targets add pacs kind=dicom host=10.20.0.9 port=104 called_aet=PACS",
        "set": "mercure targets set pacs retry.cap_seconds=5m concurrency=4",
        "rename": "mercure targets rename pacs archive",
    },
    "rules": {
        "add": "mercure rules add mr \"rule=tags.Modality == 'MR'\" targets=pacs,research",
        "set": "mercure rules set mr priority=offpeak",
        "order": "mercure rules order mr everything",
    },
    "senders": {
        "add": "mercure senders add ct1 'ae_titles=CT ONE,CT_ONE' addresses=10.0.3.17",
        "set": "mercure senders set ct1 max_associations=4",
    },
    "channels": {
        "add": "mercure channels add it kind=email host=mail sender=a@h.org recipients=b@h.org",
        "set": "mercure channels set it username=router password=file:/etc/mercure/mail.key",
    },
    "modules": {
        "add": "mercure modules add measure runner=command image=/opt/measure settings=depth=3",
        "set": "mercure modules set measure memory_bytes=2GB settings.depth=4",
    },
}


def add_entry_commands(group: click.Group, table: Table, *, but: Iterable[str] = ()) -> None:
    """Add the verbs to the group of a noun, but for those that it has of its own."""
    for verb in _COMMANDS:
        if verb not in set(but):
            _add(group, table, verb)


def _add(group: click.Group, table: Table, verb: EntryVerb) -> None:
    command, one = _COMMANDS[verb], table.removesuffix("s")
    text = command.text.format(one=one, all=table)
    if (table, verb) == ("rules", "set"):
        text = "Change settings of a rule, or add one at the end; `KEY=` brings the default back."
    example = _EXAMPLES[table].get(verb, "")
    whole = f"{text}\n\n\b\n{example}" if example else text

    def run(yes: bool, comment: str, name: str = "", **given: Any) -> None:  # noqa: ANN401 - by `takes`
        _change(table, verb, {"name": name, "comment": comment, **_request(given)}, yes=yes)

    decorated: Any = run
    for decorate in reversed([*_arguments(table, command.takes), yes_option, comment_option, root_option,
                              json_option("appliance.control.api.base:Saved")]):  # fmt: skip
        decorated = decorate(decorated)
    group.command(verb, help=whole, short_help=text.partition("\n")[0])(decorated)


def _arguments(table: Table, takes: str) -> list[Decorate]:
    one = table.removesuffix("s").upper()
    complete = getattr(shell_completion, table)
    if takes == "names":
        return [click.argument("names", nargs=-1, required=True, metavar=f"{one}...", shell_complete=complete)]
    name = click.argument("name", metavar=one, shell_complete=complete)
    further: dict[str, Decorate] = {
        "settings": click.argument("settings", nargs=-1, required=True, metavar="KEY=VALUE..."),
        "to": click.argument("to", metavar="NEW_NAME"),
    }
    return [name, *([further[takes]] if takes else [])]


def _request(given: dict[str, Any]) -> dict[str, Any]:
    return {key: texts_of(value) if key == "settings" else value for key, value in given.items()}


def _change(table: Table, verb: EntryVerb, wanted: dict[str, Any], *, yes: bool) -> None:
    from appliance.control import api  # noqa: PLC0415 - as in all commands

    save_change(
        api.configuration.ENTRY,
        lambda revision, check_only: api.configuration.ChangeEntry.model_validate(
            {**wanted, "table": table, "verb": verb, "edited_from": revision, "check_only": check_only}
        ),
        ask=_COMMANDS[verb].asks and not yes and sys.stdin.isatty(),
        always=verb == "rename",
    )
