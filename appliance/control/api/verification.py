"""Proving that nothing acknowledged is lost."""

from __future__ import annotations

from typing import Final

from appliance.control.api.base import Nothing, Verb
from mercure.bookkeeping.verify.report import Report

RUN: Final = Verb("verify.run", Nothing, Report, "viewer", "Account for every image ever acknowledged.", long=True)
