"""``jobs.*``."""

from __future__ import annotations

from appliance.control.api import jobs as api
from appliance.control.api.base import Nothing
from appliance.control.rpc.jobs import Jobs
from appliance.control.verbs import Asked, carries_out


@carries_out(api.LIST)
def list_(asked: Asked, wanted: Nothing) -> api.Jobs:
    """List them."""
    return api.Jobs(jobs=_jobs(asked).list())


@carries_out(api.JOIN)
def join(asked: Asked, wanted: api.OneJob) -> api.JobResult:
    """Follow one."""
    job = _jobs(asked).find(wanted.job)
    job.follow(asked.report)
    return job.result()


def _jobs(asked: Asked) -> Jobs:
    """Return those of the service; where a verb is carried out without one, there are none."""
    return asked.jobs if asked.jobs is not None else Jobs(asked.session.clock)
