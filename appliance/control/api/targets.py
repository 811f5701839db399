"""The targets."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import AwareDatetime, Field, JsonValue

from appliance.control.api.base import Nothing, Saved, Verb
from mercure.delivery.target_certificate import TargetCertificate
from mercure.delivery.target_outage import TargetOutage
from mercure.dicom.capabilities import Capabilities
from mercure.model import Model


class TargetState(Model):
    """A target: its settings, how many tasks wait for it or failed, and its outage if the dispatchers know of one.

    ``waiting_images`` are those of the tasks that wait.

    ``taken`` is when it last took an image, absent where it never did; ``outage.until`` when it is asked next.
    ``certificate`` is what it showed last over TLS.
    """

    name: str
    kind: str
    disabled: bool
    settings: dict[str, Any]
    waiting: int = 0
    waiting_images: int = 0
    failed: int = 0
    outage: TargetOutage | None = None
    taken: AwareDatetime | None = None
    rules: tuple[str, ...] = ()
    certificate: TargetCertificate | None = None


class EchoAnswer(Model):
    """Whether a target would take images now, and what was found."""

    target: str
    kind: str
    ok: bool
    text: str
    seconds: float


class Targets(Model):
    """All targets in the order of the configuration, its revision, and the JSON schema of each kind's settings."""

    targets: tuple[TargetState, ...]
    revision: int
    kinds: dict[str, dict[str, JsonValue]]


class OneTarget(Model):
    """A target."""

    name: str


class EchoTarget(Model):
    """A target of the configuration, or settings that are not saved (yet)."""

    name: str
    settings: dict[str, JsonValue] | None = None


class ProbeTarget(OneTarget):
    """A target that is to be asked what it takes; ``associations``: so many are opened at once, to see how many it has.

    0: that is not asked.
    """

    associations: Annotated[int, Field(ge=0, le=64)] = 0


class Proposal(Model):
    """A setting that would suit the target better: as it is, as it could be, and why."""

    setting: str
    now: JsonValue
    proposed: JsonValue
    reason: str


class Probed(Model):
    """What a target takes, as it said when it was asked last.

    Without ``known`` it was never asked, or could not be: ``text`` and ``advice`` say which. ``settings`` are those of
    the target with what is proposed in them, as `targets.save` takes them, made from ``revision``; null where nothing
    is proposed.
    """

    target: str
    ok: bool
    text: str = ""
    advice: str = ""
    known: Capabilities | None = None
    proposals: tuple[Proposal, ...] = ()
    settings: dict[str, JsonValue] | None = None
    revision: int


class SaveTarget(Model):
    """A target as it is to be; `rename_from` gives one that is there a new name, in the rules and groups too."""

    name: str
    settings: dict[str, JsonValue]
    rename_from: str | None = None
    edited_from: int
    comment: Annotated[str, Field(max_length=2000)] = ""


class DeleteTarget(OneTarget):
    """A target that is to be removed; the rules that name it must be changed before."""

    edited_from: int
    comment: Annotated[str, Field(max_length=2000)] = ""


class TestSend(OneTarget):
    """Send made-up images without a patient to a target, where they stay."""

    images: Annotated[int, Field(ge=1, le=100)] = 1


class TestSent(Model):
    """What became of a test send; ``series_uid`` is by what it is found at the target.

    ``sent_as`` are the UIDs of the transfer syntaxes in which the images went, where the kind of target has such.
    """

    target: str
    ok: bool
    sent: int
    confirmed: int
    seconds: float
    text: str
    series_uid: str
    sent_as: tuple[str, ...] = ()


LIST: Final = Verb("targets.list", Nothing, Targets, "page", "List the targets and what waits for them.")
ECHO: Final = Verb("targets.echo", EchoTarget, EchoAnswer, "operator", "Ask a target whether it would take images now.")
TEST_SEND: Final = Verb(
    "targets.test_send",
    TestSend,
    TestSent,
    "operator",
    "Send made-up images to a target, by the way of a real delivery.",
    changes=True,
    long=True,
)
PROBE: Final = Verb(
    "targets.probe",
    ProbeTarget,
    Probed,
    "operator",
    "Ask a DICOM node what it takes, by an echo and negotiations alone; no image is sent.",
    long=True,
)
KNOWN: Final = Verb("targets.known", OneTarget, Probed, "viewer", "Tell what a target said last that it takes.")
SAVE: Final = Verb("targets.save", SaveTarget, Saved, "admin", "Add or change a target.", changes=True)
DELETE: Final = Verb("targets.delete", DeleteTarget, Saved, "admin", "Remove a target.", changes=True)
