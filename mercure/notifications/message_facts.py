"""Facts of a message: the values that templates and webhooks get."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from mercure.config.notifications import Occasion
from mercure.config.site import SiteSettings
from mercure.model import Record
from mercure.names import utc_text
from mercure.printable import one_line

LONGEST_TEXT: Final = 4000
MOST_LINES: Final = 50

PATIENT_DATA: Final = frozenset(
    {
        "patient_id",
        "patient_name",
        "accession",
        "study_uid",
        "series_uid",
        "study_date",
        "study_description",
        "series_description",
        "module_text",
    }
)
"""Values that may identify a patient; a module's own text too, since its content is unknown."""


class MessageFacts(Record):
    """Everything that a message may contain; empty where it does not apply.

    ``time``, ``since`` and ``received`` are UTC, as text; ``local_…`` the same by the clock of the site, with the name
    of its time zone. ``lasted`` is in seconds.
    """

    router: str = ""
    site: str = ""
    site_contact: str = ""
    site_telephone: str = ""
    occasion: Occasion
    time: str = ""
    local_time: str = ""
    local_since: str = ""
    local_received: str = ""
    rule: str = ""
    contact: str = ""
    comment: str = ""
    task: str = ""
    sender: str = ""
    received: str = ""
    modality: str = ""
    images: int = 0
    bytes: int = 0
    late: bool = False
    targets: tuple[str, ...] = ()
    target: str = ""
    module: str = ""
    stage: str = ""
    reason: str = ""
    advice: str = ""
    patient_id: str = ""
    patient_name: str = ""
    accession: str = ""
    study_uid: str = ""
    series_uid: str = ""
    study_date: str = ""
    study_description: str = ""
    series_description: str = ""
    module_text: str = ""
    alert: str = ""
    severity: str = ""
    object: str = ""
    text: str = ""
    since: str = ""
    lasted: int = 0
    count: int = 0
    subjects: tuple[str, ...] = ()
    by: str = ""

    def at(self, site: SiteSettings, now: datetime) -> MessageFacts:
        """Return them as told now from a site: with its name, whom to call, and times by its clock."""
        told = {"time": f"{utc_text(now)[:19]}Z", "since": self.since, "received": self.received}
        local = {f"local_{name}": site.clock_text(datetime.fromisoformat(text)) for name, text in told.items() if text}
        about = {"site": site.name, "site_contact": site.contact, "site_telephone": site.telephone}
        return self.model_copy(update={"time": told["time"], **local, **about})

    def values(self, *, patient_data: bool) -> dict[str, Any]:
        """Return the values for a channel: cleaned, cut, and without patient data unless it may have them."""
        values = self.model_dump()
        if not patient_data:
            values |= dict.fromkeys(PATIENT_DATA, "")
        return {name: _cleaned(name, value) for name, value in values.items()} | {"patient_data": patient_data}


def some_lines(text: str) -> str:
    """Make a text of several lines fit for a message."""
    lines = [one_line(line) for line in text[: 4 * LONGEST_TEXT].splitlines()[:MOST_LINES]]
    return "\n".join(lines)[:LONGEST_TEXT].strip()


def _cleaned(name: str, value: object) -> object:
    if isinstance(value, str):
        return some_lines(value) if name == "module_text" else one_line(value)
    if isinstance(value, tuple):
        return [one_line(str(item)) for item in value[:MOST_LINES]]
    return value
