"""What is assumed where an image names no character set holds for what a module makes of it, too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pydicom
import pytest

from mercure.spool import Stage, read_tags
from tests.support.modules import COPY, configure, process_all, put_task, script

if TYPE_CHECKING:
    from tests.support.box import Box

SENDER = {"address": "192.0.2.7", "calling_aet": "CT1"}


@pytest.mark.parametrize("torn", [False, True], ids=["lines", "a torn line"])
@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"senders": {"ct": {"ae_titles": ["CT1"], "character_set": "ISO_IR 100"}}}, "M\xfcller"),
        ({"receiver": {"character_set": "ISO_IR 144"}}, "M\u045cller"),
        ({"senders": {"mr": {"ae_titles": ["MR1"], "character_set": "ISO_IR 100"}}}, "M\ufffdller"),
    ],
    ids=["of the sender", "in general", "of another sender"],
)
def test_tags_of_a_result_are_read_in_the_character_set_of_the_sender(
    box: Box, settings: dict[str, Any], name: str, *, torn: bool
) -> None:
    configure(box, {"copy": script(COPY)}, **settings)
    task = put_task(box, "copy", count=1, origin=SENDER)
    (path,) = task.glob("*.dcm")
    image = pydicom.dcmread(path)
    image.PatientName = "MXller"
    image.pop("SpecificCharacterSet", None)
    image.save_as(path)
    path.write_bytes(path.read_bytes().replace(b"MXller", b"M\xfcller"))
    if torn:
        (task / "tags.jsonl").write_bytes(b"")
    process_all(box)
    (result,) = box.tasks(Stage.OUTGOING)
    (line,) = read_tags(result)
    assert line["PatientName"] == name
