"""``make crash``: all scenarios, all steps, and the report ``docs/crash-matrix.md``."""

from __future__ import annotations

import argparse
import contextlib
import io
import multiprocessing
import os
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from time import monotonic

from tests.crash.matrix.finished import Finished, commit_here
from tests.crash.matrix.kills import Result, run
from tests.crash.matrix.report import page
from tests.crash.matrix.scenarios import SCENARIOS
from tests.support.memory import memory_folder

ENOUGH = 2500
SHOWN = 3
PAGE = Path("docs/crash-matrix.md")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _arguments(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m tests.crash.matrix", description=__doc__)
    parser.add_argument("--brief", action="store_true", help="one kill at each step, an error at each third")
    parser.add_argument("--go-on", type=Path, metavar="FILE", help="keep results there, and skip those of this commit")
    parser.add_argument("part", nargs="?", default="", help="of a scenario's name; without it all, and the report")
    return parser.parse_args(arguments)


def _scenario(index: int, brief: bool) -> Result:
    # What the programs wrote is shown by pytest for a test that fails; here the error says where to look.
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, sys.stderr.fileno())
    os.close(silence)
    with contextlib.redirect_stdout(io.StringIO()), memory_folder() as folder:
        return run(SCENARIOS[index], folder, brief=brief)


def _has_trouble(result: Result) -> bool:
    if not result.troubles:
        _say(f"ok      {result.scenario}: {result.steps} steps, {result.kills} kills, {result.errors} errors")
        return False
    found = ", ".join(f"{kind} {count}" for kind, count in sorted(result.verdicts.items()))
    _say(f"FAILED  {result.scenario}: {found or 'verify'} of {result.kills + result.errors + 1} runs")
    _say("".join(f"        {trouble}\n" for trouble in result.troubles[:SHOWN]).rstrip())
    return True


def _run(indices: list[int], brief: bool, finished: Finished, results: dict[str, Result]) -> int:
    """Run the scenarios, put what came of each into `results`, and return how many failed."""
    failed = 0
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(8, os.cpu_count() or 1), mp_context=context) as pool:
        running = {pool.submit(_scenario, index, brief): index for index in indices}
        for future in as_completed(running):
            name = SCENARIOS[running[future]].name
            try:
                result = results[name] = future.result()
            except AssertionError as error:
                failed += 1
                _say(f"FAILED  {name}\n        {error}")
                continue
            if _has_trouble(result):
                failed += 1
            else:
                finished.add(result)
    return failed


def main(arguments: list[str]) -> int:
    """Run the scenarios whose name holds the argument, all without one; only then is the report written."""
    asked = _arguments(arguments)
    chosen = [index for index, scenario in enumerate(SCENARIOS) if asked.part in scenario.name]
    if not chosen:
        _say(f"no scenario has {asked.part!r} in its name")
        return 2
    began = monotonic()
    finished = Finished(asked.go_on, commit_here(), brief=asked.brief)
    names = {SCENARIOS[index].name for index in chosen}
    results = {name: result for name, result in finished.read().items() if name in names}
    for result in results.values():
        _has_trouble(result)
    failed = _run([index for index in chosen if SCENARIOS[index].name not in results], asked.brief, finished, results)
    kills = sum(result.kills for result in results.values())
    _say(f"\n{kills} kills in {len(results)} scenarios, {failed} failed, in {monotonic() - began:.0f} s")
    if asked.part or failed:
        return int(bool(failed))
    PAGE.write_text(page([results[scenario.name] for scenario in SCENARIOS], brief=asked.brief), encoding="utf-8")
    _say(f"written: {PAGE}")
    return int(kills < ENOUGH)
