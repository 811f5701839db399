"""``python -m tests.benchmarks [NAME …]``: run benchmarks and print one table."""

from __future__ import annotations

import argparse
import importlib
import itertools
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import TypedDict

from _pytest.outcomes import Skipped as PytestSkipped

from tests.benchmarks.rows import Result, Row, Skipped, render


class Figure(TypedDict):
    """A figure of ours alone; `bound` is the most (or, where more is better, the least) that it may be."""

    name: str
    value: float
    unit: str
    bound: float


def _module(name: str) -> Callable[[Path], Iterable[Result]]:
    """Return the benchmark of a module, which is imported when it runs: a base may lack what another one imports."""

    def run(folder: Path) -> Iterable[Result]:
        rows: Iterable[Result] = importlib.import_module(f"tests.benchmarks.{name}").run(folder)
        return rows

    return run


def _alone(name: str) -> Callable[[Path], Iterator[Result]]:
    """Turn a module's figures without a peer into rows; rates are better when higher, times when lower."""

    def run(_folder: Path) -> Iterator[Result]:
        figures: Iterable[Figure] = importlib.import_module(f"tests.benchmarks.{name}").run()
        for figure in figures:
            at_most = not figure["unit"].endswith("/s")
            yield Row(figure["name"], figure["value"], figure["unit"], bound=figure["bound"], at_most=at_most)

    return run


_SEND, _CONVERSIONS = _module("send"), _module("conversions")

BENCHMARKS: dict[str, Callable[[Path], Iterable[Result]]] = {
    "receive": _module("receive"),
    "routing": _module("routing"),
    "send": lambda folder: itertools.chain(_SEND(folder), _CONVERSIONS(folder)),
    "endtoend": _module("endtoend"),
    "tls": _module("tls"),
    "rules": _alone("bench_rules"),
    "history": _alone("bench_history"),
    "idle": _module("idle"),
    "control": _module("control"),
    "page": _module("page"),
    "tui": _module("tui"),
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
