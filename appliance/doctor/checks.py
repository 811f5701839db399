"""All questions of the doctor, in their order."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from appliance.control.errors import ControlError
from appliance.doctor.disks import healthy, mirrored, mounted
from appliance.doctor.host import EXPECTED, Answer, Check, Expected, Look
from appliance.doctor.installed import backed_up, owned, released
from appliance.doctor.network import certified, filtered, guarded, nics_set
from appliance.doctor.system import on_time, running, set_up, up_to_date
from mercure.model import Model

QUESTIONS: Final[dict[str, tuple[Check, str]]] = {
    "mounts": (mounted, "the data disk is mounted as it was set up"),
    "disks": (healthy, "no disk complains"),
    "mirror": (mirrored, "no mirror misses a disk"),
    "kernel": (set_up, "the kernel's settings are those that were written"),
    "network": (nics_set, "the network interfaces are set as they can be"),
    "firewall": (filtered, "the rules of the inventory are in force"),
    "logins": (guarded, "sshd takes keys and nothing else"),
    "clock": (on_time, "it is kept right"),
    "units": (running, "all run, and come back at the next boot"),
    "updates": (up_to_date, "none waits"),
    "release": (released, "the one that is installed is whole, and runs"),
    "permissions": (owned, "all belongs to whom it should"),
    "certificate": (certified, "it is good for more than a month"),
    "backups": (backed_up, "there is one of the last nights"),
}
"""For each question who answers it, and what is said where nothing was found."""


class Diagnosis(Model):
    """All answers; ``ok``: none failed."""

    ok: bool
    answers: tuple[Answer, ...]


def expected(top: Path = Path("/")) -> Expected:
    """Read what the playbook set.

    Raises
    ------
    ControlError
        No playbook was here, or the file is damaged.
    """
    file = top / EXPECTED
    try:
        return Expected.model_validate(json.loads(file.read_text()))
    except FileNotFoundError as error:
        advice = "on a laptop there is nothing to compare with: `mercure selftest` looks at the router itself"
        raise ControlError(
            "not-found", f"this host was not made by the playbook: there is no {file}", advice
        ) from error
    except ValueError as error:
        raise ControlError("failed", f"{file} cannot be read: {error}", "play again: it is written anew") from error


def examine(look: Look) -> Diagnosis:
    """Ask all questions."""
    answers = tuple(answer for question in QUESTIONS for answer in _asked(question, look))
    return Diagnosis(ok=all(answer.outcome != "failed" for answer in answers), answers=answers)


def _asked(question: str, look: Look) -> Iterator[Answer]:
    check, well = QUESTIONS[question]
    findings = list(check(look))
    if not findings:
        yield Answer(question=question, outcome="ok", text=well)
    for finding in findings:
        yield Answer(question=question, outcome=finding.outcome, text=finding.text, mend=finding.mend)
