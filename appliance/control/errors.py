"""Why a verb could not do what was asked: one exception, with a kind that programs can tell apart."""

from __future__ import annotations

from typing import Literal

Kind = Literal["failed", "invalid", "not-running", "busy", "not-found", "not-allowed"]
"""``failed``: it was tried and did not work; ``invalid``: it makes no sense for this object; ``not-running``: no router
runs in this root; ``busy``: somebody works on it just now; ``not-found``: there is no such object; ``not-allowed``: not
for this user."""


class ControlError(Exception):
    """A verb did not do what was asked.

    Parameters
    ----------
    kind : Kind
        What sort of reason.
    text : str
        What happened, and where.
    advice : str
        What to do next; empty when there is nothing to add.
    """

    def __init__(self, kind: Kind, text: str, advice: str = "") -> None:
        super().__init__(f"{text}; {advice}" if advice else text)
        self.kind = kind
        self.text = text
        self.advice = advice
