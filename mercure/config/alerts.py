"""Alert settings: each alert with its threshold and its switch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator, model_validator

from mercure.config.basics import Name, PositiveSeconds, Seconds
from mercure.model import Model


class AlertRule(Model):
    """What every alert has."""

    enabled: bool = True
    """``false``: this alert is never raised."""
    channels: tuple[Name, ...] | None = None
    """Channels by which this one is sent; absent: those of `alerts.channels`."""
    after_seconds: Seconds = 0
    """It is raised when its condition has lasted this long."""


class TargetDownAlert(AlertRule):
    """A target takes nothing."""

    after_seconds: Seconds = 300


class ModuleDownAlert(AlertRule):
    """A processing module cannot be run: its runner is down, or its image is missing."""

    after_seconds: Seconds = 60


class StuckAlert(AlertRule):
    """The oldest task of a stage waits for too long; 0: any time is right."""

    routing_seconds: Seconds = 300
    """For a series or study that is complete and waits for its rules to be evaluated."""
    processing_seconds: Seconds = 4 * 3600
    """For a task that waits for its modules, or is in one."""
    outgoing_seconds: Seconds = 3600
    """For a task that waits for its target."""
    studies_seconds: Seconds = 0
    """For a study that is being collected: since the first of its series was complete."""
    incoming_seconds: Seconds = 0
    """For a series that is still being received: since its last image."""


class QuarantineAlert(AlertRule):
    """Something lies in ``quarantine/``, or it is nearly full."""

    percent: Annotated[int, Field(ge=1, le=100)] = 80
    """It is nearly full when so much is taken of `receiver.quarantine_bytes` or `receiver.quarantine_objects`."""


class FailedAlert(AlertRule):
    """Something lies in ``error/``."""


class AlteredAlert(AlertRule):
    """Our copy of an image is not what was received, or cannot be read any more."""


class DiskAlert(AlertRule):
    """The disk of the spool is getting full."""

    free_bytes: Annotated[int, Field(ge=0)] | None = None
    """Below this much free space; absent: below `retention.pressure_free_bytes`. That images are refused is reported in
    any case."""
    forecast_seconds: Seconds = 4 * 3600
    """It is raised when images will be refused within this time, as the disk filled in the last minutes; 0: never."""
    kept_percent: Annotated[int, Field(ge=1, le=100)] = 80
    """It is raised when so much of `retention.keep_percent` is taken by what people have kept."""


class ServiceAlert(AlertRule):
    """A service does not start, was stopped, or has no process."""

    after_seconds: Seconds = 20


class CrashLoop(AlertRule):
    """A process has crashed three times within five minutes, or was given up."""


class SenderSilence(Model):
    """One sender's silence."""

    enabled: bool = True
    """``false``: no alert for this sender's silence."""
    seconds: PositiveSeconds | None = None
    """It is silent for too long after this time, day and night; absent: by its habit."""


class SilenceAlert(AlertRule):
    """A sender is silent for longer than is its habit."""

    learn_days: Annotated[int, Field(ge=14, le=180)] = 28
    """So far back its habit is learned from the history."""
    factor: Annotated[float, Field(ge=1, le=100)] = 1.5
    """A multiple of its longest usual silence."""
    least_hours: Annotated[float, Field(ge=0.5, le=1000)] = 3
    """At least so many hours in which it usually sends must have passed."""
    senders: dict[str, SenderSilence] = {}
    """Exceptions, by calling AE title, or ``AE_TITLE@address`` for one of several with the same."""


class CertificateAlert(AlertRule):
    """A certificate is about to expire, or cannot be read.

    Watched are those that the configuration names, and those that targets and senders show over TLS.
    """

    files: tuple[Path, ...] = ()
    """Further PEM files that are watched."""
    warn_days: Annotated[int, Field(ge=1, le=1000)] = 30
    """Days before it expires that the warning begins."""
    remind_days: Annotated[int, Field(ge=0, le=1000)] = 14
    """Days before it expires that the warning is sent again, also where it was acknowledged."""
    critical_days: Annotated[int, Field(ge=0, le=1000)] = 3
    """Days before it expires that the alert becomes critical."""

    @field_validator("files")
    @classmethod
    def _absolute(cls, value: tuple[Path, ...]) -> tuple[Path, ...]:
        if not all(path.is_absolute() for path in value):
            raise ValueError("the path of a certificate is absolute")
        return value

    @model_validator(mode="after")
    def _in_order(self) -> CertificateAlert:
        if self.critical_days > self.warn_days:
            raise ValueError("'critical_days' is more than 'warn_days': nobody would be warned before")
        return self


class HistoryLag(AlertRule):
    """The history cannot be queried, lags behind, or grows beyond its bounds."""

    lag_seconds: PositiveSeconds = 60
    """The oldest event that the history has not recorded is older than this."""
    after_seconds: Seconds = 30
    outbox_bytes: Annotated[int, Field(ge=1_000_000)] = 2_000_000_000
    """More than this waits in the outbox: some million images that the history has not heard of."""
    size_bytes: Annotated[int, Field(ge=1_000_000)] = 50_000_000_000
    """The history itself is larger; `history.keep_days` bounds it."""


class VerifyAlert(AlertRule):
    """The proof of the night found something, could not check everything, or is overdue."""

    overdue_hours: Annotated[float, Field(ge=25, le=10_000)] = 72
    """The last complete proof is older than this."""


class ClockAlert(AlertRule):
    """Nothing keeps the machine's clock in time, or only badly."""

    max_error_seconds: PositiveSeconds = 5
    """The largest error that the kernel may assume."""
    after_seconds: Seconds = 3600


class NotificationsFailing(AlertRule):
    """A channel does not take messages, or messages were given up."""

    after_seconds: Seconds = 900


class ConfigurationAlert(AlertRule):
    """The configuration file cannot be used, and the revision before it goes on."""


class SpoolPlaceAlert(AlertRule):
    """The spool is not where the configuration says, a move of it was not finished, or it has several file systems."""


class Incident(AlertRule):
    """What happened and left nothing that could be looked at."""

    keep_seconds: PositiveSeconds = 86400
    """It is over when it has not happened again for so long."""


class SenderRefused(Incident):
    """A sender was not let in."""


class ImagesTruncated(Incident):
    """A sender sent images with pixel data that is not whole: they are kept and delivered as they came."""


class RuleSilent(Incident):
    """A rule that used to fire for a sender does not any more."""


class Unrouted(Incident):
    """Series of a sender are discarded because no rule wants them, and that is not usual for it."""


class LoopFound(Incident):
    """Images come back that were sent on before."""


class MixedSeries(Incident):
    """A series held images of several senders, studies or patients."""


class NameTaken(Incident):
    """Another router writes into the history under the same name, or with a copy of this spool."""


class BackupFailed(Incident):
    """A backup could not be made, lacks something, or the last one is old."""

    keep_seconds: PositiveSeconds = 2 * 86400
    """It is over when it has not happened again for so long, or when a whole one was made."""
    overdue_hours: Annotated[float, Field(ge=0, le=10_000)] = 50
    """The last backup is older than this; 0: that does not matter. A router that never made one is not told of it."""


class AuditTrailLost(Incident):
    """The audit repository cannot be reached, or messages for it were left out."""

    keep_seconds: PositiveSeconds = 86400
    """It is over when it has not happened again for so long, or when the repository is reached."""


class AlertSettings(Model):
    """What people are alerted to."""

    channels: tuple[Name, ...] = ()
    """Channels by which alerts are sent when they are raised and when they are over."""
    clear_seconds: Seconds = 60
    """An alert is over when its cause is gone for so long: what comes and goes is one alert, not many."""
    repeat_seconds: Seconds = 86400
    """An alert that lasts and was not acknowledged is sent again after this time; 0: never."""
    target_down: TargetDownAlert = TargetDownAlert()
    module_down: ModuleDownAlert = ModuleDownAlert()
    stuck: StuckAlert = StuckAlert()
    quarantine: QuarantineAlert = QuarantineAlert()
    failed: FailedAlert = FailedAlert()
    altered: AlteredAlert = AlteredAlert()
    disk: DiskAlert = DiskAlert()
    service: ServiceAlert = ServiceAlert()
    crash_loop: CrashLoop = CrashLoop()
    silence: SilenceAlert = SilenceAlert()
    certificate: CertificateAlert = CertificateAlert()
    history: HistoryLag = HistoryLag()
    clock: ClockAlert = ClockAlert()
    notification: NotificationsFailing = NotificationsFailing()
    configuration: ConfigurationAlert = ConfigurationAlert()
    refused: SenderRefused = SenderRefused()
    rule: RuleSilent = RuleSilent()
    unrouted: Unrouted = Unrouted()
    loop: LoopFound = LoopFound()
    spool: SpoolPlaceAlert = SpoolPlaceAlert()
    name: NameTaken = NameTaken()
    backup: BackupFailed = BackupFailed()
    audit: AuditTrailLost = AuditTrailLost()
    mixed: MixedSeries = MixedSeries()
    truncated: ImagesTruncated = ImagesTruncated()
    verify: VerifyAlert = VerifyAlert()

    def rules(self) -> dict[str, AlertRule]:
        """Return every rule by its key."""
        return {name: value for name, value in self if isinstance(value, AlertRule)}
