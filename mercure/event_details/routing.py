"""Events of series and studies until it is decided where they go."""

from __future__ import annotations

from mercure.event_details.common import Identity, ImageRef, Origin
from mercure.model import Record


class SeriesCompleted(Record):
    """A series was taken for routing."""

    identity: Identity
    origin: Origin
    images: tuple[ImageRef, ...]
    bytes: int
    reason: str
    late: bool = False
    earlier: tuple[str, ...] = ()


class SeriesTags(Record):
    """What the images of a series say by the tags that ``history.tags`` names, told with its completion.

    `tags` has the different values of each keyword, each once; `association` names the first one, by which a series
    without a UID is known.
    """

    tags: dict[str, tuple[str, ...]]
    association: str = ""


class RuleOutcome(Record):
    """What became of one rule; `error` is the text when it could not be evaluated.

    `images` says for how many images it fired, when it did for some of them only.
    """

    rule: str
    fired: bool
    error: str | None = None
    images: int | None = None


class StudyCompleted(Record):
    """A collected study was taken for routing; the tasks in `members` are now part of it."""

    identity: Identity
    origin: Origin
    rule: str
    members: tuple[str, ...]
    images: tuple[ImageRef, ...]
    bytes: int
    reason: str
    by: str | None = None
    late: bool = False
    earlier: tuple[str, ...] = ()


class RuleNotified(Record):
    """A rule with action ``notify`` fired."""

    rule: str
    contact: str = ""
    comment: str = ""


class SeriesDecided(Record):
    """The plan for a series is on disk."""

    rules: tuple[RuleOutcome, ...]
    derived: tuple[str, ...]
    discarded_by: str | None = None
    parts: dict[str, int] = {}
    """Of the derived tasks that hold some of the images only, because the rules divide the series: how many."""


class ReleaseLearned(Record):
    """A sender's series are complete so long after its associations ended from now on; 0: as configured again.

    ``pause`` is the late arrival that made it so.
    """

    sender: str
    seconds: float
    before: float = 0.0
    pause: float = 0.0
    text: str = ""
    advice: str = ""
