"""Results of an attempt: what the target says of each image, on its way to the ledger; and our own bad copies."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

from mercure.dicom.integrity import IntegrityState, examine
from mercure.spool import LedgerLine, add_to_ledger
from mercure.spool.altered_images import BadState
from mercure.spool.task import Converted
from mercure.targets import ImageResult

LEDGER_SECONDS: Final = 0.5
LEDGER_LINES: Final = 100
"""Confirmations are written down after this time or number: a crash before means that these are sent again."""


@dataclass
class Results:
    """What the target says of the images, on its way to the ledger."""

    directory: Path
    target: str
    group: str | None
    destination: str
    now: Callable[[], datetime]
    took: Callable[[float], None] = lambda slowest: None
    """Told, after the ledger, that the target took images, and how many seconds the slowest of them took."""
    sent: int = 0
    confirmed: int = 0
    warnings: list[ImageResult] = field(default_factory=list)
    altered: list[ImageResult] = field(default_factory=list)
    """Those that are not as they were received."""
    suspect: list[ImageResult] = field(default_factory=list)
    """Those that could not be read or sent from here."""
    unsupported: list[ImageResult] = field(default_factory=list)
    """Those that the target takes in no form in which they can be had."""
    converted: dict[tuple[str, str, bool], Converted] = field(default_factory=dict)
    """Confirmed images by the transfer syntaxes from and to which they were converted, and whether another was
    preferred."""
    tried: set[str] = field(default_factory=set)
    """Images of which something was sent, or that cannot be sent."""
    contrast: bool = False
    """The target took an image after one that it did not take."""
    not_taken: int = 0
    """Images that the target was given since it last took one."""
    answered: int = 0
    """Of these, those that it refused by a status."""
    refused: OSError | None = None
    """The spool refused the ledger."""
    _slowest: float = 0.0
    _lines: list[LedgerLine] = field(default_factory=list)
    _flushed: float = field(default_factory=time.monotonic)

    def add(self, result: ImageResult) -> None:
        """Note the result of one image; what was confirmed is written down soon."""
        given = result.outcome != "not-sent"
        self.sent += given
        if given or result.kind:
            self.tried.add(result.file)
        if result.stored:
            self._add_stored(result)
            return
        for kind, kept in (("altered", self.altered), ("local", self.suspect), ("unsupported", self.unsupported)):
            if result.kind == kind:
                kept.append(result)
        if given and not result.kind:
            self.not_taken += 1
            self.answered += result.status is not None

    def _add_stored(self, result: ImageResult) -> None:
        self.confirmed += 1
        self._slowest = max(self._slowest, result.seconds)
        self.contrast = self.contrast or self.not_taken > 0
        self.not_taken = self.answered = 0
        if result.is_converted or result.passed_over:
            self._count_conversion(result)
        if result.outcome == "warning":
            self.warnings.append(result)
        status = result.status or "0x0000"
        line = LedgerLine(
            file=result.file,
            sop=result.sop,
            status=status,
            time=self.now(),
            target=self.target,
            group=self.group,
            destination=self.destination,
            sent_as=result.sent_as if result.is_converted else None,
        )
        self._lines.append(line)
        if len(self._lines) >= LEDGER_LINES or time.monotonic() - self._flushed > LEDGER_SECONDS:
            self.flush()

    def _count_conversion(self, result: ImageResult) -> None:
        own, other = result.syntax or "", result.sent_as or ""
        key = (own, other, bool(result.passed_over))
        first = Converted(images=0, from_syntax=own, to_syntax=other, passed_over=result.passed_over)
        so_far = self.converted.get(key, first)
        self.converted[key] = so_far.model_copy(update={"images": so_far.images + 1})

    def conversions(self) -> tuple[Converted, ...]:
        """Return the converted images by what they were and what they became."""
        return tuple(counted for _, counted in sorted(self.converted.items()))

    def flush(self) -> None:
        """Write down what was confirmed.

        Raises
        ------
        OSError
            The spool refuses the ledger.
        """
        try:
            add_to_ledger(self.directory, self._lines)
        except OSError as error:
            self.refused = error
            raise
        if self._lines:
            self.took(self._slowest)
        self._slowest = 0.0
        self._lines.clear()
        self._flushed = time.monotonic()


_STATES: Final[dict[IntegrityState, BadState]] = {
    IntegrityState.ALTERED: "altered",
    IntegrityState.UNREADABLE: "unreadable",
}


def read_again(directory: Path, result: ImageResult) -> tuple[ImageResult, BadState] | None:
    """Read the copy of an image that did not go once more.

    Parameters
    ----------
    directory : Path
        The task's.
    result : ImageResult
        That it could not be read or sent from here.

    Returns
    -------
    tuple or None
        The result for a copy that is bad, and how it is; None for one that can be read after all: it is tried again.
    """
    try:
        found = examine(directory / result.file)
    except FileNotFoundError:
        return None
    if found.state not in _STATES:
        return None
    return result.model_copy(update={"kind": "altered", "comment": found.text}), _STATES[found.state]
