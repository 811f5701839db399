"""A module is given the last version of each image: two files of one SOP Instance UID would fail it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pydicom
import pytest

from mercure.processing.steps import records, step_folder
from mercure.spool import Stage, image_files, load_task, read_tags, save_task
from tests.support.modules import COPY, configure, ended, process_all, put_task, script
from tests.support.receipts import receive_again
from tests.support.series import seeded_uid

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.box import Box

LIST = COPY + '; ls "$MERCURE_IN_DIR"'


def add_version(task: Path, number: int = 2, name: str = "", **tags: Any) -> str:
    """Put another version of the first image beside it, with another patient's name in it, and return its file name."""
    first = sorted(task.glob("*.dcm"))[0]
    file = name or f"{first.stem}~{number}.dcm"
    image = pydicom.dcmread(first)
    image.PatientName = f"CORRECTED^{number}"
    image.SeriesInstanceUID = tags.get("SeriesInstanceUID", image.SeriesInstanceUID)
    image.save_as(task / file)
    lines = [json.loads(line) for line in (task / "tags.jsonl").read_text().splitlines()]
    lines.append({**next(line for line in lines if line["FileName"] == first.name), "FileName": file, **tags})
    (task / "tags.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    save_task(task, load_task(task).model_copy(update={"images": len(lines)}))
    return file


def names_in(path: Path) -> set[str]:
    return {str(pydicom.dcmread(image).PatientName) for image in path.glob("*.dcm")}


@pytest.mark.parametrize("received", [False, True])
def test_the_last_version_alone_goes_in(box: Box, received: bool) -> None:
    configure(box, {"copy": script(LIST)})
    task = put_task(box, "copy", count=2)
    for number in (2, 10, 3):
        add_version(task, number)
    if received:
        receive_again(task)
    process_all(box)
    stage, model = ended(box, task.name)
    assert (stage, model.failure) == (Stage.SUCCESS, None)
    directory = box.spool.entry(stage, task.name)
    assert len(image_files(directory)) == 5  # nothing is lost
    [result] = box.tasks(Stage.OUTGOING)
    assert load_task(result).images == 2
    assert all("~" not in image.name for image in image_files(result))
    assert "CORRECTED^10" in names_in(result)
    assert not names_in(result) & {"CORRECTED^2", "CORRECTED^3"}
    seen = (step_folder(directory, 1) / "log.txt").read_text()
    assert seen.count(".dcm") == 2
    assert "~" not in seen


def test_what_did_not_go_in_is_on_record_as_superseded(box: Box) -> None:
    configure(box, {"copy": script(COPY), "more": script(COPY)})
    task = put_task(box, "copy", "more", count=2)
    first = sorted(path.name for path in task.glob("*.dcm"))[0]
    second, _ = add_version(task, 2), add_version(task, 3)
    process_all(box)
    stage, _ = ended(box, task.name)
    [told] = box.events("images.superseded")
    assert (told.task, told.details["module"], told.details["images"]) == (task.name, "copy", 2)
    assert told.details["by"] == task.name
    one, other = records(box.spool.entry(stage, task.name))
    assert (set(one.superseded), one.superseded_files) == ({first, second}, 2)
    assert (other.superseded, other.superseded_files) == ((), 0)
    assert [event.details["images"] for event in box.events("module.started")] == [2, 2]
    assert not box.events("warning")


def test_one_version_of_each_is_nothing_to_tell(box: Box) -> None:
    configure(box, {"copy": script(COPY)})
    put_task(box, "copy", count=2)
    process_all(box)
    assert not box.events("images.superseded")


def test_a_copy_of_what_was_received_is_no_other_content(box: Box) -> None:
    configure(box, {"copy": script(COPY)})
    task = put_task(box, "copy", count=2)
    receive_again(task)
    process_all(box)
    assert ended(box, task.name)[0] is Stage.SUCCESS
    assert not box.events("warning")


def test_a_changed_image_is_compared_with_the_version_that_went_in(box: Box) -> None:
    change = COPY + "; sed -i 's/CORRECTED/CORRECTES/' \"$MERCURE_OUT_DIR\"/*.dcm"
    configure(box, {"change": script(change)})
    task = put_task(box, "change", count=1)
    add_version(task)
    process_all(box)
    [warned] = box.events("warning")
    assert "1 images with other content" in warned.details["text"]


def test_of_what_is_retained_the_last_version_is(box: Box) -> None:
    nothing = "echo '{}' > \"$MERCURE_OUT_DIR/result.json\""
    configure(box, {"measure": script(nothing, retain_inputs=True), "next": script(LIST)})
    task = put_task(box, "measure", "next", count=2)
    add_version(task)
    process_all(box)
    stage, model = ended(box, task.name)
    assert (stage, model.failure) == (Stage.SUCCESS, None)
    [result] = box.tasks(Stage.OUTGOING)
    assert load_task(result).images == 2
    assert "CORRECTED^2" in names_in(result)
    assert {line["FileName"] for line in read_tags(result)} == {image.name for image in image_files(result)}


def test_where_the_module_wrote_an_image_no_version_of_it_is_retained(box: Box) -> None:
    configure(box, {"copy": script(COPY, retain_inputs=True)})
    task = put_task(box, "copy", count=2)
    add_version(task)
    process_all(box)
    [result] = box.tasks(Stage.OUTGOING)
    assert load_task(result).images == 2


def test_a_version_of_a_later_series_of_the_study_is_the_last(box: Box) -> None:
    """What came late stands in the study under a name with an ``s``; when it came, the tag line says."""
    configure(box, {"copy": script(LIST)})
    task = put_task(box, "copy", count=2, scope="study", seed="study")
    first = sorted(path.name for path in task.glob("*.dcm"))[0]
    early, late = "20261130T100000000000-0000000a", "20261130T110000000000-0000000b"
    lines = [json.loads(line) for line in (task / "tags.jsonl").read_text().splitlines()]
    (task / "tags.jsonl").write_text("".join(f"{json.dumps({**line, 'RoutedAs': late})}\n" for line in lines))
    add_version(task, name=first.replace(".dcm", "~s2.dcm"), RoutedAs=early)
    process_all(box)
    stage, model = ended(box, task.name)
    assert (stage, model.failure) == (Stage.SUCCESS, None)
    [result] = box.tasks(Stage.OUTGOING)
    assert load_task(result).images == 2
    assert "CORRECTED^2" not in names_in(result)
    assert {line["RoutedAs"] for line in read_tags(result)} == {late}


@pytest.mark.parametrize("retain", [False, True])
def test_one_uid_in_two_series_of_a_study_goes_through_a_module(box: Box, retain: bool) -> None:
    """A sender that gives one SOP Instance UID twice must not keep the study from being processed."""
    by_series = (
        'for file in "$MERCURE_IN_DIR"/*.dcm; do name="${file##*/}"; cp "$file" "$MERCURE_OUT_DIR/$name"; done; '
        'ls "$MERCURE_IN_DIR"'
    )
    configure(box, {"copy": script(by_series, retain_inputs=retain), "again": script(by_series)})
    task = put_task(box, "copy", "again", count=2, scope="study")
    first = sorted(path.name for path in task.glob("*.dcm"))[0]
    add_version(task, name=first.replace(".dcm", "~s2.dcm"), SeriesInstanceUID=seeded_uid("series", "other"))
    process_all(box)
    stage, model = ended(box, task.name)
    assert (stage, model.failure) == (Stage.SUCCESS, None)
    [result] = box.tasks(Stage.OUTGOING)
    assert load_task(result).images == 3
    assert "CORRECTED^2" in names_in(result)
    assert not box.events("images.superseded")


def test_a_retried_run_gets_the_same(box: Box) -> None:
    ran = '"$MODULE_PERSISTENCE_DIR/ran"'
    fails_once = f"if ! test -e {ran}; then touch {ran}; exit 1; fi; {COPY}"
    configure(box, {"copy": script(fails_once, persistence="kept", retry_seconds=1, max_failures=3)})
    task = put_task(box, "copy", count=1)
    add_version(task)
    process_all(box)
    assert ended(box, task.name)[0] is Stage.SUCCESS
    assert len(box.events("images.superseded")) == 1
    [result] = box.tasks(Stage.OUTGOING)
    assert names_in(result) == {"CORRECTED^2"}
