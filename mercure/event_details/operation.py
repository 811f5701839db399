"""Events of the router itself: its services, its configuration, its disk, and what people do."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from mercure.model import Record


class ServiceChanged(Record):
    """A service began or ended."""

    pid: int
    version: str = ""
    reason: str | None = None


class ConfigLoaded(Record):
    """A service works by this revision from now on."""

    revision: int


class ConfigRejected(Record):
    """A configuration is broken; the service goes on with the one before."""

    reason: str
    using: int | None = None


class ConfigSaved(Record):
    """A new revision of the configuration was saved."""

    revision: int
    by: str
    comment: str = ""


class DiskSpace(Record):
    """The free space crossed its floor, downwards or upwards."""

    free_bytes: int
    total_bytes: int
    floor_bytes: int
    freed_bytes: int = 0


class ScrubFinished(Record):
    """All kept images were read once; those that are not intact have events of their own (`image.altered`)."""

    begun: datetime
    images: int
    bytes: int
    altered: int = 0
    unreadable: int = 0
    uncheckable: int = 0


class Recovered(Record):
    """Something that a crash had left was put right."""

    what: str


class Audit(Record):
    """A person changed something."""

    by: str
    verb: str
    object: str
    before: Any = None
    after: Any = None


class Metrics(Record):
    """Counters since the last report, and gauges of now."""

    counters: dict[str, float] = {}
    gauges: dict[str, float] = {}


class Warned(Record):
    """Something is not as it should be; `advice` says what to do."""

    text: str
    advice: str = ""
