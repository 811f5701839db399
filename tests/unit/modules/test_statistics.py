"""The module that reports statistics: against figures worked out by hand, and with images that have none."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, JPEG2000Lossless

from modules.common import ModuleError, Work
from modules.statistics.pixels import NoPixelsError, Tally, tally
from modules.statistics.report import report

if TYPE_CHECKING:
    from pathlib import Path


def image(values: list[int], *, bits: int = 16, signed: bool = False, **tags: object) -> Dataset:
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.SOPClassUID, made.SOPInstanceUID, made.SeriesInstanceUID = "1.2.840.10008.5.1.4.1.1.7", "1.2.3", "1.2"
    made.Rows, made.Columns, made.SamplesPerPixel = 1, len(values), 1
    made.BitsAllocated, made.BitsStored, made.HighBit = bits, bits, bits - 1
    made.PixelRepresentation = int(signed)
    made.PixelData = b"".join(value.to_bytes(bits // 8, "little", signed=signed) for value in values)
    for keyword, value in tags.items():
        setattr(made, keyword, value)
    return made


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (image([1, 2, 3, 4]), (1, 4, 2.5, 1.118034)),
        (image([1, 2, 3, 4], bits=8), (1, 4, 2.5, 1.118034)),
        (image([-2, 2], signed=True), (-2, 2, 0, 2)),
        (image([0, 10], RescaleSlope="2", RescaleIntercept="-5"), (-5, 15, 5, 10)),
        (image([0, 10], RescaleSlope="-1", RescaleIntercept="0"), (-10, 0, -5, 5)),
        (image([0xF001, 0xF003], BitsStored=12, HighBit=11), (1, 3, 2, 1)),
        (image([0x0FFF, 0x0001], signed=True, BitsStored=12, HighBit=11), (-1, 1, 0, 1)),
        (image([7, 7, 9, 9], NumberOfFrames="2", Columns=2), (7, 9, 8, 1)),
    ],
)
def test_figures_are_those_worked_out_by_hand(made: Dataset, expected: tuple[float, ...]) -> None:
    found = tally(made).as_json()
    assert tuple(found[name] for name in ("minimum", "maximum", "mean", "standard_deviation")) == expected


def test_big_endian_values_are_turned(tmp_path: Path) -> None:
    made = image([256, 512])
    made.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    made.PixelData = b"\x01\x00\x02\x00"
    made.save_as(tmp_path / "big.dcm", enforce_file_format=True)
    assert tally(pydicom.dcmread(tmp_path / "big.dcm")).as_json()["mean"] == 384


def test_two_images_add_up_as_one() -> None:
    whole, parts = tally(image([1, 2, 3, 4, 5, 6])), Tally()
    parts.add(tally(image([1, 2, 3])))
    parts.add(tally(image([4, 5, 6])))
    assert parts.as_json() == whole.as_json()


@pytest.mark.parametrize("what", ["none", "compressed", "short", "odd"])
def test_what_cannot_be_counted_says_why(what: str) -> None:
    made = image([1, 2])
    if what == "none":
        del made.PixelData
    elif what == "compressed":
        made.file_meta.TransferSyntaxUID = JPEG2000Lossless
    elif what == "short":
        made.Rows = 100
    else:
        made.BitsAllocated = 12
    with pytest.raises(NoPixelsError) as caught:
        tally(made)
    assert str(caught.value)


def folders(tmp_path: Path, *images: Dataset, **settings: object) -> Work:
    work = Work(tmp_path / "in", tmp_path / "out", settings)
    for folder in (work.inputs, work.outputs):
        folder.mkdir()
    for number, made in enumerate(images):
        made.save_as(work.inputs / f"{number}.dcm", enforce_file_format=True)
    return work


def test_the_report_counts_images_and_series(tmp_path: Path) -> None:
    without = image([1])
    del without.PixelData
    work = folders(tmp_path, image([1, 2]), image([3, 4]), without, notify="look")
    report(work)
    result = json.loads((work.outputs / "result.json").read_text())
    assert (result["images"], result["counted"], len(result["by_image"])) == (3, 2, 3)
    assert result["series"]["1.2"]["mean"] == 2.5
    assert "no pixel data" in result["by_image"][2]["not_counted"]
    assert result["__mercure_notification"] == {"text": "look", "requested": True}


@pytest.mark.parametrize("settings", [{"colour": 1}, {"images": "yes"}, {"notify": 7}])
def test_wrong_settings_are_refused(tmp_path: Path, settings: dict[str, object]) -> None:
    with pytest.raises(ModuleError, match="setting"):
        report(folders(tmp_path, image([1]), **settings))
