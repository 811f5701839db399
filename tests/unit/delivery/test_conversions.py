"""What the record of an attempt says of images that were converted, or that the target takes in no form."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appliance.presentation.phrases import conversions_in_words
from mercure.config import Retry, TargetSettings
from mercure.delivery.attempt import Deliverer
from mercure.spool import Claim, Stage, load_task, read_ledger
from mercure.spool.task import Converted
from mercure.targets import ImageResult, Trouble
from tests.support.targets import ScriptedTarget

if TYPE_CHECKING:
    from pathlib import Path

    from mercure.targets import DeliveryJob
    from tests.support.box import Box

EXPLICIT, IMPLICIT, JPEG_2000 = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.4.90"
NOT_TAKEN = "the target takes no MR Image Storage: SOP class not supported"


def converts_first(job: DeliveryJob) -> Trouble | None:
    """Take every image, the first as Implicit VR, and one that is not taken at all."""
    for place, name in enumerate(job.files):
        taken = dict(file=name, status="0x0000", outcome="confirmed", syntax=EXPLICIT, sent_as=EXPLICIT)
        if place == 0:
            taken["sent_as"] = IMPLICIT
        if name.endswith(".4.dcm"):
            taken = dict(file=name, outcome="refused", kind="unsupported", comment=NOT_TAKEN)
        job.report(ImageResult.model_validate(taken))
    return None


def attempted(box: Box, images: int) -> tuple[Path, Trouble | None, ScriptedTarget]:
    """Make one attempt for a task of some images; where the task then is, and what went wrong."""
    target = ScriptedTarget().then(converts_first)
    deliverer = Deliverer(
        spool=box.spool,
        events=box.context("dispatcher").events,
        clock=box.clock,
        name="archive",
        settings=TargetSettings(kind="scripted", retry=Retry(first_seconds=10, max_refusals=10)),
        target=target,
        stopping=lambda: False,
    )
    claim = Claim.take(box.waiting_task(images))
    assert claim is not None
    with claim:
        trouble = deliverer.attempt(claim, load_task(claim.path))
    (directory,) = [*box.tasks(Stage.SUCCESS), *box.tasks(Stage.ERROR), *box.tasks(Stage.OUTGOING)]
    return directory, trouble, target


def test_the_ledger_the_attempt_and_the_event_say_what_was_converted(box: Box) -> None:
    directory, trouble, _ = attempted(box, 3)
    assert (trouble, directory.parent.name) == (None, "success")
    assert [line.sent_as for line in read_ledger(directory).values()] == [IMPLICIT, None, None]
    (attempt,) = load_task(directory).attempts
    assert attempt.converted == (Converted(images=1, from_syntax=EXPLICIT, to_syntax=IMPLICIT),)
    (event,) = box.events("task.attempt")
    (told,) = event.details["converted"]
    assert told == {"images": 1, "from_syntax": EXPLICIT, "to_syntax": IMPLICIT}


def test_what_the_target_takes_in_no_form_ends_in_error_at_once_and_the_others_go(box: Box) -> None:
    directory, trouble, target = attempted(box, 4)
    assert trouble is not None
    assert trouble.kind == "unsupported"
    assert directory.parent.name == "error", "it is not delivered"
    assert len(read_ledger(directory)) == 3
    assert len(target.asked) == 1, "ten tries would not help"
    failure = load_task(directory).failure
    assert failure is not None
    assert NOT_TAKEN in failure.reason
    assert "transfer_syntaxes" in failure.advice


def test_conversions_in_words() -> None:
    compressed = Converted(images=12, from_syntax=JPEG_2000, to_syntax=EXPLICIT)
    assert conversions_in_words(300, ()) == ""
    assert conversions_in_words(312, (compressed,)) == (
        "300 as received, 12 JPEG 2000 Image Compression (Lossless Only) → Explicit VR Little Endian"
    )
    documents = Converted(images=2, from_syntax=EXPLICIT, to_syntax=EXPLICIT, passed_over="JPEG-LS: it has no pixels")
    assert conversions_in_words(2, (documents,)) == "2 as received (not as JPEG-LS: it has no pixels)"
    private = Converted(images=1, from_syntax="1.2.3", to_syntax=IMPLICIT)
    assert conversions_in_words(1, (private,)) == "1 1.2.3 → Implicit VR Little Endian"
