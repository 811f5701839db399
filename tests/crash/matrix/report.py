"""The page that ``make crash`` writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.oracle.judge import KINDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.crash.matrix.kills import Result

_HEAD = """# The crash matrix

Made by `make crash`; do not edit. Every durable step (write, sync, rename, link, unlink, commit ...) is numbered by the
one module that does them, `mercure/durable.py`, and its twin `getdcmtags/src/durable.cc`. Each scenario ran once to
count its steps. Then, for each step and in each of two ways, its victim was killed there: by `_exit`, and by SIGKILL
from outside while it stood still before the step. Everything was started again and brought to its end.

What was acknowledged is known from the sender's own account, outside the router. At the moment of each kill every
acknowledged image was found in a stage or at a target. In the end an oracle that knows nothing of the router
(`tests/oracle`) compared what every target had, in the order in which it came, with what the rules of the scenario
mean, and `mercure verify` had nothing to object. Then the same with the step failing by ENOSPC and by EIO, once: the
victim may go on or give up. "Looked for" counts acknowledged images over all of these runs. The last columns count
runs:

- *lost*: an acknowledged image was nowhere at the moment of a fault.
- *missing*: in the end an image was not at a target that must have it.
- *unexpected*: one was where nobody wants it.
- *half*: no destination of a target had all of what was decided together.
- *stale*: an older version came last.
- *altered*: other bytes came than were sent.
- *repeated*: an image came again and no fault explains it.
- *early*: one came before another that goes first by the order of its target.

In each scenario one of each of the last seven was planted, and reported.
%s
| scenario | steps | kills by `_exit` | kills from outside | ENOSPC | EIO | images looked for | %s |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | %s |
"""
COLUMNS = ("lost", *KINDS)


_BRIEFLY = """
This page was made with `--brief`: at each step one kill, by `_exit` and from outside by turns, and at each third step
one error.
"""


def page(results: Sequence[Result], *, brief: bool = False) -> str:
    """Return the page; only runs in which all was as it should be get this far."""
    names = [result.scenario for result in results]
    figures = [
        [result.steps, *result.struck.values(), result.acknowledged, *(result.verdicts[kind] for kind in COLUMNS)]
        for result in results
    ]
    names.append("**all**")
    figures.append([sum(column) for column in zip(*figures, strict=True)])
    rows = ((name, *numbers) for name, numbers in zip(names, figures, strict=True))
    head = _HEAD % (_BRIEFLY if brief else "", " | ".join(COLUMNS), " | ".join("---:" for _ in COLUMNS))
    return head + "".join(f"| {' | '.join(map(str, row))} |\n" for row in rows)
