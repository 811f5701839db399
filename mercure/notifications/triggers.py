"""From events to what people are to be told by the rules: reception, completion, error, and what a module asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from mercure.config import Config
from mercure.config.notifications import RuleOccasion
from mercure.event_details import NotificationRequested, SeriesDecided, TaskFailed, TaskProcessed
from mercure.history.changes_since import HistoryChanges
from mercure.history.records import EventRecord, TaskRecord
from mercure.names import utc_text
from mercure.notifications.message_facts import MessageFacts

DONE: Final = frozenset({"delivered", "processed", "discarded"})
"""States in which nothing more is to be done with a task."""


@dataclass(frozen=True)
class Told:
    """Something to be told by some channels; `of` is the same whenever it is found again."""

    of: str
    channels: tuple[str, ...]
    facts: MessageFacts


class Triggers:
    """Finds what the rules of a configuration want to be told.

    Parameters
    ----------
    news : HistoryChanges
        Where tasks and series are looked up.
    config : Config
        The rules.
    """

    def __init__(self, news: HistoryChanges, config: Config) -> None:
        self._news = news
        self._config = config

    def of(self, event: EventRecord) -> Iterator[Told]:
        """Yield what is to be told because of one event, for each rule.

        Raises
        ------
        HistoryUnavailableError
            The history cannot be asked now.
        pydantic.ValidationError
            The event's details are not those of its type.
        """
        find = _FIND.get(event.type)
        if find is not None and event.task is not None:
            yield from find(self, event, event.task)

    def _wanting(self, names: Iterable[str], occasion: RuleOccasion) -> list[str]:
        """Return those of some rules that want an occasion told."""
        rules = self._config.rules
        return [name for name in names if name in rules and rules[name].notifications.channels_of(occasion)]

    def _decided(self, event: EventRecord, task: str) -> Iterator[Told]:
        outcomes = SeriesDecided.model_validate(event.details).rules
        wanting = self._wanting((outcome.rule for outcome in outcomes if outcome.fired), "reception")
        root = self._news.task(task) if wanting else None
        # The series of a study were told of one by one, before it was complete.
        if root is not None and root.scope != "study":
            for rule in wanting:
                yield self._told(event.id, rule, "reception", root)

    def _failed(self, event: EventRecord, task: str) -> Iterator[Told]:
        failed = self._news.task(task)
        details = TaskFailed.model_validate(event.details)
        for rule in self._wanting((failed.rules or ()) if failed else (), "error"):
            assert failed is not None  # noqa: S101 - it has rules
            more = {"reason": details.reason, "advice": details.advice, "stage": details.stage}
            yield self._told(event.id, rule, "error", failed, **more)

    def _requested(self, event: EventRecord, task: str) -> Iterator[Told]:
        details = NotificationRequested.model_validate(event.details)
        asking = self._news.task(task)
        rules = details.rules or (asking.rules if asking and asking.rules else ())
        if asking is not None and details.requested:
            for rule in self._wanting(rules, "request"):
                more = {"module": details.module, "module_text": details.text}
                yield self._told(event.id, rule, "request", asking, **more)

    def _ended(self, event: EventRecord, task: str) -> Iterator[Told]:
        ended = self._news.task(task)
        wanting = self._wanting((ended.rules or ()) if ended else (), "completion")
        if not wanting:
            return
        family = self._news.family(task)
        for rule in wanting:
            mine = [member for member in family[1:] if rule in (member.rules or ())]
            if self._complete(mine, {member.id for member in family}):
                texts = "\n".join(self._texts(mine))
                targets = tuple(dict.fromkeys(member.target or "" for member in mine if member.state == "delivered"))
                told = self._told(family[0].id, rule, "completion", family[0], module_text=texts)
                yield Told(told.of, told.channels, told.facts.model_copy(update={"targets": targets}))

    def _complete(self, mine: Sequence[TaskRecord], known: set[str]) -> bool:
        """Tell whether all that a rule wanted is done; a task that a module made may not be known yet."""
        if not all(map(_is_done, mine)) or all(member.state == "discarded" for member in mine):
            return False
        processed = [member.id for member in mine if member.state == "processed"]
        events = [event for task in processed for event in self._news.events(type="task.processed", task=task)]
        return all(set(TaskProcessed.model_validate(event.details).outputs) <= known for event in events)

    def _texts(self, tasks: Sequence[TaskRecord]) -> Iterator[str]:
        for task in tasks:
            if task.module is not None:
                for event in reversed(self._news.events(type="notification.requested", task=task.id)):
                    yield NotificationRequested.model_validate(event.details).text

    def _told(self, of: str, rule: str, occasion: RuleOccasion, task: TaskRecord, **more: str) -> Told:
        settings = self._config.rules[rule]
        series = self._news.received(task)
        known: dict[str, object] = {
            "router": self._config.name,
            "occasion": occasion,
            "rule": rule,
            "contact": settings.contact,
            "comment": settings.comment,
            "task": task.id,
            "target": task.target or "",
            "targets": settings.targets,
            "module": task.module or "",
            "modality": task.modality or "",
            "images": task.images or 0,
            "bytes": task.bytes or 0,
            "late": bool(task.late),
            "patient_id": task.patient_id or "",
            "patient_name": task.patient_name or "",
            "accession": task.accession or "",
            "study_uid": task.study_uid or "",
            "series_uid": task.series_uid or "",
            "series_description": task.series_description or "",
        }
        if series is not None:
            known |= {
                "sender": f"{series.calling_aet or ''}@{series.address or ''}",
                "received": _text(series.first_received),
                "study_date": series.study_date or "",
                "study_description": series.study_description or "",
            }
        return Told(of, settings.notifications.channels_of(occasion), MessageFacts.model_validate(known | more))


def _is_done(task: TaskRecord) -> bool:
    """Tell whether nothing is left to be done with a task; a result that was decided on anew lives on in its tasks."""
    return task.state in DONE or (task.action == "complete" and task.state == "decided")


def _text(instant: datetime | None) -> str:
    return "" if instant is None else f"{utc_text(instant)[:19]}Z"


_FIND: Final[dict[str, Callable[[Triggers, EventRecord, str], Iterator[Told]]]] = {
    "series.decided": Triggers._decided,
    "task.failed": Triggers._failed,
    "notification.requested": Triggers._requested,
    "task.delivered": Triggers._ended,
    "task.processed": Triggers._ended,
    "task.discarded": Triggers._ended,
}
TYPES: Final = tuple(_FIND)
"""The types of events by which something may have to be told."""
