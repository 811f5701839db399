"""Status page settings."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Annotated

from pydantic import Field, field_validator

from mercure.model import Model

Network = IPv4Network | IPv6Network


class StatusPage(Model):
    """The read-only web page for clinicians and monitors ([its manual](../administration/status-page.md)).

    ``services.json`` says whether it runs. A change of ``bind`` or ``port`` needs a restart of the service ``page``;
    everything else is taken up within seconds.
    """

    bind: str = "127.0.0.1"
    """Address to listen on. It speaks HTTP: for others than this machine put a proxy with TLS in front."""
    port: Annotated[int, Field(ge=1, le=65535)] = 8080
    """TCP port to listen on."""
    masked: bool = True
    """Hide what identifies: accession numbers but for their end, addresses, UIDs, descriptions of series."""
    allowed_networks: tuple[Network, ...] = ()
    """Networks that may see the page (``10.1.0.0/16``); empty: any that can reach the port."""
    trusted_proxies: tuple[Network, ...] = ()
    """Proxies whose ``X-Forwarded-For`` is trusted; empty: none."""
    refresh_seconds: Annotated[int, Field(ge=2, le=3600)] = 10
    """How often the wall view loads itself anew; all other pages stand still."""
    hours: Annotated[int, Field(ge=1, le=168)] = 24
    """The span of the chart and of the sums."""
    searches_per_minute: Annotated[int, Field(ge=1, le=600)] = 20
    """Searches for exams that one address may make."""
    metric_labels: Annotated[int, Field(ge=1, le=1000)] = 100
    """Senders, targets and so on that a metric lists one by one; all further ones are combined as ``other``."""

    @field_validator("bind")
    @classmethod
    def _address(cls, value: str) -> str:
        try:
            return str(ip_address(value))
        except ValueError as error:
            raise ValueError(f"{value!r} is not an address; 127.0.0.1 is this machine, 0.0.0.0 all of its") from error
