"""``mercure config edit``: a private copy in the person's editor, checked, shown, saved under the person's name."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from appliance.cli import exit_codes
from appliance.cli.changes import confirm, problem_lines, saved_lines, told_what_others_changed
from appliance.cli.common import Failure, narrate, show
from appliance.cli.requests import ask

if TYPE_CHECKING:
    from appliance.control.api.configuration import FileName, FileState

_EDITORS: Final = ("VISUAL", "EDITOR")
_USUAL: Final = ("sensible-editor", "vi", "nano")


def edit_file(name: FileName, *, yes: bool, comment: str) -> None:
    """Edit a configuration file as a whole.

    Raises
    ------
    Failure
        There is no editor, it failed, or the person gave up; what was written is kept, and the message says where.
    ControlError
        Somebody else saved meanwhile.
    """
    from appliance.control import api  # noqa: PLC0415 - as in all commands
    from appliance.control.configuration.files import pretty  # noqa: PLC0415

    shown = ask(api.configuration.SHOW)
    state = shown.mercure if name == "mercure" else shown.services
    for line in problem_lines(state.problems):
        narrate(f"{name}.json cannot be used as it is: {line}")
    if state.problems:
        narrate(f"what you edit is revision {state.revision}, the last one that can be used")
    path = Path(tempfile.mkdtemp(prefix="mercure-edit-")) / f"{name}.json"
    begun = pretty(state.content) + "\n"
    path.write_text(begun, encoding="utf-8")
    try:
        _edit_until_saved(name, path, begun, state, yes=yes, comment=comment)
    except BaseException:
        if path.exists() and path.read_bytes() != begun.encode():
            narrate(f"nothing is saved; what you wrote is kept in {path}")
        else:
            shutil.rmtree(path.parent, ignore_errors=True)
        raise
    shutil.rmtree(path.parent, ignore_errors=True)


def _edit_until_saved(name: FileName, path: Path, begun: str, state: FileState, *, yes: bool, comment: str) -> None:
    from appliance.control import api  # noqa: PLC0415
    from appliance.control.errors import ControlError  # noqa: PLC0415

    while True:
        _run_editor(path)
        if not path.exists() or path.read_bytes() == begun.encode():
            narrate("nothing is changed")
            return
        try:
            wanted: dict[str, Any] = {
                "file": name, "content": _content(path), "edited_from": state.revision, "comment": comment,
                "by_hand": state.by_hand and not state.problems,
            }  # fmt: skip
            foreseen = ask(api.configuration.SAVE, api.configuration.SaveConfig(**wanted, check_only=True))
        except ControlError as error:
            if error.kind != "invalid":
                raise
            for line in problem_lines(error.problems) if error.problems else [str(error)]:
                narrate(f"cannot be saved: {line}")
            click.confirm("Edit again?", default=True, abort=True, err=True)
            continue
        if not foreseen.difference:
            narrate("nothing is changed")
            return
        with told_what_others_changed():
            confirm(foreseen, yes=yes)
            saved = ask(api.configuration.SAVE, api.configuration.SaveConfig(**wanted))
        show(saved, partial(saved_lines, saved))
        return


def _content(path: Path) -> dict[str, Any]:
    """Read what the editor wrote: all of it must be JSON, so half a file is none."""
    from appliance.control.configuration.files import content_of_text  # noqa: PLC0415

    return content_of_text(path.read_bytes(), path.name)


def _run_editor(path: Path) -> None:
    command = shlex.split(next((os.environ[name] for name in _EDITORS if os.environ.get(name)), ""))
    if not command:
        command = [next((found for found in map(shutil.which, _USUAL) if found), "")]
    if not command[0]:
        raise Failure("there is no editor", "set $EDITOR, as in: EDITOR=nano mercure config edit", exit_codes.USAGE)
    try:
        done = subprocess.run([*command, str(path)], check=False)
    except OSError as error:
        raise Failure(f"{command[0]} cannot be started: {error.strerror}", "set $EDITOR") from error
    if done.returncode != 0:
        raise Failure(f"{command[0]} ended with code {done.returncode}", "nothing was changed")
