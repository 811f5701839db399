"""Proving that nothing acknowledged is lost."""

from __future__ import annotations

from typing import Final

from appliance.control.api.base import Verb
from mercure.history.verify.report import Report
from mercure.model import Model


class Verification(Model):
    """How thoroughly to look; `deep` reads every kept image and compares it with its digests."""

    deep: bool = False


RUN: Final = Verb("verify.run", Verification, Report, "viewer", "Account for every image ever acknowledged.", long=True)
