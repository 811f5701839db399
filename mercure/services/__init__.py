"""The supervised programs, one file each; they never import each other: they meet in the spool."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

_RUN: Final = {
    "receiver": ("mercure.services.receiver", "Launcher"),
    "router": ("mercure.services.router", "Router"),
    "processor": ("mercure.services.processor", "Processor"),
    "dispatcher": ("mercure.services.dispatcher", "Dispatcher"),
    "cleaner": ("mercure.services.cleaner", "Cleaner"),
    "notifier": ("mercure.services.notifier", "Notifier"),
    "bookkeeper": ("mercure.services.bookkeeper", "Bookkeeper"),
}
"""Module and class of each service; imported only when run, so that none pays for the others' libraries."""

NAMES: Final = tuple(_RUN)
"""Every service, in the order in which they are started."""

RELIEVES: Final = "MERCURE_RELIEVES"
"""Environment variable of a router that took over from the release before: the processes of that release's receiver,
which still have the port. `appliance.supervision.handover` sets it, and the receiver asks them to end."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the service that the command line names, until it is asked to stop."""
    parser = argparse.ArgumentParser(prog="python -m mercure.services", description=__doc__)
    parser.add_argument("name", choices=NAMES)
    parser.add_argument("--root", type=Path, required=True, help="folder of the router (MERCURE_ROOT)")
    options = parser.parse_args(arguments)
    from mercure.services.common import Context, log_to_stderr, serve  # noqa: PLC0415 - after the arguments are checked

    log_to_stderr()
    module, service = _RUN[options.name]
    serve(Context(options.root, options.name), getattr(importlib.import_module(module), service))
