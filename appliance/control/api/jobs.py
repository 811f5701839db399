"""Long actions: what is under way, and what came of it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import Field, JsonValue

from appliance.control.api.base import ErrorData, Nothing, Progress, Verb
from mercure.model import Model

Outcome = Literal["running", "done", "failed"]


class JobState(Model):
    """A long action: which verb, about what, who asked for it and when, and how far it has come.

    ``error`` says why it failed.
    """

    job: str
    verb: str
    about: str = ""
    user: str
    begun: datetime
    seconds: float
    outcome: Outcome
    progress: Progress
    error: str = ""


class Jobs(Model):
    """The long actions that run or have ended of late, the newest first."""

    jobs: tuple[JobState, ...]


class OneJob(Model):
    """A long action, by the id that its progress carries."""

    job: Annotated[str, Field(min_length=1, max_length=64)]


class JobError(ErrorData):
    """Why a long action failed, as it would have been answered."""

    text: str


class JobResult(Model):
    """What a long action has come to: what its verb answers, or why it failed."""

    state: JobState
    answer: JsonValue = None
    error: JobError | None = None


LIST: Final = Verb("jobs.list", Nothing, Jobs, "viewer", "List the long actions that run or have ended of late.")
JOIN: Final = Verb(
    "jobs.join", OneJob, JobResult, "viewer", "Follow a long action to its end; what has ended is answered at once."
)
