"""Task verbs: what a person can do to a task, in one table.

Control service, command line, terminal UI, event types and history are made from it, so it imports nothing heavy
(``mercure --help`` reads it). A new verb is a row here, its function in `appliance.control.queue.task_actions`, and a
key in `tui.actions`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from mercure.stages import Stage

VerbName = Literal["retry", "hold", "release", "reroute", "discard", "undo"]


@dataclass(frozen=True)
class TaskVerb:
    """One thing that a person can do to a task.

    Parameters
    ----------
    name : str
        As in ``queue.NAME`` and ``mercure queue NAME``.
    event : str
        The type of the event that records it; its details are `mercure.event_details.TaskChanged`.
    state : str
        The state of the task in the history afterwards.
    stages : frozenset of Stage
        Where a task can be the object of it.
    elsewhere : str
        Why not in any other stage; as advice.
    text : str
        What it does, in a sentence.
    done : str
        What has become of the tasks, after their number.
    more : str
        Further sentences for the command line and the reference page.
    warning : str
        What a person reads, and is asked for a yes, before it is done; empty: nobody is asked.
    why_not : mapping
        Why not in certain other stages.
    role : str
        The lowest that may.
    """

    name: VerbName
    event: str
    state: str
    stages: frozenset[Stage]
    elsewhere: str
    text: str
    done: str
    more: str = ""
    warning: str = ""
    why_not: Mapping[Stage, str] = field(default_factory=dict)
    role: Literal["viewer", "operator", "admin"] = "operator"

    @property
    def confirm(self) -> bool:
        """Whether a person is asked before."""
        return bool(self.warning)

    @property
    def whole_text(self) -> str:
        """All that it does."""
        return f"{self.text} {self.more}".strip()

    def warning_of(self, tasks: int) -> str:
        """Return what a person reads before it is done to so many tasks."""
        they, are = ("It", "is") if tasks == 1 else ("They", "are")
        return self.warning.format(they=they, are=are)

    def refusal(self, stage: Stage) -> str:
        """Return why it cannot be done in a stage."""
        return self.why_not.get(stage, self.elsewhere)


_ROWS: Final = (
    TaskVerb(
        "retry",
        "task.retried",
        "waiting",
        frozenset({Stage.OUTGOING, Stage.PROCESSING, Stage.ERROR, Stage.DISCARD}),
        "the router decides on it by itself",
        "Retry a failed task, or a waiting one at once.",
        "retried",
        more="So is a discarded one. What was confirmed is not sent again.",
        why_not={Stage.SUCCESS: "it was delivered"},
    ),
    TaskVerb(
        "hold",
        "task.held",
        "held",
        frozenset({Stage.OUTGOING, Stage.PROCESSING}),
        "only a task that waits in outgoing/ or processing/ can be held",
        "Hold a waiting task until it is released.",
        "held",
    ),
    # A part of a mixed series is held in ``error/``, before anything is decided of it.
    TaskVerb(
        "release",
        "task.released",
        "waiting",
        frozenset({Stage.OUTGOING, Stage.PROCESSING, Stage.ERROR}),
        "only a task that waits in outgoing/ or processing/, or is kept in error/, can be held",
        "Release a held task.",
        "released",
    ),
    TaskVerb(
        "reroute",
        "task.rerouted",
        "waiting",
        frozenset({Stage.OUTGOING, Stage.ERROR}),
        "it is not on its way to a target yet",
        "Send a task to another target.",
        "rerouted",
        more="What the old one has confirmed stays there.",
        warning="What the old target has confirmed stays there.",
        why_not={Stage.SUCCESS: "it was delivered", Stage.DISCARD: "it was discarded; retry it first"},
    ),
    TaskVerb(
        "discard",
        "task.discarded",
        "discarded",
        frozenset({Stage.OUTGOING, Stage.PROCESSING, Stage.ERROR}),
        "the router decides on it first",
        "Discard a task (kept for the retention time).",
        "discarded",
        more="Until then it can be retried.",
        warning="{they} will not be delivered, and {are} kept in discard/ for the retention time.",
        why_not={
            Stage.SUCCESS: "it was delivered; the cleaner removes it after the retention time",
            Stage.DISCARD: "it is discarded already",
        },
    ),
    # Recorded by the event of the verb that has the same effect, which every release understands (`UNDONE_AS`).
    TaskVerb(
        "undo",
        "task.retried",
        "waiting",
        frozenset({Stage.OUTGOING, Stage.PROCESSING, Stage.ERROR, Stage.DISCARD}),
        "only what was held, rerouted or discarded by a person can be undone",
        "Undo the last hold, reroute or discard of a task.",
        "as before",
        more="The task goes back to where it was; what was delivered meanwhile stays delivered.",
        why_not={Stage.SUCCESS: "it was delivered: that cannot be undone"},
    ),
)

UNDONE_AS: Final[Mapping[str, str]] = {
    "hold": "task.released",
    "reroute": "task.rerouted",
    "discard": "task.retried",
}
"""The verbs that can be undone, and the type of the event that tells of it."""

TASK_VERBS: Final[Mapping[VerbName, TaskVerb]] = {verb.name: verb for verb in _ROWS}
"""All of them by name, in the order of the reference page."""
