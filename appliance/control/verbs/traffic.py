"""``traffic.*`` and ``exams.find``."""

from __future__ import annotations

from appliance.control.api import traffic as api
from appliance.control.history import traffic
from appliance.control.verbs import Asked, carries_out


@carries_out(api.SENDERS)
def senders(asked: Asked, wanted: api.ListSenders) -> api.Senders:
    """List who sends."""
    return traffic.senders(asked.session, wanted.hours, wanted.limit)


@carries_out(api.RATES)
def rates(asked: Asked, wanted: api.RateOver) -> api.Rates:
    """Tell what came and went."""
    return traffic.rates(asked.session, wanted.hours, wanted.step)


@carries_out(api.TOTALS)
def totals(asked: Asked, wanted: api.CountAll) -> api.Totals:
    """Tell what every counter has come to."""
    return traffic.totals(asked.session, wanted.limit)


@carries_out(api.REFUSALS)
def refusals(asked: Asked, wanted: api.ListRefusals) -> api.Refusals:
    """List what senders were refused."""
    return traffic.refusals(asked.session, wanted.hours, wanted.limit)


@carries_out(api.EXAM)
def exam(asked: Asked, wanted: api.FindExam) -> api.ExamFound:
    """Tell where an exam is."""
    return traffic.exam(asked.session, wanted.accession)
