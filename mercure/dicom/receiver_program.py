"""The program ``mercure-storescp``: its settings, and reading an object of the quarantine again."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from mercure.config import Config
from mercure.dicom.tools import tool_path
from mercure.model import Record

LONGEST_SECONDS: Final = 3600.0
_NOT_FOR_THE_PROGRAM: Final = {"comment", "completion", "contact", "port", "silence"}
"""Of a sender: what is for people, where it is asked back, and what counts when its images are here."""


class ReadAgainError(Exception):
    """An object of the quarantine was not read again: the disk refused, or it ended the program."""


class ReadAgain(Record):
    """What came of reading an object again: where it is in ``incoming/`` now, or why it still cannot be read."""

    read: bool
    reason: str = ""
    folder: str = ""
    file: str = ""
    repetition: bool = False


def receiver_settings(config: Config, spool: Path) -> dict[str, Any]:
    """Translate the configuration for ``mercure-storescp`` (``docs/reference/mercure-storescp.1.md``)."""
    senders = [
        {"name": name, **sender.model_dump(mode="json", exclude_none=True, exclude=_NOT_FOR_THE_PROGRAM)}
        for name, sender in config.senders.items()
    ]
    return {"spool": str(spool), **config.receiver.model_dump(mode="json"), "senders": senders}


def read_again(config: Config, spool: Path, entry: str) -> ReadAgain:
    """Read an object of the quarantine again; one that can be read now is an image in ``incoming/``.

    The entry stays: who calls this holds its claim, and removes it.

    Parameters
    ----------
    config : Config
        What senders and texts are taken for.
    spool : Path
        The root of the spool.
    entry : str
        Name of the entry.

    Raises
    ------
    ReadAgainError
        It was not read to its end, and nothing is known of it.
    mercure.dicom.tools.ToolMissingError
        The program is not installed.
    """
    command = [str(tool_path("mercure-storescp")), "--read-again", entry, "--config", "/dev/stdin"]
    settings = json.dumps(receiver_settings(config, spool)).encode()
    try:
        done = subprocess.run(command, input=settings, capture_output=True, timeout=LONGEST_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise ReadAgainError(f"reading took longer than {LONGEST_SECONDS:.0f} s and was ended") from error
    try:
        return ReadAgain.model_validate_json(done.stdout)
    except ValidationError as error:
        raise ReadAgainError(_problem(done)) from error


def _problem(done: subprocess.CompletedProcess[bytes]) -> str:
    """Say why a call printed no answer: the last line of its log, or how it ended."""
    try:
        told = json.loads(done.stderr.splitlines()[-1])["reason"]
    except (ValueError, LookupError, TypeError):
        told = ""
    ended = f"signal {-done.returncode}" if done.returncode < 0 else f"code {done.returncode}"
    return str(told) or f"its reader ended with {ended}"
