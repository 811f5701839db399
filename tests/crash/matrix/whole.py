"""``make crash``: all scenarios, all steps, and the report ``docs/crash-matrix.md``."""

from __future__ import annotations

import contextlib
import io
import multiprocessing
import os
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from time import monotonic

from tests.crash.matrix.kills import Result, run
from tests.crash.matrix.report import page
from tests.crash.matrix.scenarios import SCENARIOS
from tests.support.memory import memory_folder

ENOUGH = 2500
SHOWN = 3
PAGE = Path("docs/crash-matrix.md")
USAGE = "usage: python -m tests.crash.matrix [--brief] [PART OF A SCENARIO'S NAME]"
BRIEF = "--brief"


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _scenario(index: int, brief: bool) -> Result:
    # What the programs wrote is shown by pytest for a test that fails; here the error says where to look.
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, sys.stderr.fileno())
    os.close(silence)
    with contextlib.redirect_stdout(io.StringIO()), memory_folder() as folder:
        return run(SCENARIOS[index], folder, brief=brief)


def main(arguments: list[str]) -> int:
    """Run the scenarios whose name holds the argument, all without one; only then is the report written."""
    brief = BRIEF in arguments
    arguments = [argument for argument in arguments if argument != BRIEF]
    if len(arguments) > 1:
        _say(USAGE)
        return 2
    chosen = [index for index, scenario in enumerate(SCENARIOS) if not arguments or arguments[0] in scenario.name]
    if not chosen:
        _say(f"no scenario has {arguments[0]!r} in its name; {USAGE}")
        return 2
    began = monotonic()
    results: dict[int, Result] = {}
    failures: list[str] = []
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(8, os.cpu_count() or 1), mp_context=context) as pool:
        running = {pool.submit(_scenario, index, brief): index for index in chosen}
        for future in as_completed(running):
            name = SCENARIOS[running[future]].name
            try:
                result = results[running[future]] = future.result()
            except AssertionError as error:
                failures.append(name)
                _say(f"FAILED  {name}\n        {error}")
                continue
            if result.troubles:
                failures.append(name)
                found = ", ".join(f"{kind} {count}" for kind, count in sorted(result.verdicts.items()))
                _say(f"FAILED  {name}: {found or 'verify'} of {result.kills + result.errors + 1} runs")
                _say("".join(f"        {trouble}\n" for trouble in result.troubles[:SHOWN]).rstrip())
            else:
                _say(f"ok      {name}: {result.steps} steps, {result.kills} kills, {result.errors} errors")
    kills = sum(result.kills for result in results.values())
    _say(f"\n{kills} kills in {len(results)} scenarios, {len(failures)} failed, in {monotonic() - began:.0f} s")
    if arguments or failures:
        return int(bool(failures))
    PAGE.write_text(page([results[index] for index in chosen], brief=brief), encoding="utf-8")
    _say(f"written: {PAGE}")
    return int(kills < ENOUGH)
