"""``verify.run``."""

from __future__ import annotations

from appliance.control.api import verification as api
from appliance.control.verbs import Asked, carries_out
from appliance.control.verification import verify
from mercure.history.verify.report import Report


@carries_out(api.RUN)
def run(asked: Asked, wanted: api.Verification) -> Report:
    """Account for every image."""
    return verify(asked.session, deep=wanted.deep, report=asked.report)
