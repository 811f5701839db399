"""Images that could not be read when they were to be sent: whether our copy is bad, or it was an error that passed."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from mercure.dicom.integrity import IntegrityState, examine
from mercure.spool.altered_images import BadState
from mercure.targets import ImageResult

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
