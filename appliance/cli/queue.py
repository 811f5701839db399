"""``mercure queue``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import click

from appliance.cli import exit_codes
from appliance.cli.common import Failure, end_with, json_option, narrate, open_session, root_option, show
from appliance.cli.lazy import OrderedGroup
from appliance.cli.text import duration, moment, pairs, printable, size, table

if TYPE_CHECKING:
    from appliance.control.api.queue import Changed, Queue, QueueEntry, TaskDetail
    from appliance.control.api.queue import TaskVerb as Verb
    from appliance.control.listing import Filter
    from appliance.control.session import Session
    from mercure.spool import Task

    F = TypeVar("F", bound=Callable[..., Any])

STAGES = ("incoming", "routing", "studies", "processing", "outgoing", "error", "discard", "success")
STATES = ("arriving", "deciding", "collecting", "waiting", "retrying", "running", "held", "failed", "discarded")
SHORT = 8


def _choice(option: str, name: str, values: tuple[str, ...], help: str) -> Callable[[F], F]:
    """Add an option that takes some words, several times; the words are in the help, where lines are broken."""
    metavar = option.lstrip("-").upper()
    text = f"{help}: {', '.join(values)}."
    return click.option(option, name, type=click.Choice(values), metavar=metavar, multiple=True, help=text)


def _filter_options(command: F) -> F:
    """Add the options that say which entries are meant."""
    for option in (
        _choice("--state", "states", STATES, "Only in this state"),
        click.option("--target", help="Only for this target."),
        _choice("--stage", "stages", STAGES, "Only in this stage"),
    ):
        command = option(command)
    return command


def _filter(stages: tuple[str, ...], target: str | None, states: tuple[str, ...]) -> Filter:
    from appliance.control.listing import Filter  # noqa: PLC0415
    from mercure.spool import Stage  # noqa: PLC0415

    return Filter(frozenset(Stage(name) for name in stages), target, frozenset(states))  # type: ignore[arg-type]


@click.group(cls=OrderedGroup)
@root_option
def queue() -> None:
    """See what waits in the spool; hold, release, retry and discard tasks.

    A TASK is named by its id or the end of it, such as the eight characters that `queue list` shows.
    """


@queue.command("list")
@_filter_options
@click.option("--limit", type=click.IntRange(0), default=50, show_default=True, help="At most so many; 0: all.")
@root_option
@json_option("appliance.control.api.queue:Queue")
def list_(stages: tuple[str, ...], target: str | None, states: tuple[str, ...], limit: int) -> None:
    """List what waits, the oldest first: series that arrive, tasks on their way, tasks that failed."""
    from appliance.control.listing import list_queue  # noqa: PLC0415

    found = list_queue(open_session(), _filter(stages, target, states), limit=limit)
    show(found, lambda: _list_lines(found))


def _list_lines(found: Queue) -> Iterator[str]:
    if not found.entries:
        yield "nothing waits"
        return
    yield from table(["TASK", "AGE", "STATE", "FOR", "IMAGES", "TRIES", "NEXT", "ERROR"], map(_row, found.entries))
    rest = found.total - len(found.entries)
    if rest:
        narrate(f"{rest} more: --limit 0 shows all")


def _row(entry: QueueEntry) -> tuple[str, ...]:
    wait = (entry.next_attempt.timestamp() - entry.created.timestamp() - entry.age_seconds) if entry.next_attempt else 0
    urgency = {"urgent": "!", "offpeak": "~"}.get(entry.priority, "")
    return (
        entry.id[-SHORT:],
        duration(entry.age_seconds),
        f"{urgency}{entry.state}",
        entry.target or entry.module or entry.identity.Modality,
        str(entry.images),
        str(entry.attempts),
        duration(wait) if entry.next_attempt else "",
        f"held by {entry.held_by}" if entry.held_by else entry.error,
    )


@queue.command("show")
@click.argument("task")
@root_option
@json_option("appliance.control.api.queue:TaskDetail")
def show_(task: str) -> None:
    """Show a task in full: whose images, why it is there, what was tried, and what comes next."""
    from appliance.control.queue import show as look  # noqa: PLC0415

    detail = look(open_session(), task)
    show(detail, lambda: _detail_lines(detail))


def _detail_lines(detail: TaskDetail) -> Iterator[str]:
    task = detail.task
    state = "running" if detail.running else detail.entry.state if detail.entry else "unreadable"
    yield from pairs(
        [
            ("task", detail.id),
            ("stage", f"{detail.stage.value} ({state})"),
            ("folder", detail.directory),
            ("images", f"{len(detail.files)} ({size(detail.bytes)}), {detail.confirmed} confirmed by the target"),
            ("problem", detail.problem),
            *(_task_pairs(task) if task else []),
        ]
    )
    if task and task.attempts:
        yield ""
        rows = [
            (str(item.number), moment(item.started), f"{item.seconds:.1f} s", item.outcome, item.error or "")
            for item in task.attempts
        ]
        yield from table(["TRY", "WHEN", "TOOK", "OUTCOME", "ERROR"], rows)


def _task_pairs(task: Task) -> Iterator[tuple[str, str]]:
    identity, origin = task.identity, task.origin
    yield ("for", task.target or task.module or task.action)
    yield ("priority", task.priority)
    yield ("patient", " ".join(filter(None, [identity.PatientID, identity.PatientName])))
    yield ("accession", identity.AccessionNumber)
    yield ("study", " ".join(filter(None, [identity.StudyDate, identity.StudyDescription, identity.StudyInstanceUID])))
    series = [identity.Modality, identity.SeriesDescription, identity.SeriesInstanceUID]
    yield ("series", " ".join(filter(None, series)))
    yield ("from", " ".join(filter(None, [origin.calling_aet, origin.address])))
    yield ("received", moment(origin.last_received))
    yield ("rules", "; ".join(f"{fired.rule}: {fired.why}" if fired.why else fired.rule for fired in task.rules))
    yield ("next try", moment(task.next_attempt))
    for name, note in (("held", task.hold), ("discarded", task.discarded)):
        yield (name, f"by {note.by}, {moment(note.at)}{': ' if note.reason else ''}{note.reason}" if note else "")
    if task.failure:
        yield ("failed", f"{task.failure.reason} ({moment(task.failure.at)})")
        yield ("advice", task.failure.advice)


def _add(verb: Verb, text: str, *, confirm: bool = False) -> None:
    """Add a verb that changes tasks."""

    @queue.command(verb, help=text, short_help=text.partition(".")[0] + ".")
    @click.argument("names", metavar="TASK…", nargs=-1)
    @click.option("--all", "every", is_flag=True, help="All tasks that --stage, --target and --state leave.")
    @_filter_options
    @click.option("--reason", default="", help="Why; it is kept with the task and in the audit.")
    @click.option("--yes", is_flag=True, hidden=not confirm, help="Do not ask whether to discard several.")
    @root_option
    @json_option(changed="appliance.control.api.queue:Changed")
    def command(
        names: tuple[str, ...],
        *,
        every: bool,
        stages: tuple[str, ...],
        target: str | None,
        states: tuple[str, ...],
        reason: str,
        yes: bool,
    ) -> None:
        session = open_session()
        wanted = _filter(stages, target, states)
        tasks = _tasks(session, verb, names, wanted if every else None)
        if confirm and len(tasks) > 1 and not yes:
            click.confirm(f"discard {len(tasks)} tasks?", abort=True, err=True)
        _change(session, verb, tasks, reason)


def _tasks(session: Session, verb: Verb, names: tuple[str, ...], wanted: Filter | None) -> list[str]:
    """Return the tasks meant: those named, or those in the queue that fit the filter."""
    from appliance.control.listing import list_queue  # noqa: PLC0415
    from appliance.control.queue import stages_for  # noqa: PLC0415

    if bool(names) == (wanted is not None):
        raise click.UsageError("name the tasks, or give --all with --stage, --target or --state")
    if wanted is None:
        return list(names)
    if not (wanted.stages or wanted.target or wanted.states):
        raise click.UsageError("--all needs --stage, --target or --state to say which")
    entries = list_queue(session, wanted).entries
    return [entry.id for entry in entries if entry.stage in stages_for(verb)]


def _change(session: Session, verb: Verb, tasks: list[str], reason: str) -> None:
    """Do it task by task; one that cannot be changed is told, and the others are changed all the same."""
    from appliance.control.errors import ControlError  # noqa: PLC0415
    from appliance.control.queue import VERBS  # noqa: PLC0415

    done: list[Changed] = []
    codes = []
    for task in tasks:
        try:
            done.append(VERBS[verb](session, task, reason))
        except ControlError as error:
            failure = Failure(error.text, error.advice, exit_codes.OF_KIND[error.kind])
            failure.show()
            codes.append(failure.exit_code)
    show({"changed": done}, lambda: _changed_lines(done, len(tasks)))
    end_with(codes[0] if codes else exit_codes.WELL)


def _changed_lines(done: list[Changed], asked: int) -> Iterator[str]:
    if not asked:
        yield "no such task"
    for changed in done:
        where = f"in {changed.after.value}/" if changed.before is changed.after else f"now in {changed.after.value}/"
        target = f" for {changed.target}" if changed.target else ""
        yield printable(f"{changed.verb}: {changed.id}{target}, {where}")


_add("hold", "Keep waiting tasks from being worked on. They stay where they are until they are released.")
_add("release", "Let held tasks go on.")
_add("retry", "Try again now. A failed or discarded task goes back on its way; what was confirmed is not sent again.")
_add("discard", "Throw tasks away. They are kept in discard/ for the retention time, and can be retried.", confirm=True)
