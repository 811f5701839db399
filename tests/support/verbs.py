"""Verbs carried out in this process, by whoever the session is of."""

from __future__ import annotations

import os
from collections.abc import Callable

from appliance.control.api.base import Progress
from appliance.control.api.queue import Changed
from appliance.control.api.services import ScaleService
from appliance.control.api.targets import EchoAnswer, EchoTarget
from appliance.control.registry import Asked, find
from appliance.control.roles import Caller
from appliance.control.services.actions import scale
from appliance.control.session import Session
from appliance.control.targets.targets import echo
from mercure.task_verbs import VerbName


def asked(session: Session, report: Callable[[Progress], None] = lambda progress: None) -> Asked:
    """Ask as an administrator."""
    return Asked(session, Caller(session.user, os.geteuid(), "admin"), report)


def change_task(session: Session, verb: VerbName, task: str, reason: str = "", **more: str) -> Changed:
    """Carry a verb on tasks out."""
    bound = find(f"queue.{verb}")
    changed: Changed = bound.run(asked(session), bound.verb.request(task=task, reason=reason, **more))
    return changed


def echo_target(session: Session, name: str) -> EchoAnswer:
    """Ask a target of the configuration."""
    return echo(asked(session), EchoTarget(name=name))


def scale_service(session: Session, name: str, instances: int) -> int:
    """Give a service another number of processes, also one that no request may ask for; return the revision."""
    wanted = ScaleService.model_construct(name=name, instances=instances, edited_from=None)
    return scale(asked(session), wanted).revision
