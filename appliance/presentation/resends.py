"""Plans of what is sent again, in words: for the command line and the terminal UI."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from appliance.presentation.figures import size
from appliance.presentation.phrases import plural
from mercure.printable import printable

if TYPE_CHECKING:
    from appliance.control.api.resend import ResendPlan, ResendState

SHORT: Final = 8
_LISTED: Final = 5

_PLACES: Final = {
    "target": "{name}",
    "module": "module {name}",
    "study": "the study that rule {name} collects",
    "discard": "nowhere: {name} discards",
    "error": "error/: {name}",
}


def plan_in_words(found: ResendPlan) -> Iterator[str]:
    """Say what would be sent where, what not and why, a line each."""
    yield f"{found.series} series, {plural(found.images, 'image')}, {size(found.bytes)}"
    for goes in found.goes:
        yield printable(f"  {goes.series} → {_PLACES[goes.kind].format(name=goes.name)}")
    for left in found.left:
        examples = ", ".join(task[-SHORT:] for task in left.examples)
        yield printable(f"  {plural(left.tasks, 'task')} not: {left.why} ({examples})")
    if found.gone is None:
        yield "  the history cannot be asked: what is no longer on the disk is not counted"
    elif found.gone:
        yield f"  {plural(found.gone, 'task')} no longer on the disk"
    if found.arriving:
        yield f"  {found.arriving} series belong to a study of which images arrive just now"
    if found.not_found:
        named = ", ".join(found.not_found[:_LISTED])
        yield printable(f"  {len(found.not_found)} of the list not found: {named}")


def job_in_words(job: ResendState) -> str:
    """Say which job it is and how far."""
    return printable(f"job {job.id[-SHORT:]}: {job.state}, {job.done} of {job.items} series")
