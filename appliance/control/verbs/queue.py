"""``queue.*``."""

from __future__ import annotations

from appliance.control.api import queue as api
from appliance.control.queue import studies, task_actions
from appliance.control.queue.listing import list_queue
from appliance.control.verbs import Asked, carries_out


@carries_out(api.LIST)
def list_(asked: Asked, wanted: api.ListQueue) -> api.Queue:
    """List what waits."""
    return list_queue(asked.session, wanted)


@carries_out(api.SHOW)
def show(asked: Asked, wanted: api.OneTask) -> api.TaskDetail:
    """Show a task."""
    return task_actions.show(asked.session, wanted.task)


@carries_out(api.RETRY)
def retry(asked: Asked, wanted: api.ChangeTask) -> api.Changed:
    """Send a task on its way again."""
    return task_actions.retry(asked.session, wanted.task, wanted.reason)


@carries_out(api.HOLD)
def hold(asked: Asked, wanted: api.ChangeTask) -> api.Changed:
    """Stop a task."""
    return task_actions.hold(asked.session, wanted.task, wanted.reason)


@carries_out(api.RELEASE)
def release(asked: Asked, wanted: api.ChangeTask) -> api.Changed:
    """Let a task go on."""
    return task_actions.release(asked.session, wanted.task, wanted.reason)


@carries_out(api.REROUTE)
def reroute(asked: Asked, wanted: api.RerouteTask) -> api.Changed:
    """Send a task elsewhere."""
    return task_actions.reroute(asked.session, wanted.task, wanted.target, wanted.reason)


@carries_out(api.DISCARD)
def discard(asked: Asked, wanted: api.ChangeTask) -> api.Changed:
    """Throw a task away."""
    return task_actions.discard(asked.session, wanted.task, wanted.reason)


@carries_out(api.FORCE_STUDY)
def force_study(asked: Asked, wanted: api.ForceStudy) -> api.ForcedStudies:
    """Complete a study."""
    return studies.force(asked.session, wanted.study, wanted.reason)
