"""Exams: the series of a study as one row, and where each one went."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final

from pydantic import AwareDatetime, Field

from appliance.control.api.base import Verb
from appliance.control.api.traffic import ExamStep, StepTo
from appliance.presentation.causes import Cause
from appliance.presentation.states import PlaceState
from mercure.history.records import ExamOrder, SeriesRecord
from mercure.model import Model

Order = ExamOrder
_Text = Annotated[str, Field(max_length=200)]


class ListExams(Model):
    """Which exams are wanted, and in which order.

    `text` is looked for in what identifies and describes an exam, and in the names of its targets and their states,
    whatever its case; with ``!`` before it, what does not contain it is meant. `beginning` is the beginning of whatever
    identifies one of its series, and conditions on tags, as in `history.find`. `since` and `until`: one of its series
    was received from then on, and before then.
    """

    text: _Text = ""
    beginning: _Text = ""
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None
    sort: ExamOrder = "received"
    backwards: bool = True
    limit: Annotated[int, Field(ge=1, le=1000)] = 500


class ExamPlace(Model):
    """Where images were to go, and how far they are: of `images` so many are there (`done`).

    `to` says what `name` is. `state` is that of the task that is the farthest behind, `states` are those of all, the
    worst first; `cause` is whose problem it is that it does not go on.
    """

    to: StepTo
    name: str = ""
    state: PlaceState
    states: tuple[PlaceState, ...] = ()
    images: int = 0
    done: int = 0
    cause: Cause | None = None


class ExamEntry(Model):
    """An exam: what came of one study at one router, named as its last series names it.

    `exam` is the Study Instance UID, or the folder of a series that came without one. An image that came several times
    counts once; `repetitions` counts the others. `series` are the UIDs of its series, the last received first; `tags`
    has what `history.tags` names.
    """

    node: str
    exam: str
    study_uid: str = ""
    patient_id: str = ""
    patient_name: str = ""
    accession: str = ""
    study_description: str = ""
    study_date: str = ""
    modalities: tuple[str, ...] = ()
    calling_aet: str = ""
    address: str = ""
    first_received: datetime | None = None
    last_received: datetime | None = None
    images: int = 0
    bytes: int = 0
    repetitions: int = 0
    series: tuple[str, ...] = ()
    descriptions: tuple[str, ...] = ()
    tags: dict[str, tuple[str, ...]] = {}
    places: tuple[ExamPlace, ...] = ()


class ExamList(Model):
    """Exams in the order asked for; `total` counts all that are wanted, also those beyond the limit."""

    total: int
    exams: tuple[ExamEntry, ...] = ()


class OneExam(Model):
    """An exam by `node` and `exam` of its `ExamEntry`."""

    node: Annotated[str, Field(min_length=1, max_length=200)]
    exam: Annotated[str, Field(min_length=1, max_length=200)]


class TaskOfExam(ExamStep):
    """A task with images of an exam: where they were to go, whether they are there, and what keeps them."""

    task: str
    cause: Cause | None = None
    error: str = ""


class SeriesOfExam(Model):
    """One series of an exam, and the tasks that hold its images alone."""

    series: SeriesRecord
    places: tuple[ExamPlace, ...] = ()
    tasks: tuple[TaskOfExam, ...] = ()


class ExamInFull(Model):
    """An exam with its series, the last received first; `together` are the tasks of the whole study.

    `cut`: there are more series.
    """

    exam: ExamEntry
    series: tuple[SeriesOfExam, ...]
    together: tuple[TaskOfExam, ...] = ()
    cut: bool = False


LIST: Final = Verb(
    "exams.list", ListExams, ExamList, "viewer", "List exams with where they went, the last received first."
)
SHOW: Final = Verb("exams.show", OneExam, ExamInFull, "viewer", "Show an exam with its series and their tasks.")
