"""From the command line to the first screen."""

from __future__ import annotations

import argparse
import gc
import os
import sys
from pathlib import Path
from typing import Final

NOT_RUNNING: Final = 3
NO_TERMINAL: Final = 2


def parser() -> argparse.ArgumentParser:
    """Return the options of ``mercure-tui``."""
    made = argparse.ArgumentParser(prog="mercure-tui", description="Administer the mercure router of a folder.")
    made.add_argument(
        "--root",
        type=Path,
        default=Path(os.environ.get("MERCURE_ROOT") or "var"),
        help="the folder of the router (MERCURE_ROOT; default: var)",
    )
    return made


def start(arguments: list[str] | None = None) -> None:
    """Run the UI; without a router or a terminal, say so and end."""
    root: Path = parser().parse_args(arguments).root
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        _end(NO_TERMINAL, "mercure-tui needs a terminal; for scripts there is `mercure … --json`")
    from appliance.control.client import ControlError, Nothing, api  # noqa: PLC0415 - not for --help
    from tui.link import Link  # noqa: PLC0415

    link = Link(root)
    try:
        link.call(api.status.WHO_AM_I, Nothing())
    except ControlError as error:
        advice = f"start it: mercure run --root {root}" if error.kind == "not-running" else error.advice
        _end(NOT_RUNNING, f"mercure-tui: {error.text}\n{advice}")
    from tui.app import MercureApp  # noqa: PLC0415 - Textual is half of the time that the start takes

    gc.freeze()  # what was imported stays: no need to look through it again and again
    MercureApp(link).run()


def _end(code: int, text: str) -> None:
    sys.stderr.write(text + "\n")
    raise SystemExit(code)
