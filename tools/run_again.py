"""``python3 tools/run_again.py COMMAND…``: run pytest or ctest, and what failed once more, alone.

What passes then is listed in a line ``FLAKY test`` each; what fails again fails the run. ``.ci/run`` calls the runners
so. A run that did not come to its end, that could not read its tests, or in which more than 40 failed is not repeated:
that is no chance.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Protocol

MOST = 40


class Runner(Protocol):
    """What is asked of a test runner."""

    code_of_failures: int
    """The exit code of a run that came to its end, in which tests failed."""

    def forget(self) -> None:
        """Forget the failures of earlier runs."""

    def failures(self) -> list[str]:
        """Return what failed in the last run."""

    def again(self, command: list[str]) -> int:
        """Run what failed in the last run, one after the other; return the exit code."""


class Pytest:
    """It keeps what failed in its cache, for ``--last-failed``; with xdist, too."""

    code_of_failures = 1
    cache = Path(".pytest_cache/v/cache/lastfailed")

    def forget(self) -> None:
        """Forget the failures of earlier runs."""
        self.cache.unlink(missing_ok=True)

    def failures(self) -> list[str]:
        """Return the node ids of what failed at set-up, call or tear-down, and of what took its worker along.

        None, where a file could not be collected: nobody knows then which tests did not run.
        """
        failed = list(json.loads(self.cache.read_text())) if self.cache.exists() else []
        return failed if all("::" in name for name in failed) else []

    def again(self, command: list[str]) -> int:
        """Run it in one process, without workers. A test that is skipped now has not passed."""
        with tempfile.TemporaryDirectory() as folder:
            report = Path(folder) / "report.xml"
            code = run(
                [*command, "-n", "0", "--last-failed", "--last-failed-no-failures=none", f"--junit-xml={report}"]
            )
            if code == 0 and _skipped(report):
                sys.stdout.write("run again: what failed was skipped then, which is no success\n")
                return 1
        return code


class Ctest:
    """It keeps what failed in a file of the build, for ``--rerun-failed``."""

    code_of_failures = 8

    def __init__(self, command: list[str]) -> None:
        self._log = Path(command[command.index("--test-dir") + 1]) / "Testing/Temporary/LastTestsFailed.log"

    def forget(self) -> None:
        """Forget the failures of earlier runs."""
        self._log.unlink(missing_ok=True)

    def failures(self) -> list[str]:
        """Return the names of what failed."""
        lines = self._log.read_text().splitlines() if self._log.exists() else []
        return [line.partition(":")[2] for line in lines]

    def again(self, command: list[str]) -> int:
        """Run it, one program at a time."""
        code = run([*command, "--rerun-failed", "--parallel", "1"])
        if code == 0:
            self.forget()  # ctest itself keeps the list until something fails
        return code


def _skipped(report: Path) -> bool:
    suites = ET.parse(report).iter("testsuite")  # noqa: S314 - pytest wrote it a moment ago
    return any(int(suite.get("skipped", 0)) for suite in suites)


def run(command: list[str]) -> int:
    """Run a command to its end, with its output as it comes."""
    sys.stdout.flush()
    return subprocess.run(command, check=False).returncode


def main() -> int:
    """Run the command of the command line; return 0 when everything passed, be it the second time."""
    command = sys.argv[1:]
    runner: Runner = Ctest(command) if Path(command[0]).name == "ctest" else Pytest()
    ended: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        # The runner has got it as well, and ends by it; it is waited for.
        signal.signal(number, lambda number, _frame: _note(ended, number))
    runner.forget()
    code = run(command)
    failed = runner.failures() if code == runner.code_of_failures and not ended else []
    if not 0 < len(failed) <= MOST:
        return code
    sys.stdout.write(f"\nrun again, alone: {len(failed)} that failed\n")
    code = runner.again(command)
    came_to_its_end = code in (0, runner.code_of_failures) and not ended
    still = set(runner.failures()) if came_to_its_end else set(failed)
    sys.stdout.writelines(f"FLAKY {name}\n" for name in failed if name not in still)
    return code or int(bool(still))


def _note(ended: list[int], number: int) -> None:
    ended.append(number)


if __name__ == "__main__":
    sys.exit(main())
