"""Every state as glyph, word and tone, the worst first; nothing is told by colour alone.

The glyphs are those that the Linux console draws too. A face may draw others, one for each tone (the status page does).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Tone = Literal["", "dim", "good", "busy", "warn", "bad"]
"""What a state means: usual, at rest, well, on its way, look at it, a person is needed."""

QueueState = Literal[
    "arriving",
    "deciding",
    "collecting",
    "waiting",
    "retrying",
    "running",
    "held",
    "failed",
    "discarded",
    "delivered",
    "done",
]
"""``arriving``: images still come; ``deciding``: the router has it; ``collecting``: waits for its study; ``waiting``:
for its turn; ``retrying``: for the next attempt; ``running``: a service works on it now; ``held``: a person stopped it;
``failed``: waits for a person; ``discarded``: thrown away by a person or a rule, and kept for some time; ``delivered``,
``done``: its target has it, or its tasks were made, and it is kept for some time."""


@dataclass(frozen=True)
class Look:
    """How a state is shown.

    Parameters
    ----------
    glyph, word : str
        On a terminal.
    tone : Tone
        Its meaning; each face has a colour for it.
    rank : int
        The worst has 0.
    """

    glyph: str
    word: str
    tone: Tone
    rank: int

    def span(self) -> tuple[str, str]:
        """Return glyph and word as one text, and the tone."""
        return f"{self.glyph} {self.word}", self.tone


QUEUE: Final[dict[QueueState, Look]] = {
    "failed": Look("‼", "failed", "bad", 0),
    "retrying": Look("↕", "retrying", "warn", 1),
    "held": Look("■", "held", "warn", 2),
    "waiting": Look("∙", "waiting", "", 3),
    "running": Look("►", "running", "busy", 4),
    "deciding": Look("○", "deciding", "busy", 5),
    "collecting": Look("≡", "collecting", "", 6),
    "arriving": Look("↓", "arriving", "good", 7),
    "discarded": Look("□", "discarded", "dim", 8),
    "delivered": Look("•", "delivered", "good", 9),
    "done": Look("•", "done", "good", 10),
}
"""The states of the queue."""

TASK: Final[dict[str, Look]] = {
    "failed": Look("‼", "failed", "bad", 0),
    "held": Look("■", "held", "warn", 1),
    "waiting": Look("∙", "waiting", "", 2),
    "planned": Look("∙", "planned", "", 3),
    "deciding": Look("○", "deciding", "busy", 4),
    "discarded": Look("□", "discarded", "dim", 5),
    "processed": Look("•", "processed", "good", 6),
    "delivered": Look("•", "delivered", "good", 7),
    "decided": Look("•", "decided", "good", 8),
    "collected": Look("•", "collected", "good", 9),
}
"""What has become of a task, by the states of the history."""

PlaceState = Literal["failed", "retrying", "held", "waiting", "discarded", "delivered"]
"""How far images are at a place where they were to go; ``retrying``: an attempt failed, and the next one is due."""

PLACE: Final[dict[PlaceState, Look]] = {
    "failed": Look("‼", "failed", "bad", 0),
    "retrying": Look("↕", "retrying", "warn", 1),
    "held": Look("■", "held", "warn", 2),
    "waiting": Look("…", "waiting", "busy", 3),
    "discarded": Look("□", "discarded", "dim", 4),
    "delivered": Look("✓", "delivered", "good", 5),
}
"""How far an exam is at each of its targets."""

PROCESS: Final[dict[str, Look]] = {
    "failed": Look("‼", "failed", "bad", 0),
    "retrying": Look("↕", "retrying", "bad", 1),
    "unknown": Look("?", "unknown", "warn", 2),
    "ended": Look("□", "ended", "warn", 3),
    "stopped": Look("■", "stopped", "warn", 4),
    "stopping": Look("▼", "stopping", "busy", 5),
    "starting": Look("▲", "starting", "busy", 6),
    "running": Look("•", "running", "good", 7),
}
"""The states of a process."""

HEALTH: Final[dict[str, Look]] = {
    "bad": Look("‼", "bad", "bad", 0),
    "watch": Look("▲", "watch", "warn", 1),
    "well": Look("•", "well", "good", 2),
}
"""The health of the router."""

SEVERITY: Final[dict[str, Look]] = {
    "critical": Look("‼", "critical", "bad", 0),
    "warning": Look("▲", "warning", "warn", 1),
    "watch": Look("▲", "watch", "warn", 2),
}
"""How bad an alert is."""

DISK: Final[dict[str, Look]] = {
    "refusing": Look("‼", "refusing images", "bad", 0),
    "low": Look("▲", "low", "warn", 1),
    "filling": Look("▲", "filling", "warn", 1),
    "ok": Look("•", "ok", "good", 2),
}

TARGET: Final[dict[str, Look]] = {
    "down": Look("‼", "down", "bad", 0),
    "failed": Look("▲", "has failed tasks", "warn", 1),
    "unwell": Look("▲", "not answering", "warn", 2),
    "disabled": Look("□", "disabled", "dim", 3),
    "unused": Look("○", "not used yet", "dim", 4),
    "up": Look("•", "up", "good", 5),
}

OUTCOME: Final[dict[str, Look]] = {
    "success": Look("•", "success", "good", 2),
    "partial": Look("▲", "partial", "warn", 1),
    "failure": Look("‼", "failure", "bad", 0),
}
"""The outcomes of an attempt."""

STEP: Final[dict[str, Look]] = {
    "failed": Look("‼", "failed", "bad", 0),
    "warning": Look("▲", "warning", "warn", 1),
    "not reached": Look("□", "not reached", "dim", 2),
    "ok": Look("•", "ok", "good", 3),
}
"""The outcomes of a step of the self-test."""


@dataclass(frozen=True)
class StageWords:
    """A stage of the spool: its name on a terminal, short and with what is counted."""

    short: str
    counted: str


STAGE: Final[dict[str, StageWords]] = {
    "incoming": StageWords("arriving", "series arriving"),
    "routing": StageWords("deciding", "series deciding"),
    "studies": StageWords("studies", "series in studies"),
    "processing": StageWords("processing", "tasks processing"),
    "outgoing": StageWords("outgoing", "tasks outgoing"),
    "error": StageWords("failed", "tasks failed"),
    "quarantine": StageWords("quarantine", "in quarantine"),
    "success": StageWords("delivered", "tasks delivered"),
    "discard": StageWords("discarded", "tasks discarded"),
}


def other(state: str) -> Look:
    """Return the look of a state of a newer router that no table knows."""
    return Look("?", state, "warn", 0)


SENDER: Final[dict[Literal["refused", "silent", "unlisted", "listed", "disabled"], Look]] = {
    "refused": Look("‼", "refused", "bad", 0),
    "silent": Look("▲", "silent", "warn", 1),
    "unlisted": Look("○", "not listed", "", 2),
    "listed": Look("•", "listed", "good", 3),
    "disabled": Look("■", "disabled", "dim", 4),
}
"""Whether a sender may send; ``unlisted``: it has no entry."""
