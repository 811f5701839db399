"""``python -m tests.benchmarks [NAME …]``: run benchmarks and print one table."""

from __future__ import annotations

import argparse
import itertools
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import TypedDict

from _pytest.outcomes import Skipped as PytestSkipped

from tests.benchmarks import (
    bench_history,
    bench_rules,
    control,
    conversions,
    endtoend,
    idle,
    page,
    receive,
    routing,
    send,
    tui,
)
from tests.benchmarks.rows import Result, Row, Skipped, render


class Figure(TypedDict):
    """A figure of ours alone; `bound` is the most (or, where more is better, the least) that it may be."""

    name: str
    value: float
    unit: str
    bound: float


def _alone(figures: Callable[[], Iterable[Figure]]) -> Callable[[Path], Iterator[Result]]:
    """Turn figures without a peer into rows; rates are better when higher, times when lower."""

    def run(folder: Path) -> Iterator[Result]:
        for figure in figures():
            at_most = not figure["unit"].endswith("/s")
            yield Row(figure["name"], figure["value"], figure["unit"], bound=figure["bound"], at_most=at_most)

    return run


BENCHMARKS: dict[str, Callable[[Path], Iterable[Result]]] = {
    "receive": receive.run,
    "routing": routing.run,
    "send": lambda folder: itertools.chain(send.run(folder), conversions.run(folder)),
    "endtoend": endtoend.run,
    "rules": _alone(bench_rules.run),
    "history": _alone(bench_history.run),
    "idle": idle.run,
    "control": control.run,
    "page": page.run,
    "tui": tui.run,
}


def main() -> int:
    """Run what is asked for; the exit code is 1 when a bound was missed."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("names", nargs="*", default=list(BENCHMARKS), help=f"of {', '.join(BENCHMARKS)}")
    results: list[Result] = []
    for name in parser.parse_args().names:
        start = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="mercure-bench-") as folder:
            try:
                with redirect_stdout(sys.stderr):  # where the programs' own output goes
                    results += BENCHMARKS[name](Path(folder))
            except PytestSkipped as skipped:
                results.append(Skipped(name, str(skipped)))
        sys.stderr.write(f"{name}: {time.monotonic() - start:.0f} s\n")
    print(render(results))
    missed = [result for result in results if not isinstance(result, Skipped) and not result.met]
    print(f"{len(results) - len(missed)} passed, {len(missed)} failed")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
