"""``python -P tests/benchmarks/measure.py NAME FILE``: run one benchmark of the checkout on the path, keep its rows.

For `tests.benchmarks.compare`, which runs it in two checkouts. It asks of the checkout only what every revision has:
the table of the benchmarks, and rows with a name, a unit and a figure.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from _pytest.outcomes import Skipped as PytestSkipped

from tests.benchmarks.__main__ import BENCHMARKS
from tests.benchmarks.rows import Row


def main() -> int:
    """Run it; rows that could not be had here are left out."""
    name, file = sys.argv[1:]
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="mercure-bench-") as folder:
        try:
            rows += [result for result in BENCHMARKS[name](Path(folder)) if isinstance(result, Row)]
        except PytestSkipped as skipped:
            print(f"{name}: skipped: {skipped}")
    told = [
        {"name": row.name, "unit": row.unit, "ours": row.ours, "at_most": row.at_most, "bound": row.bound}
        for row in rows
    ]
    Path(file).write_text(json.dumps(told))
    return 0


if __name__ == "__main__":
    sys.exit(main())
