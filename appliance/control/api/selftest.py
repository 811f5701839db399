"""The self-test."""

from __future__ import annotations

from typing import Final, Literal

from appliance.control.api.base import Verb
from mercure.model import Model

Outcome = Literal["ok", "warning", "failed", "not reached"]
"""``warning``: it works, and a person should look; ``not reached``: a step before it failed."""


class RunSelftest(Model):
    """Whether a made-up image is sent through; without, only what is there is looked at."""

    image: bool = True


class Step(Model):
    """One step: what came of it, how long it took, and what to do where it is not ``ok``."""

    name: str
    outcome: Outcome
    text: str
    advice: str = ""
    seconds: float = 0.0


class Selftest(Model):
    """All steps in their order; ``ok``: none failed."""

    ok: bool
    steps: tuple[Step, ...]
    seconds: float


RUN: Final = Verb(
    "selftest.run",
    RunSelftest,
    Selftest,
    "operator",
    "Look at disk, clock, permissions, programs and services, and send a made-up image through receiver, router and "
    "dispatcher in a folder of their own; no target and no history is touched.",
    changes=True,
    long=True,
)
