"""From the command line to the first screen."""

from __future__ import annotations

import argparse
import gc
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tui.themes import CHOICES, background, chosen

if TYPE_CHECKING:
    from tui.router_client import RouterProtocol

NOT_RUNNING: Final = 3
NO_TERMINAL: Final = 2
WAIT_SECONDS: Final = 10.0
_PAUSE: Final = 0.1


def parser() -> argparse.ArgumentParser:
    """Return the options of ``mercure-tui``."""
    made = argparse.ArgumentParser(prog="mercure-tui", description="Administer the mercure router of a folder.")
    made.add_argument(
        "--root",
        type=Path,
        default=Path(os.environ.get("MERCURE_ROOT") or "var"),
        help="the folder of the router (MERCURE_ROOT; default: var)",
    )
    made.add_argument(
        "--background",
        choices=("dark", "light"),
        default=background(os.environ.get("COLORFGBG", "")),
        help="of the terminal; told by COLORFGBG where it is set, else dark. NO_COLOR=1 leaves colours out",
    )
    made.add_argument(
        "--theme",
        choices=CHOICES,
        default=os.environ.get("MERCURE_TUI_THEME") or "auto",
        help="the colours (MERCURE_TUI_THEME; default: auto, true colour where COLORTERM tells of it, else the "
        "terminal's 16); F2 takes the next",
    )
    made.add_argument(
        "--wait",
        type=float,
        default=WAIT_SECONDS,
        metavar="SECONDS",
        help=f"how long to wait for a router that is just being started (default: {WAIT_SECONDS:g})",
    )
    return made


def start(arguments: list[str] | None = None) -> None:
    """Run the UI; without a router or a terminal, say so and end."""
    options = parser().parse_args(arguments)
    root: Path = options.root
    if not (sys.stdin.isatty() and sys.stdout.isatty() and sys.stderr.isatty()):  # Textual draws on the third
        _end(NO_TERMINAL, "mercure-tui needs a terminal; for scripts there is `mercure … --json`")
    gc.disable()  # nothing of what is imported goes again: looking for it takes a sixth of the start
    from appliance.control.rpc.client import ControlError  # noqa: PLC0415 - not for --help
    from tui.router_client import RouterClient  # noqa: PLC0415

    link = RouterClient(root)
    try:
        await_router(link, options.wait)
    except ControlError as error:
        advice = f"start it: mercure run --root {root}" if error.kind == "not-running" else error.advice
        _end(NOT_RUNNING, f"mercure-tui: {error.text}\n{advice}")
    except KeyboardInterrupt:
        _end(NOT_RUNNING, "")
    # Where they are set, they count for the size at every resize (shutil.get_terminal_size), and it would never change.
    for name in ("COLUMNS", "LINES"):
        os.environ.pop(name, None)
    from tui.app import MercureApp  # noqa: PLC0415 - Textual is half of the time that the start takes

    gc.freeze()  # what was imported stays: no need to look through it again and again
    gc.enable()
    theme = chosen(options.theme, options.background, os.environ)
    app = MercureApp(link, theme=theme, plain=os.environ.get("TERM") == "linux")
    app.run()
    raise SystemExit(app.return_code or 0)


def await_router(
    link: RouterProtocol,
    seconds: float,
    *,
    now: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Return when the router answers; one that is just being started has some seconds to do so.

    Raises
    ------
    ControlError
        It does not answer in time, or refuses.
    """
    from appliance.control.rpc.client import ControlError, Nothing, api  # noqa: PLC0415 - not for --help

    end = now() + seconds
    told = False
    while True:
        try:
            link.call(api.status.WHO_AM_I, Nothing())
        except ControlError as error:
            if error.kind != "not-running" or now() >= end:
                raise
            if not told:
                sys.stderr.write(f"mercure-tui: {error.text}: waiting for it (Ctrl-C ends)\n")
                told = True
            sleep(_PAUSE)
        else:
            return


def _end(code: int, text: str) -> None:
    sys.stderr.write(text + "\n")
    raise SystemExit(code)
