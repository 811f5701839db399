"""Whose problem an error is, and what to do about it, in few words: they stand before the error itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

Cause = Literal[
    "unreachable",
    "rejected",
    "busy",
    "timeout",
    "aborted",
    "unable",
    "refused",
    "local",
    "altered",
    "unsupported",
    "module",
    "rules",
    "unreadable",
]
"""Why something does not go on: the kind of a failed attempt (`mercure.event_details.FailureKind`); a module failed;
the rules cannot decide; the model of the task cannot be read."""


class CauseWords(NamedTuple):
    """What is wrong, named by whose it is, and what a person does about it."""

    what: str
    to_do: str


CAUSE: Final[Mapping[Cause, CauseWords]] = {
    "unreachable": CauseWords("target unreachable", "check that it runs"),
    "rejected": CauseWords("target rejects us", "check the AE titles"),
    "busy": CauseWords("target has no free place", "it is retried"),
    "timeout": CauseWords("target too slow", "check its load"),
    "aborted": CauseWords("target breaks off", "look at its log"),
    "unable": CauseWords("target out of resources", "make room there"),
    "refused": CauseWords("target refuses images", "look at its log"),
    "local": CauseWords("router cannot send", "see the error"),
    "altered": CauseWords("our copy is damaged", "let the scanner send again"),
    "unsupported": CauseWords("target cannot take these", "convert or reroute"),
    "module": CauseWords("module failed", "look at its log"),
    "rules": CauseWords("rules cannot decide", "correct them, then retry"),
    "unreadable": CauseWords("task unreadable", "look into its folder"),
}
"""The first words are at most 24 characters, so that a column of a terminal of 80 columns shows them."""


def with_cause(cause: Cause | None, error: str) -> str:
    """Write an error with its cause first; without one the error alone."""
    if cause is None:
        return error
    words = CAUSE[cause]
    return f"{words.what}: {words.to_do}" + (f" · {error}" if error else "")
