"""What every verb works with: which router, who asks, and where the record of a change goes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, time
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from appliance.control.audit_chain import AuditChain
from appliance.control.errors import ControlError
from appliance.control.identity import require_owner
from appliance.control.locks import Held
from mercure.clock import Clock
from mercure.config import Config, ConfigError, Loaded, Root, ServicesFile
from mercure.event_details import Audit
from mercure.events import EventWriter
from mercure.services.common import open_store
from mercure.spool import Spool, Stage
from mercure.spool.place import spool_in_force

if TYPE_CHECKING:
    from appliance.control.index import QueueIndex
    from appliance.control.rows import Row

Json = str | int | float | bool | list["Json"] | dict[str, "Json"] | None


class Session:
    """One person at one router.

    Parameters
    ----------
    root : Root
        Which router.
    user : str
        Who asks; changes are audited under this name.
    service : str
        By which way: ``cli`` or ``control``.
    clock : Clock, optional
        Where the time comes from.
    index : QueueIndex, optional
        What is known of the spool from the last looks of others; without one, everything is read.
    """

    def __init__(
        self,
        root: Root,
        user: str,
        *,
        service: str = "cli",
        clock: Clock | None = None,
        index: QueueIndex | None = None,
    ) -> None:
        self.root = root
        self.user = user
        self.service = service
        self.clock = clock or Clock()
        self.store = open_store(root)
        self._index = index

    @cached_property
    def loaded(self) -> Loaded[Config]:
        """The configuration that the services work by: the file, or the last revision that can be used.

        Raises
        ------
        ControlError
            There is none.
        """
        try:
            return self.store.mercure.load()
        except ConfigError as error:
            good = self.store.mercure.last_good()
            if good is not None:
                return good
            raise _no_configuration(self.root, error, self.store.mercure.path) from error

    @property
    def config(self) -> Config:
        """The configuration in force."""
        return self.loaded.value

    @cached_property
    def services(self) -> Loaded[ServicesFile]:
        """How many processes each service has.

        Raises
        ------
        ControlError
            The file cannot be used, and no revision of it.
        """
        try:
            return self.store.services.load()
        except ConfigError as error:
            good = self.store.services.last_good()
            if good is not None:
                return good
            raise _no_configuration(self.root, error, self.store.services.path) from error

    def day_begin(self) -> datetime:
        """Return when this day began, in the time zone of the site."""
        now = self.clock.now().astimezone(self.config.site.zone)
        return datetime.combine(now.date(), time(), now.tzinfo)

    @property
    def index(self) -> QueueIndex:
        """What is in the spool, as far as it was looked at already."""
        if self._index is None:
            from appliance.control.index import QueueIndex  # noqa: PLC0415 - most commands do without

            self._index = QueueIndex(self.clock)
        return self._index

    def rows(self, stages: Iterable[Stage]) -> list[Row]:
        """Return what is in some stages, without what makes a state of it."""
        return self.index.rows(self.spool, tuple(stages), Held())

    @property
    def spool(self) -> Spool:
        """The spool of the configuration."""
        return spool_in_force(self.root.path, self.root.named_spool(self.config))

    @contextmanager
    def changing(self) -> Iterator[EventWriter]:
        """Give the writer of events to a block that changes something; they are on stable storage at its end.

        Raises
        ------
        ControlError
            The spool belongs to another user, or is not there.
        """
        outbox = self.spool.stage(Stage.OUTBOX)
        if not outbox.is_dir():
            raise ControlError("not-found", f"there is no spool at {self.spool.root}", _first_step(self.root))
        require_owner(outbox)
        events = EventWriter(outbox, self.service, self.clock)
        try:
            yield events
        finally:
            events.sync()
            events.close()

    def audit(
        self,
        events: EventWriter,
        verb: str,
        object: str,
        *,
        before: Json = None,
        after: Json = None,
        task: str | None = None,
    ) -> None:
        """Record who changed what: in the chain of local records, and for the history."""
        audit = Audit(by=self.user, verb=verb, object=object, before=before, after=after)
        AuditChain(self.spool).append(audit, self.clock.now(), via=self.service, task=task)
        events.emit(audit, task=task)


def _no_configuration(root: Root, error: ConfigError, path: Path) -> ControlError:
    if not path.exists():
        return ControlError("not-found", f"{root.path} has no configuration ({path})", _first_step(root))
    problems = "; ".join(str(problem) for problem in error.problems)
    return ControlError(
        "not-found", f"{path} cannot be used: {problems}", "correct it; `mercure config validate` checks"
    )


def _first_step(root: Root) -> str:
    return f"`mercure init --root {root.path}` writes a default one"
