"""The queue: what waits, and what a person can do to it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import Field, JsonValue

from appliance.control.api.base import Q, Verb
from appliance.presentation.causes import Cause
from appliance.presentation.states import QueueState
from mercure import task_verbs
from mercure.event_details import Identity
from mercure.model import Model, Priority
from mercure.spool.layout import Stage
from mercure.spool.task import Task


class QueueEntry(Model):
    """One series or task of the queue.

    ``id`` is the task's, or the folder's of a series that still arrives; ``error`` is what went wrong last, also
    with the target as a whole, and ``cause`` whose problem that is; ``next_attempt`` when it is tried again,
    absent when it is due; ``waits_for`` the task before it, where its target takes one after the other;
    ``confirmed`` how many images its target has by now, of a running task and where it was asked for. Of what is
    kept in ``success/`` and ``discard/`` ``why`` names the rules, or the person, that brought it there; it is
    removed after ``seconds_left``, a keep included, which ends at ``kept_until``.
    """

    id: str
    stage: Stage
    state: QueueState
    created: datetime
    age_seconds: float
    action: str | None = None
    target: str | None = None
    module: str | None = None
    priority: Priority = "normal"
    images: int = 0
    confirmed: int | None = None
    bytes: int = 0
    attempts: int = 0
    next_attempt: datetime | None = None
    error: str = ""
    cause: Cause | None = None
    held_by: str | None = None
    waits_for: str | None = None
    late: bool = False
    why: str = ""
    seconds_left: float | None = None
    kept_until: datetime | None = None
    identity: Identity = Identity()


SHAPE_SECONDS: Final = (60, 300, 1200, 3600, 21600, 86400)
"""Where the ages of a `ShapeRow` are divided; the last of its counts is what is older than all of these."""


class ShapeRow(Model):
    """How old is what waits for one target (or module, or in one state where there is neither).

    ``counts`` has one number for each age: below 1 min, 5 min, 20 min, 1 h, 6 h, 1 day, and older.
    """

    name: str
    counts: tuple[int, ...]
    oldest_seconds: float


class CauseCount(Model):
    """How many entries do not go on for one cause at one place: a target, or a module; empty: before there is one."""

    cause: Cause
    name: str = ""
    count: int


class Queue(Model):
    """One page of the queue.

    ``total`` counts all that fit the filter, ``in_queue`` all that is in the stages asked for; ``entries`` are those of
    the page; ``shape`` and ``causes`` are of all that is in the stages, where the shape was asked for: those with the
    oldest first, and the most frequent first.
    """

    total: int
    entries: tuple[QueueEntry, ...]
    in_queue: int = 0
    shape: tuple[ShapeRow, ...] = ()
    causes: tuple[CauseCount, ...] = ()


TaskVerb = task_verbs.TaskVerb
VerbName = task_verbs.VerbName
TASK_VERBS: Final = task_verbs.TASK_VERBS
UNDONE_AS: Final = task_verbs.UNDONE_AS


class TaskDetail(Model):
    """A task in full: its place in the queue, its model, its images, and how many of them the target has confirmed.

    ``task`` is absent when its model cannot be read; ``problem`` then says why.
    """

    id: str
    stage: Stage
    directory: str
    entry: QueueEntry | None = None
    task: Task | None = None
    files: tuple[str, ...] = ()
    bytes: int = 0
    confirmed: int = 0
    running: bool = False
    problem: str = ""


class Changed(Model):
    """What a verb did to a task: in which stage it was and is, and which verb was undone."""

    id: str
    verb: VerbName
    before: Stage
    after: Stage
    target: str | None = None
    undone: str | None = None


Order = Literal["age", "state", "target", "images", "exam", "priority", "attempts", "error"]
"""By what a list is sorted: ``age``: the oldest first; ``state``: what needs a person first; ``exam``: patient id and
study description; the others by their value, small ones first. What is equal has the oldest first."""


class ListQueue(Model):
    """Which entries are wanted, and in which order; empty: all.

    `text` is looked for in all that identifies an entry, whatever its case; with ``!`` before it, what does not
    contain it is meant. `offset` are passed over and at most `limit` returned; 0: all. `progress`: tell how far the
    running ones are.
    """

    stages: tuple[Stage, ...] = ()
    target: str | None = None
    states: tuple[QueueState, ...] = ()
    text: Annotated[str, Field(max_length=200)] = ""
    sort: Order = "age"
    backwards: bool = False
    offset: Annotated[int, Field(ge=0)] = 0
    limit: Annotated[int, Field(ge=0)] = 0
    shape: bool = False
    progress: bool = False


class OneTask(Model):
    """A task, by its id or the end of it."""

    task: Annotated[str, Field(min_length=1, max_length=200)]


class ChangeTask(OneTask):
    """What is to happen to a task, and why; the reason is kept with it."""

    reason: Annotated[str, Field(max_length=2000)] = ""


class RerouteTask(ChangeTask):
    """Send a task to another target."""

    target: str


class ReadTags(Model):
    """An image of a task, by the id or its end, or of a series by its UID: its number, from 0 in the order received.

    Beyond the last the last one is meant.
    """

    task: Annotated[str, Field(max_length=200)] = ""
    series: Annotated[str, Field(max_length=200)] = ""
    image: Annotated[int, Field(ge=0)] = 0


class ImageTags(Model):
    """The tags of an image as rules see them (``docs/reference/tag-record.md``).

    `task` is the task or the folder that holds it, `image` its file, `number` its place among `images`.
    """

    task: str
    image: str
    number: int = 0
    images: int = 1
    tags: dict[str, JsonValue]


class ForceStudy(Model):
    """A study that waits for more series: its folder in ``studies/``, or its Study Instance UID."""

    study: Annotated[str, Field(min_length=1, max_length=200)]
    reason: Annotated[str, Field(max_length=2000)] = ""


class ForcedStudies(Model):
    """The routing tasks that came of it: one for each rule that collected the study."""

    tasks: tuple[str, ...]


LIST: Final = Verb("queue.list", ListQueue, Queue, "viewer", "List what waits in the spool, the oldest first.")
SHOW: Final = Verb("queue.show", OneTask, TaskDetail, "viewer", "Show a task in full, with its images and attempts.")


TAGS: Final = Verb(
    "queue.tags", ReadTags, ImageTags, "viewer", "Read the tags of an image of a task or a series, as rules see them."
)


def _changes_tasks(name: VerbName, request: type[Q]) -> Verb[Q, Changed]:
    row = TASK_VERBS[name]
    return Verb(f"queue.{name}", request, Changed, row.role, row.whole_text, changes=True)


CHANGES: Final[Mapping[VerbName, Verb[ChangeTask, Changed]]] = {
    name: _changes_tasks(name, ChangeTask) for name in TASK_VERBS if name != "reroute"
}
"""The verbs of `mercure.task_verbs` whose request is `ChangeTask`."""

RETRY, HOLD, RELEASE = CHANGES["retry"], CHANGES["hold"], CHANGES["release"]
REROUTE: Final = _changes_tasks("reroute", RerouteTask)
DISCARD: Final = CHANGES["discard"]
UNDO: Final = CHANGES["undo"]
FORCE_STUDY: Final = Verb(
    "queue.force_study",
    ForceStudy,
    ForcedStudies,
    "operator",
    "Complete a study now that still waits for series.",
    changes=True,
)
