"""A running ``mercure-storescp``, and what it made of its spool."""

from __future__ import annotations

import json
import signal
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from mercure.seal import MEMBER, is_intact
from tests.support.binaries import tool
from tests.support.data_sets import data_set_of
from tests.support.polling import eventually
from tests.support.processes import Running, running
from tests.support.procfs import group_members

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

Event = dict[str, Any]


@dataclass(frozen=True)
class Receiver:
    """The program, its port, its configuration file and its spool."""

    port: int
    spool: Path
    config: Path
    program: Running

    def log(self) -> list[dict[str, Any]]:
        """Return the log lines; every line must be a JSON object."""
        lines = [json.loads(line) for line in self.program.output().splitlines()]
        assert all(isinstance(line, dict) for line in lines)
        return lines

    def events(self, *types: str) -> list[Event]:
        """Return the events of some types (all when none is named), in the order in which they happened."""
        return read_events(self.spool, *types)

    def event(self, kind: str, *, count: int = 1) -> Event:
        """Wait for the n-th event of a type and return it."""
        what = f"event {kind} number {count}"
        return eventually(lambda: self.events(kind)[count - 1 : count], seconds=30, what=what)[0]

    def images(self) -> list[Path]:
        """Return the image files in ``incoming``."""
        return sorted((self.spool / "incoming").glob("*/*.dcm"))

    def data_sets(self) -> list[bytes]:
        """Return the data sets of all images in ``incoming``."""
        return [data_set_of(path.read_bytes()) for path in self.images()]

    def parts(self) -> list[Path]:
        """Return what is in ``receiving``: folders and parts."""
        return sorted((self.spool / "receiving").rglob("*"))

    def quarantined(self) -> list[Path]:
        """Return the entries of ``quarantine``, hidden ones too."""
        return sorted((self.spool / "quarantine").iterdir())

    def tag_lines(self) -> list[dict[str, Any]]:
        """Return the tag lines of all series in ``incoming``."""
        files = sorted((self.spool / "incoming").glob("*/*.jsonl"))
        lines = [line for file in files for line in file.read_bytes().splitlines()]
        assert all(is_intact(line) and MEMBER.encode() in line for line in lines)
        return [{key: value for key, value in json.loads(line).items() if key != MEMBER} for line in lines]

    def children(self) -> list[int]:
        """Return the processes of associations that are open."""
        return [pid for pid in group_members(self.program.pid) if pid != self.program.pid]

    def until_idle(self) -> None:
        """Wait until no association is open, and all is told of them."""
        eventually(self.is_idle, what="no association is open")

    def is_idle(self) -> bool:
        """Tell whether no association is open, and nothing of one is left."""
        return not self.children() and not self.parts()

    def configure(self, **settings: Any) -> None:
        """Change settings in the configuration file and send HUP."""
        content = json.loads(self.config.read_text())
        self.config.write_text(json.dumps({**content, **settings}))
        self.program.signal(signal.SIGHUP)


def read_events(spool: Path, *types: str) -> list[Event]:
    """Return the events in an outbox, in the order in which they happened; a torn last line is passed over."""
    found = []
    for file in (spool / "outbox").glob("*.jsonl"):
        for line in file.read_bytes().splitlines(keepends=True):
            if line.endswith(b"\n"):
                found.append(json.loads(line))
    return sorted((event for event in found if not types or event["type"] in types), key=lambda event: str(event["id"]))


def write_config(folder: Path, **settings: Any) -> Path:
    """Write a configuration for tests into a folder, and make the folder of its spool."""
    spool = folder / "spool"
    spool.mkdir(parents=True, exist_ok=True)
    content = {
        "spool": str(spool),
        "bind": "127.0.0.1",
        "port": 0,
        "min_free_bytes": 0,
        "log_level": "debug",
        **settings,
    }
    path = folder / "receiver.json"
    path.write_text(json.dumps(content))
    return path


@contextmanager
def receiver(
    folder: Path,
    *,
    env: Mapping[str, str] | None = None,
    prefix: tuple[str | Path, ...] = (),
    program: str = "mercure-storescp",
    **settings: Any,
) -> Iterator[Receiver]:
    """Run ``mercure-storescp`` for the length of a block; it listens when the block begins.

    Parameters
    ----------
    folder
        Where configuration and spool are, or are made.
    env
        Variables for it: ``MERCURE_FAULT``, say.
    prefix
        Put before the command.
    program
        Below the build folder: another receiver than ours.
    settings
        Keys of the configuration; the rest is for tests: a free port on loopback, no free-space floor.
    """
    config = write_config(folder, **settings)
    command = [*prefix, tool(program), "--config", config]
    with running(command, ready=_port, env=env) as started:
        yield Receiver(_port(started), folder / "spool", config, started)


def _port(program: Running) -> int:
    for line in program.output().splitlines():
        entry = json.loads(line)
        if entry["message"] == "listening":
            return int(entry["port"])
    return 0


class StartReceiver(Protocol):
    """The type of the ``start_receiver`` fixture."""

    def __call__(
        self, *, env: Mapping[str, str] | None = None, folder: Path | None = None, **settings: Any
    ) -> Receiver: ...


@contextmanager
def receivers(usual: Path) -> Iterator[StartReceiver]:
    """Give a function that starts a receiver with settings, in the usual folder or another one; all end with it."""
    with ExitStack() as stack:

        def start(*, env: Mapping[str, str] | None = None, folder: Path | None = None, **settings: Any) -> Receiver:
            return stack.enter_context(receiver(folder or usual, env=env, **settings))

        yield start
