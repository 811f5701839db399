"""Stages of the spool."""

from __future__ import annotations

from enum import StrEnum


class Stage(StrEnum):
    """The folders of the spool; ``docs/reference/spool.md`` says what each holds."""

    RECEIVING = "receiving"
    INCOMING = "incoming"
    ROUTING = "routing"
    STUDIES = "studies"
    PROCESSING = "processing"
    OUTGOING = "outgoing"
    SUCCESS = "success"
    DISCARD = "discard"
    ERROR = "error"
    QUARANTINE = "quarantine"
    OUTBOX = "outbox"
    STATE = "state"
