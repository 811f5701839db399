"""The report of the module: figures for each image and for each series."""

from __future__ import annotations

from typing import Final

from pydicom.dataset import Dataset

from modules.common import ModuleError, Work
from modules.statistics.pixels import NoPixelsError, Tally, tally

SETTINGS: Final = frozenset({"images", "notify"})
"""``images``: whether each image is listed (default true). ``notify``: a text to notify people with (default none)."""

_LONGEST_NOTE: Final = 1000


def report(work: Work) -> None:
    """Write the figures of all images to ``result.json``.

    Raises
    ------
    ModuleError
        There is no image, one is not DICOM, or a setting is unknown or wrong.
    """
    listed, note = _settings(work)
    files = work.files()
    if not files:
        raise ModuleError("there is no image in the input folder")
    images: list[dict[str, object]] = []
    series: dict[str, Tally] = {}
    for path in files:
        image = work.read(path)
        found = _describe(image)
        try:
            counted = tally(image)
        except NoPixelsError as error:
            found["not_counted"] = str(error)
        else:
            found |= counted.as_json()
            series.setdefault(str(image.get("SeriesInstanceUID", "")), Tally()).add(counted)
        images.append(found)
    result: dict[str, object] = {
        "images": len(images),
        "counted": sum("values" in found for found in images),
        "series": {uid: counted.as_json() for uid, counted in series.items()},
    }
    if listed:
        result["by_image"] = images
    if note:
        result["__mercure_notification"] = {"text": note, "requested": True}
    work.write_result(result)


def _settings(work: Work) -> tuple[bool, str]:
    unknown = sorted(set(work.settings) - SETTINGS)
    if unknown:
        raise ModuleError(f"unknown settings {unknown}; there are {sorted(SETTINGS)}")
    listed, note = work.settings.get("images", True), work.settings.get("notify", "")
    if not isinstance(listed, bool):
        raise ModuleError("the setting 'images' is true or false")
    if not isinstance(note, str) or len(note) > _LONGEST_NOTE:
        raise ModuleError(f"the setting 'notify' is a text of at most {_LONGEST_NOTE} characters")
    return listed, note


def _describe(image: Dataset) -> dict[str, object]:
    return {
        "sop_instance_uid": str(image.get("SOPInstanceUID", "")),
        "rows": int(image.get("Rows", 0) or 0),
        "columns": int(image.get("Columns", 0) or 0),
        "frames": int(image.get("NumberOfFrames", 1) or 1),
    }
