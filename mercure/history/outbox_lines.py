"""One line of an outbox file: the event in it, or why it cannot be read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

from pydantic import ValidationError

from mercure.events import Event
from mercure.history.text import KEY_CHARS, cleaned, clip, storable
from mercure.names import derived_id, is_id

RAW_CHARS: Final = 2000
"""So much of what cannot be read is kept in the history."""

_ESCAPED_NUL: Final = b"\\u0000"
_FILE_ID_CHARS: Final = 30


class UnreadableError(ValueError):
    """A line that holds no event; the text says why."""


@dataclass(frozen=True, slots=True)
class OutboxLine:
    """A stretch of an outbox file, from `start` up to `end` in bytes: one event, or bytes that are none."""

    file: str
    start: int
    end: int
    event: Event | None
    raw: bytes = b""
    problem: str = ""


def read_line(file: str, start: int, raw: bytes, *, end: int) -> OutboxLine | None:
    """Read one line; None when it is blank."""
    if not raw.strip():
        return None
    try:
        return OutboxLine(file, start, end, parse(raw))
    except UnreadableError as error:
        torn = "" if raw.endswith(b"\n") else "an unfinished last line, "
        return OutboxLine(file, start, end, None, raw, f"{torn}{error}")


def parse(raw: bytes) -> Event:
    """Read an event, leniently where the harm is small: bad UTF-8 and lone surrogates become U+FFFD, as does NUL.

    Raises
    ------
    UnreadableError
        It is no event.
    """
    try:
        event = Event.model_validate_json(raw)
        if _ESCAPED_NUL in raw:
            event = Event.model_validate(cleaned(event.model_dump()))
    except ValidationError:
        event = _parse_leniently(raw)
    for name, value in (("id", event.id), ("task", event.task)):
        if value is not None and not 0 < len(value) <= KEY_CHARS:
            raise UnreadableError(f"{name} has {len(value)} characters, not 1 to {KEY_CHARS}")
    return event


def _parse_leniently(raw: bytes) -> Event:
    try:
        return Event.model_validate(cleaned(json.loads(raw.decode(errors="replace"))))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise UnreadableError(clip(f"{place}: {first['msg']}" if place else first["msg"])) from None
    except (ValueError, RecursionError) as error:
        raise UnreadableError(clip(f"not JSON: {error}")) from None


def unreadable_id(file: str, start: int) -> str:
    """Return the id of the row for unreadable bytes, the same whenever they are met."""
    origin = file.removesuffix(".jsonl")[-_FILE_ID_CHARS:]
    return derived_id(origin if is_id(origin) else "00010101T000000000000-00000000", f"unreadable:{file}:{start}")


def shown(raw: bytes) -> str:
    """Return bytes that could not be read as a text that a database and a screen can take."""
    text = raw[: RAW_CHARS * 4].decode(errors="backslashreplace")
    return clip(storable(text), RAW_CHARS)
