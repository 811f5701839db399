"""``selftest.run``."""

from __future__ import annotations

from appliance import selftest
from appliance.control.api import selftest as api
from appliance.control.verbs import Asked, carries_out


@carries_out(api.RUN)
def run(asked: Asked, wanted: api.RunSelftest) -> api.Selftest:
    """Try everything."""
    return selftest.run(asked.session, image=wanted.image, report=asked.report)
