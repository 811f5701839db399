"""Audit trail: where audit messages are sent to."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from mercure.config.basics import Port
from mercure.config.tls import TargetTls
from mercure.model import Model


class AuditRepository(Model):
    """An audit repository (IHE ATNA): syslog over TLS (RFC 5424, RFC 5425), with messages by PS3.15 A.5."""

    host: Annotated[str, Field(min_length=1, max_length=253)]
    """Its name or address."""
    port: Port = 6514
    """Its port."""
    tls: TargetTls = TargetTls()
    patient_names: bool = False
    """Messages name patients; their ids are in them in any case, since a trail that does not say whose images they
    were is none."""
    keep_days: Annotated[int, Field(ge=1, le=3650)] = 30
    """Days for which messages wait while it cannot be reached. What is older then is left out, and an alert says so. It
    stays in the history."""


class AuditSettings(Model):
    """Where it is told who did what with images, beside the history."""

    repository: AuditRepository | None = None
    """Absent: nowhere."""
