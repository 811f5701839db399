"""Dry run of a changed rule set on series that were routed before: which would go elsewhere, from where to where.

The tag lines of a routed series are kept as one more hard link in ``state/records/``: no copy, and all images, so that
a rule over the whole series can be rehearsed too. It is a hint and not synced; the cleaner keeps the newest.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from mercure import durable
from mercure.config import Config
from mercure.event_details import Identity
from mercure.model import Record
from mercure.names import id_time, is_id
from mercure.routing.plan import Derived, Plan, decide
from mercure.routing.units import units_of
from mercure.spool import Spool, Stage, TagRecord, Task
from mercure.spool.images import read_lines, text
from mercure.spool.layout import list_names
from mercure.spool.task import TAGS_FILE

SUFFIX = ".jsonl"


class RouteChange(Record):
    """A series that the changed rules would route differently."""

    task: str
    identity: Identity
    images: int
    before: tuple[str, ...]
    after: tuple[str, ...]


class DryRunReport(Record):
    """What a changed rule set would have done.

    `moves` counts the changes by where from and where to.
    """

    series: int
    changes: tuple[RouteChange, ...]
    moves: dict[str, int]
    errors: tuple[str, ...] = ()


@dataclass(frozen=True)
class Kept:
    """A routed series whose tag lines are kept."""

    task: str
    records: list[TagRecord]


def folder(spool: Spool) -> Path:
    """Return where the tag lines are kept."""
    return spool.stage(Stage.STATE) / "records"


def keep(spool: Spool, directory: Path, task: str) -> None:
    """Keep the tag lines of a routed series; if that fails only the dry run is poorer."""
    with contextlib.suppress(FileExistsError, FileNotFoundError):
        durable.make_directory(folder(spool), sync=False)
        durable.link(directory / TAGS_FILE, folder(spool) / f"{task}{SUFFIX}")


def kept_tasks(spool: Spool) -> list[str]:
    """List the routed series whose tag lines are kept, the newest first."""
    names = (name.removesuffix(SUFFIX) for name in list_names(folder(spool)))
    return sorted((name for name in names if is_id(name)), reverse=True)


def forget(spool: Spool, most: int) -> int:
    """Keep only the newest `most`; return how many were removed."""
    old = kept_tasks(spool)[most:]
    for task in old:
        durable.unlink(folder(spool) / f"{task}{SUFFIX}")
    return len(old)


def recent(spool: Spool, last: int) -> Iterator[Kept]:
    """Walk the newest `last` series, the newest first."""
    for task in kept_tasks(spool)[:last]:
        records = kept_records(spool, task)
        if records:
            yield Kept(task, records)


def kept_records(spool: Spool, task: str) -> list[TagRecord]:
    """Return the kept tag lines of a routed series by its routing task; none where they are not kept."""
    return read_lines(folder(spool) / f"{task}{SUFFIX}") if is_id(task) else []


def rehearse(
    spool: Spool, current: Config, changed: Config, last: int, done: Callable[[int], None] = lambda series: None
) -> DryRunReport:
    """Decide on the last series by both rule sets and compare.

    Parameters
    ----------
    spool : Spool
        Where the tag lines are kept.
    current, changed : Config
        The rule sets. The current one is evaluated too, not looked up in the past: so only the change itself is
        shown, and not what other changes did since.
    last : int
        How many series.
    done : callable
        Called after each series with the number so far.
    """
    changes: list[RouteChange] = []
    moves: dict[str, int] = {}
    errors: dict[str, None] = {}
    series = 0
    for kept in recent(spool, last):
        series += 1
        at = id_time(kept.task)
        before, _ = _destinations(current, kept, at)
        after, failed = _destinations(changed, kept, at)
        errors |= dict.fromkeys(failed)
        if before != after:
            identity = _identity(kept)
            changes.append(
                RouteChange(task=kept.task, identity=identity, images=len(kept.records), before=before, after=after)
            )
            move = f"{', '.join(before)} -> {', '.join(after)}"
            moves[move] = moves.get(move, 0) + 1
        done(series)
    return DryRunReport(series=series, changes=tuple(changes), moves=moves, errors=tuple(errors))


def _identity(kept: Kept) -> Identity:
    return Identity.model_validate({keyword: text(kept.records[0], keyword) for keyword in Identity.model_fields})


def _destinations(config: Config, kept: Kept, at: datetime) -> tuple[tuple[str, ...], list[str]]:
    """Return where the images of a series would go, and the errors of rules on the way."""
    places: set[str] = set()
    errors: list[str] = []
    for records in units_of(config, kept.records).values():
        task = Task(id=kept.task, created=at, identity=_identity(kept), images=len(records))
        files = [text(record, "FileName") for record in records]
        plan = decide(config, task, records, files, at)
        errors += [f"rule {outcome.rule!r}: {outcome.error}" for outcome in plan.rules if outcome.error]
        places.update(_places(plan))
    return tuple(sorted(places)), errors


def _places(plan: Plan) -> tuple[str, ...]:
    if plan.ends_in == "discard":
        return (f"discard by {plan.discarded_by}",)
    if plan.ends_in == "error":
        return ("error",)
    return tuple(sorted(_place(derived) for derived in plan.derived))


def _place(derived: Derived) -> str:
    task = derived.task
    if derived.stage is Stage.DISCARD:
        return f"discard by {task.rules[0].rule}"
    if derived.stage is Stage.ERROR:
        return "error"
    if derived.study is not None:
        return f"study of rule {task.study_rule}"
    return f"module {task.module}" if task.module else f"{task.target}"
