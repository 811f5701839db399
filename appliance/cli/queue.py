"""``mercure queue``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar, get_args

import click

from appliance.cli import shell_completion
from appliance.cli.common import end_with, json_option, narrate, root_option, show, watch_option
from appliance.cli.lazy import OrderedGroup
from appliance.cli.requests import ask, asking, each
from appliance.cli.text import pairs, table
from appliance.presentation.causes import with_cause
from appliance.presentation.figures import duration, size, zoned_moment
from appliance.presentation.phrases import conversions_in_words
from appliance.presentation.states import QueueState
from mercure.printable import printable
from mercure.task_verbs import TASK_VERBS, TaskVerb

if TYPE_CHECKING:
    from appliance.cli.requests import Ask
    from appliance.control.api.queue import Changed, ListQueue, Queue, QueueEntry, TaskDetail
    from mercure.spool import Attempt, Task

    F = TypeVar("F", bound=Callable[..., Any])

STAGES = ("incoming", "routing", "studies", "processing", "outgoing", "error", "discard", "success")
STATES = get_args(QueueState)
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
        click.option("--target", help="Only for this target.", shell_complete=shell_completion.targets),
        _choice("--stage", "stages", STAGES, "Only in this stage"),
    ):
        command = option(command)
    return command


def _wanted(stages: tuple[str, ...], target: str | None, states: tuple[str, ...], limit: int = 0) -> ListQueue:
    from appliance.control import api  # noqa: PLC0415

    return api.queue.ListQueue.model_validate({"stages": stages, "target": target, "states": states, "limit": limit})


@click.group(cls=OrderedGroup)
@root_option
def queue() -> None:
    """See what waits in the spool; hold, release, retry and discard tasks.

    A TASK is named by its id or the end of it, such as the eight characters that `queue list` shows.
    """


@queue.command("list")
@watch_option
@_filter_options
@click.option("--text", default="", help="Only with this text in patient, exam, rule or error; !TEXT: only without.")
@click.option("--limit", type=click.IntRange(0), default=50, show_default=True, help="At most so many; 0: all.")
@root_option
@json_option("appliance.control.api.queue:Queue")
def list_(stages: tuple[str, ...], target: str | None, states: tuple[str, ...], text: str, limit: int) -> None:
    """List what waits, the oldest first: series that arrive, tasks on their way, tasks that failed.

    With --stage success or --stage discard: what was delivered or discarded, by which rule, and when it is removed.
    """
    from appliance.control import api  # noqa: PLC0415

    wanted = _wanted(stages, target, states, limit).model_copy(update={"text": text})
    found = ask(api.queue.LIST, wanted)
    show(found, lambda: _list_lines(found))


def _list_lines(found: Queue) -> Iterator[str]:
    if not found.entries:
        yield "nothing waits"
        return
    if all(entry.seconds_left is not None for entry in found.entries):
        head = ["TASK", "AGE", "STATE", "FOR", "IMAGES", "REMOVED IN", "PATIENT", "RULE"]
        yield from table(head, map(_kept_row, found.entries))
    else:
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
        f"held by {entry.held_by}" if entry.held_by else with_cause(entry.cause, entry.error),
    )


def _kept_row(entry: QueueEntry) -> tuple[str, ...]:
    """Describe what is kept in success/ or discard/: by which rule or whom, and for how long."""
    return (
        entry.id[-SHORT:],
        duration(entry.age_seconds),
        entry.state,
        entry.target or entry.module or entry.identity.Modality,
        str(entry.images),
        duration(entry.seconds_left or 0) + (" (kept)" if entry.kept_until else ""),
        entry.identity.PatientID,
        entry.why,
    )


@queue.command("show")
@click.argument("task", shell_complete=shell_completion.tasks)
@root_option
@json_option("appliance.control.api.queue:TaskDetail")
def show_(task: str) -> None:
    """Show a task in full: whose images, why it is there, what was tried, and what comes next."""
    from appliance.control import api  # noqa: PLC0415

    detail = ask(api.queue.SHOW, api.queue.OneTask(task=task))
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
            (
                str(item.number),
                zoned_moment(item.started),
                f"{item.seconds:.1f} s",
                item.outcome,
                _outcome_in_words(item),
            )
            for item in task.attempts
        ]
        yield from table(["TRY", "WHEN", "TOOK", "OUTCOME", "ERROR"], rows)


def _outcome_in_words(attempt: Attempt) -> str:
    converted = conversions_in_words(attempt.confirmed, attempt.converted)
    return "; ".join(filter(None, [attempt.error, converted and f"went {converted}"]))


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
    yield ("received", zoned_moment(origin.last_received))
    yield ("rules", "; ".join(f"{fired.rule}: {fired.why}" if fired.why else fired.rule for fired in task.rules))
    yield ("next try", zoned_moment(task.next_attempt))
    for name, note in (("held", task.hold), ("discarded", task.discarded)):
        yield (name, f"by {note.by}, {zoned_moment(note.at)}{': ' if note.reason else ''}{note.reason}" if note else "")
    if task.failure:
        yield ("failed", f"{task.failure.reason} ({zoned_moment(task.failure.at)})")
        yield ("advice", task.failure.advice)


def _add(verb: TaskVerb) -> None:
    """Add a verb that changes tasks."""

    @queue.command(verb.name, help=verb.whole_text, short_help=verb.text)
    @click.argument("names", metavar="TASK…", nargs=-1, shell_complete=shell_completion.tasks)
    @click.option("--all", "every", is_flag=True, help="All tasks that --stage, --target and --state leave.")
    @_filter_options
    @click.option("--reason", default="", help="Why; it is kept with the task and in the audit.")
    @click.option("--yes", is_flag=True, hidden=not verb.confirm, help=f"Do not ask whether to {verb.name} several.")
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
        with asking() as ask_for:
            wanted = _wanted(stages, target, states)
            tasks = _tasks(ask_for, verb, names, wanted if every else None)
            if verb.confirm and len(tasks) > 1 and not yes:
                click.confirm(f"{verb.name} {len(tasks)} tasks?", abort=True, err=True)
            _change(ask_for, verb, tasks, reason)


def _tasks(ask_for: Ask, verb: TaskVerb, names: tuple[str, ...], wanted: ListQueue | None) -> list[str]:
    """Return the tasks meant: those named, or those in the queue that fit the filter."""
    from appliance.control import api  # noqa: PLC0415

    if bool(names) == (wanted is not None):
        raise click.UsageError("name the tasks, or give --all with --stage, --target or --state")
    if wanted is None:
        return list(names)
    if not (wanted.stages or wanted.target or wanted.states):
        raise click.UsageError("--all needs --stage, --target or --state to say which")
    entries = ask_for(api.queue.LIST, wanted).entries
    return [entry.id for entry in entries if entry.stage in verb.stages]


def _change(ask_for: Ask, verb: TaskVerb, tasks: list[str], reason: str) -> None:
    """Do it task by task; one that cannot be changed is told, and the others are changed all the same."""
    from appliance.control import api  # noqa: PLC0415

    done: list[Changed] = []

    def change(task: str) -> bool:
        done.append(ask_for(api.queue.CHANGES[verb.name], api.queue.ChangeTask(task=task, reason=reason)))
        return True

    code = each(tasks, change)
    show({"changed": done}, lambda: _changed_lines(done, len(tasks)))
    end_with(code)


def _changed_lines(done: list[Changed], asked: int) -> Iterator[str]:
    if not asked:
        yield "no such task"
    for changed in done:
        where = f"in {changed.after.value}/" if changed.before is changed.after else f"now in {changed.after.value}/"
        target = f" for {changed.target}" if changed.target else ""
        undone = f" of {changed.undone}" if changed.undone else ""
        yield printable(f"{changed.verb}{undone}: {changed.id}{target}, {where}")


for _verb in TASK_VERBS.values():
    if _verb.name != "reroute":  # it takes one task and its target
        _add(_verb)


@queue.command()
@click.argument("task", shell_complete=shell_completion.tasks)
@click.argument("target", shell_complete=shell_completion.targets)
@click.option("--reason", default="", help="Why; it is kept in the audit.")
@root_option
@json_option("appliance.control.api.queue:Changed")
def reroute(task: str, target: str, reason: str) -> None:
    """Send a TASK that waits or failed to another TARGET; what the old one confirmed stays there."""
    from appliance.control import api  # noqa: PLC0415

    changed = ask(api.queue.REROUTE, api.queue.RerouteTask(task=task, target=target, reason=reason))
    show(changed, lambda: _changed_lines([changed], 1))


@queue.command("force-study")
@click.argument("study", shell_complete=shell_completion.studies)
@click.option("--reason", default="", help="Why; it is kept in the audit.")
@root_option
@json_option("appliance.control.api.queue:ForcedStudies")
def force_study(study: str, reason: str) -> None:
    """Complete a STUDY now that still waits for series; by its Study Instance UID."""
    from appliance.control import api  # noqa: PLC0415

    forced = ask(api.queue.FORCE_STUDY, api.queue.ForceStudy(study=study, reason=reason))
    show(forced, lambda: [f"completed: routing task {task}" for task in forced.tasks])
