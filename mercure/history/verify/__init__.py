"""``mercure verify``: every image ever acknowledged is accounted for, or it is named."""

from mercure.history.verify.engine import Verifier, verify
from mercure.history.verify.report import VIOLATIONS, DeepReport, Deliveries, Finding, Kind, Report

__all__ = ["VIOLATIONS", "DeepReport", "Deliveries", "Finding", "Kind", "Report", "Verifier", "verify"]
