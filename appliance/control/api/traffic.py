"""What comes and goes, in numbers, and where an exam is: for the status page and for monitors."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import AwareDatetime, Field

from appliance.control.api.base import Nothing, Verb
from mercure.history.records import CounterTotal, SenderRecord
from mercure.model import Model


class ListSenders(Model):
    """Over how many hours images are summed, and how many senders are told at most."""

    hours: Annotated[int, Field(ge=1, le=168)] = 24
    limit: Annotated[int, Field(ge=1, le=1000)] = 200


class Senders(Model):
    """Who has ever sent images, the one with the last image first."""

    time: datetime
    hours: int
    senders: tuple[SenderRecord, ...]


class RateOver(Model):
    """The last so many hours, in steps of so many minutes; the hours must hold whole steps."""

    hours: Annotated[int, Field(ge=1, le=168)] = 24
    step: Annotated[int, Field(ge=1, le=1440)] = 60


class RatePoint(Model):
    """What happened within the step that begins then: images, bytes, and attempts at targets that failed."""

    begin: datetime
    received: int = 0
    received_bytes: int = 0
    delivered: int = 0
    refused: int = 0
    failed_attempts: int = 0


class Rates(Model):
    """One point for each step, also for those in which nothing happened; the last one is not over yet."""

    time: datetime
    step: int
    points: tuple[RatePoint, ...]


class DelaysOver(Model):
    """Of the tasks that were delivered in the last so many hours."""

    hours: Annotated[int, Field(ge=1, le=168)] = 24


class Percentiles(Model):
    """Half of them took at most ``p50`` seconds, and 95 of 100 at most ``p95``."""

    p50: float
    p95: float


class TargetDelays(Model):
    """How long the tasks took that a target has taken; an empty name: all targets.

    ``whole``: from the last image until it was delivered; ``waiting``: from when its task was made until it was
    delivered, without the attempts, which are ``sending``.
    """

    name: str
    tasks: int
    whole: Percentiles
    waiting: Percentiles
    sending: Percentiles


class Delays(Model):
    """All targets together (None: nothing was delivered), then each, the slowest first; `cut`: of the last tasks."""

    time: datetime
    hours: int
    all: TargetDelays | None = None
    targets: tuple[TargetDelays, ...] = ()
    cut: bool = False


class DiskUse(Model):
    """Bytes of the spool by what they wait for: tasks share images by links, so that the sum may be more than the disk.

    ``waiting``: all that still arrives, is decided, processed or delivered; ``failed``: in ``error/``; ``delivered``
    and ``discarded``: finished and kept for their retention, as the history knows.
    """

    waiting: int = 0
    failed: int = 0
    delivered: int = 0
    discarded: int = 0
    quarantine: int = 0


class ListRefusals(Model):
    """Over how many hours refusals are summed, and how many are told at most."""

    hours: Annotated[int, Field(ge=1, le=8760)] = 168
    limit: Annotated[int, Field(ge=1, le=1000)] = 200


class RefusalRecord(Model):
    """What one sender was refused while associations were negotiated.

    `what`: ``association``, ``abstract syntax``, ``transfer syntaxes`` or ``role``; of the last three, which class it
    was about, and the first transfer syntax that was proposed. `held`: how many places each address had.
    """

    address: str = ""
    calling_aet: str = ""
    called_aet: str = ""
    what: str
    abstract_syntax: str = ""
    transfer_syntax: str = ""
    reason: str
    times: int
    first: datetime
    last: datetime
    held: dict[str, int] | None = None


class Refusals(Model):
    """What was refused, the last first; `cut`: there is more, of earlier."""

    time: datetime
    hours: int
    refusals: tuple[RefusalRecord, ...]
    cut: bool = False


class CountAll(Model):
    """How many labels of a counter are told one by one; the others come as one, named ``other``."""

    limit: Annotated[int, Field(ge=1, le=1000)] = 100


class Totals(Model):
    """What each counter has come to in all (``docs/reference/history.md``); none of them ever falls."""

    counters: tuple[CounterTotal, ...]


class ListDays(Model):
    """So many days, today among them."""

    days: Annotated[int, Field(ge=1, le=366)] = 90


class DayRecord(Model):
    """A day in the time zone of the router's machine, and for how long in it a critical alert was raised.

    ``bad_seconds`` also counts the time in which the router was switched off; None: nothing is known of that day.
    """

    begin: AwareDatetime
    bad_seconds: float | None = None


class Days(Model):
    """The last days, the earliest first; today is not over yet."""

    time: datetime
    days: tuple[DayRecord, ...]


class FindExam(Model):
    """The whole accession number; case and the spaces around it do not matter."""

    accession: Annotated[str, Field(min_length=1, max_length=64)]


StepTo = Literal["target", "module", "study", "discard", "router"]
"""What a step of an exam leads to; ``study``: it waits for the other series of its study."""


class ExamStep(Model):
    """Where a series or a study was to go, and whether it is there.

    ``to`` says what `name` is. ``state`` is that of the
    history, `at` since when it is so, `next_attempt` when a waiting one is tried again.
    """

    to: StepTo
    name: str = ""
    state: str
    images: int = 0
    at: datetime | None = None
    attempts: int = 0
    next_attempt: datetime | None = None


class ExamSeries(Model):
    """One series of an exam. Without a name of anybody: the description is what the scanner calls the series."""

    modality: str = ""
    description: str = ""
    images: int
    first_received: datetime | None = None
    last_received: datetime | None = None
    steps: tuple[ExamStep, ...] = ()


class ExamTarget(Model):
    """How many different images of an exam are to go to a target, and how many of them it has confirmed."""

    name: str
    images: int
    delivered: int = 0


class ExamFound(Model):
    """What came of an exam; `together` is what was made of several series at once; `cut`: there are more series.

    An image that came several times counts once, in `targets` and in the series.
    """

    series: tuple[ExamSeries, ...]
    targets: tuple[ExamTarget, ...] = ()
    together: tuple[ExamStep, ...] = ()
    cut: bool = False


SENDERS: Final = Verb("traffic.senders", ListSenders, Senders, "page", "List who sends, with the last image of each.")
RATES: Final = Verb("traffic.rates", RateOver, Rates, "page", "Tell what came and went in the last hours.")
DELAYS: Final = Verb(
    "traffic.delays",
    DelaysOver,
    Delays,
    "viewer",
    "Tell how long deliveries took, by target: median and 95 %.",
)
DISK: Final = Verb("traffic.disk", Nothing, DiskUse, "viewer", "Tell how many bytes wait, failed or are kept.")
TOTALS: Final = Verb("traffic.totals", CountAll, Totals, "page", "Tell what every counter has come to in all.")
DAYS: Final = Verb("traffic.days", ListDays, Days, "page", "Tell for how long something was wrong on the last days.")
REFUSALS: Final = Verb(
    "traffic.refusals", ListRefusals, Refusals, "viewer", "List what senders were refused while associations began."
)
EXAM: Final = Verb(
    "exams.find", FindExam, ExamFound, "page", "Tell where an exam is, by its whole accession number, without names."
)
