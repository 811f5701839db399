"""``make soak``: MINUTES=30 by default."""

from __future__ import annotations

import argparse
import sys

from tests.oracle.judge import KINDS
from tests.soak.running import Outcome, Soak
from tests.support.folders import short_folder


def _say(outcome: Outcome, seed: int) -> None:
    done = ", ".join(f"{name} {count}" for name, count in sorted(outcome.done.items()))
    oldest = ", ".join(f"{stage} {seconds:.0f} s" for stage, (seconds, _) in sorted(outcome.oldest.items()) if seconds)
    lines = [
        f"soak of {outcome.minutes:g} minutes, seed {seed}",
        f"  {outcome.acknowledged} images of {outcome.series} series acknowledged; {outcome.visits} visits of a vandal",
        f"  done to it: {done}",
        "  " + ", ".join(f"{outcome.verdicts[kind]} {kind}" for kind in KINDS),
        f"  oldest seen: {oldest}",
        *outcome.lines,
        *(f"TROUBLE {trouble}" for trouble in outcome.troubles),
        "FAILED" if outcome.troubles else "clean: everything acknowledged is accounted for",
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def main() -> int:
    """Run it, and say what came of it; the exit code is 1 when something is not as it should be."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with short_folder() as folder:
        outcome = Soak(folder, options.minutes, options.seed).run([sys.executable, "-m", "appliance.cli", "run"])
        # Before the folder goes: to remove a hundred thousand files can take minutes.
        _say(outcome, options.seed)
    return int(bool(outcome.troubles))


if __name__ == "__main__":
    sys.exit(main())
