"""Write ``docs/reference/mercure.1`` and ``mercure-tui.1`` from the tables of both programs: ``make docs``.

A test fails when a page is behind. The form is man(7); ``man ./mercure.1`` shows it.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click

from appliance.cli.app import mercure
from appliance.cli.exit_codes import MEANING
from appliance.control.roles import GROUPS
from tui.actions import ACTIONS, EVERYWHERE, PAGES
from tui.start import parser

FOLDER: Final = Path(__file__).resolve().parents[1] / "docs" / "reference"


_ESCAPES: Final = str.maketrans({"\\": "\\e", "-": "\\-", "'": "\\(aq", "^": "\\(ha", "~": "\\(ti"})
"""What roff would change into typographic characters, which no shell takes."""


def text(words: str) -> str:
    """Write words so that roff takes none of them for a request or an escape."""
    plain = words.replace("`", "").translate(_ESCAPES)
    return "\n".join(f"\\&{line}" if line.startswith(".") else line for line in plain.splitlines())


def _head(name: str, about: str) -> Iterator[str]:
    yield f'.TH {name.upper()} 1 "" "mercure" "Router for DICOM images"'
    yield '.\\" Made by `make docs`; a test compares the two.'
    yield ".SH NAME"
    yield f"{text(name)} \\- {text(about)}"


def _item(title: str, *lines: str) -> Iterator[str]:
    yield ".TP"
    yield f".B {text(title)}"
    yield from (text(line) for line in lines if line)


def _paragraphs(help_text: str) -> Iterator[str]:
    """Write the help of a command; what click is told not to wrap (after a backspace) is kept as it is."""
    for number, paragraph in enumerate(re.split(r"\n\s*\n", inspect.cleandoc(help_text))):
        kept = paragraph.startswith("\b")
        if number:
            yield ".PP"
        if kept:
            yield from (".nf", text(paragraph.removeprefix("\b\n")), ".fi")
        else:
            yield text(paragraph)


def mercure_page() -> str:
    """Return the manual of the command."""
    context = click.Context(mercure, info_name="mercure")
    lines = [*_head("mercure", "route DICOM images, and lose none"), ".SH SYNOPSIS", ".B mercure"]
    lines += ["[\\-\\-root \\fIFOLDER\\fR] \\fICOMMAND\\fR [\\fIARGUMENTS\\fR]", ".SH DESCRIPTION"]
    lines += [*_paragraphs(mercure.help or ""), ".SH COMMANDS", *_commands(mercure, context)]
    lines += [".SH ENVIRONMENT", *_item("MERCURE_ROOT", "The folder of the router, where --root does not name one.")]
    lines += _item("COLUMNS", "The width of tables, where the output is no terminal.")
    lines += [".SH EXIT STATUS"]
    for code, meaning in MEANING.items():
        lines += _item(str(code), f"{meaning}.")
    lines += ["status, selftest and verify give their codes a meaning of their own.", ".SH FILES"]
    lines += _item("run/control.sock", "The control service of a running router, which the command asks.")
    lines += _item("config/mercure.json", "The configuration; config/revisions/ holds every saved state.")
    lines += [".SH SEE ALSO", ".BR mercure\\-tui (1),", ".BR mercure\\-storescp (1)"]
    return "\n".join(lines) + "\n"


def _commands(group: click.Group, context: click.Context) -> Iterator[str]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is None or command.hidden:
            continue
        inner = click.Context(command, info_name=name, parent=context)
        yield f".SS {text(' '.join([inner.command_path, *command.collect_usage_pieces(inner)]))}"
        yield from _paragraphs(command.help or command.short_help or "")
        for parameter in command.params:
            record = parameter.get_help_record(inner)
            if record is not None:
                yield from _item(record[0], " ".join(record[1].split()))
        if isinstance(command, click.Group):
            yield from _commands(command, inner)


def tui_page() -> str:
    """Return the manual of the terminal UI."""
    lines = [*_head("mercure-tui", "administer a mercure router in a terminal"), ".SH SYNOPSIS", ".B mercure\\-tui"]
    lines += ["[\\-\\-root \\fIFOLDER\\fR]", ".SH DESCRIPTION"]
    about = (
        "Shows the router and changes it, by the control service. The keyboard is enough, and so are 80 by 24 cells."
    )
    lines += [text(about), ".PP", text("The number of a screen opens it, : takes its name, ? shows all keys.")]
    lines += [".SH OPTIONS"]
    for action in parser()._actions:
        lines += _item(", ".join(action.option_strings), str(action.help or ""))
    lines += [".SH SCREENS"]
    for page in PAGES:
        lines += _item(f"{page.key}  {page.title}", page.text)
    lines += [".SH KEYS"]
    for place in sorted({action.page for action in ACTIONS}, key=lambda name: (name != EVERYWHERE, name)):
        lines += [f".SS {text(place.capitalize() or 'Everywhere')}"]
        for action in ACTIONS:
            if action.page == place:
                needs = f" Needs {action.verb}." if action.verb else ""
                lines += _item(f"{action.key_text}  :{action.name}", f"{action.text}{needs}")
    lines += [".SH ROLES"]
    for role, group in GROUPS.items():
        if role == "page":
            continue  # no person has it
        lines += _item(role, f"Members of the Unix group {group}, and of those above it.")
    lines += [".SH SEE ALSO", ".BR mercure (1)"]
    return "\n".join(lines) + "\n"


PAGES_MADE: Final = {"mercure.1": mercure_page, "mercure-tui.1": tui_page}
"""The files in `FOLDER`, and what makes each."""


def main() -> None:
    """Write the pages."""
    for name, page in PAGES_MADE.items():
        (FOLDER / name).write_text(page(), encoding="utf-8")
        sys.stdout.write(f"{name} is written\n")


if __name__ == "__main__":
    main()
