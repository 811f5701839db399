"""When a change of a setting counts: within seconds, or after the restart of a service."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from appliance.control.api.base import Difference

EVERY_SERVICE: Final = "all services"

RESTART: Final[Mapping[str, str]] = {
    "spool": EVERY_SERVICE,
    "status_page.bind": "page",
    "status_page.port": "page",
}
"""Settings that a service reads only as it starts, and the service. It is restarted by a person."""

RENEWS: Final[Mapping[str, str]] = {
    "receiver.bind": "receiver",
    "receiver.plain": "receiver",
    "receiver.port": "receiver",
}
"""Settings for which a service ends what it has begun and starts again by itself."""


def services_of(table: Mapping[str, str], changed: Iterable[Difference]) -> tuple[str, ...]:
    """Return the services that a table names for a change; one of a whole section is one of all in it."""
    places = [item.place for item in changed]
    found = {service for setting, service in table.items() for place in places if _concerns(place, setting)}
    return tuple(sorted(found))


def _concerns(place: str, setting: str) -> bool:
    return setting == place or setting.startswith(f"{place}.")
