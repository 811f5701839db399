"""Runs mercure-storescu and gives what it tells."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any

from tests.support.binaries import tool

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

ACCEPT_ALL = ("--bit-preserving", "--accept-all", "--promiscuous")
"""Options of a storescp that takes whatever is sent."""


@dataclass
class Sent:
    """What a run told: a line for each file, and the summary."""

    code: int = -1
    results: list[dict[str, Any]] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)
    error: dict[str, str] | None = None
    messages: str = ""

    @property
    def outcomes(self) -> Counter[str]:
        """How many images have each outcome."""
        return Counter(str(result["outcome"]) for result in self.results)

    def by_name(self) -> dict[str, dict[str, Any]]:
        """Return the results by the last part of the path."""
        return {str(result["file"]).rpartition("/")[2]: result for result in self.results}

    def add(self, line: str) -> None:
        """Take in one line of standard output."""
        told = json.loads(line)
        if "summary" in told:
            assert not self.summary, "two summaries"
            self.summary, self.error = told["summary"], told["error"]
        else:
            assert not self.summary, "a result after the summary"
            self.results.append(told)


def command(port: int, *options: str, host: str = "127.0.0.1") -> list[str]:
    """Return the command line for a target."""
    return [str(tool("mercure-storescu")), "--host", host, "--port", str(port), *options]


def listing(files: Iterable[Path | str]) -> bytes:
    """Return the list of files as the sender reads it."""
    return "".join(f"{file}\n" for file in files).encode()


def send(port: int, files: Iterable[Path | str], *options: str, host: str = "127.0.0.1", seconds: float = 60.0) -> Sent:
    """Send files and wait for the end."""
    result = subprocess.run(
        command(port, *options, host=host), input=listing(files), capture_output=True, timeout=seconds, check=False
    )
    sent = Sent(code=result.returncode, messages=result.stderr.decode())
    for line in result.stdout.decode().splitlines():
        sent.add(line)
    return sent


@dataclass
class Sending:
    """A run that has not ended."""

    program: subprocess.Popen[bytes]
    sent: Sent

    def read_result(self) -> dict[str, Any]:
        """Wait for the next line of a file."""
        self.sent.add(self._output.readline().decode())
        return self.sent.results[-1]

    def finish(self, *, seconds: float = 30.0) -> Sent:
        """Wait for the end and read the rest."""
        for line in self._output.read().decode().splitlines():
            self.sent.add(line)
        self.sent.code = self.program.wait(seconds)
        return self.sent

    @property
    def _output(self) -> IO[bytes]:
        assert self.program.stdout is not None
        return self.program.stdout


@contextmanager
def sending(port: int, files: Iterable[Path | str], *options: str) -> Iterator[Sending]:
    """Start sending; what is still running at the end of the block is killed."""
    with subprocess.Popen(command(port, *options), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as program:
        try:
            assert program.stdin is not None
            program.stdin.write(listing(files))
            program.stdin.close()
            yield Sending(program, Sent())
        finally:
            program.kill()
