"""The work of the module: every image read, de-identified, and written under its new UID."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from pydicom.dataset import Dataset, FileDataset, FileMetaDataset

from modules.common import ModuleError, Work
from modules.deidentify.image import ImageDeidentifier
from modules.deidentify.settings import Settings, read_settings

_LIKELY_MODALITIES: Final = frozenset({"DOC", "ECG", "ES", "GM", "OP", "OT", "PX", "SC", "SM", "US", "XC"})
"""Modalities whose pictures often show a name, or are pictures of a paper or a face."""


def deidentify_all(work: Work) -> None:
    """De-identify all images of the input folder, and report what a person has to look at.

    Raises
    ------
    ModuleError
        A setting is wrong, there is no image, one cannot be read or written, or one may show an identity and the
        settings refuse such.
    """
    settings = read_settings(work.settings)
    files = work.files()
    if not files:
        raise ModuleError("there is no image in the input folder")
    deidentifier = ImageDeidentifier(settings)
    warnings: dict[str, int] = {}
    for path in files:
        try:
            image = work.read(path)
            for warning in _warnings(image, settings):
                warnings[warning] = warnings.get(warning, 0) + 1
            deidentifier.apply(image)
            _write(image, work.outputs)
        except (RecursionError, ValueError, TypeError, KeyError, AttributeError, NotImplementedError) as error:
            raise ModuleError(f"{path.name} cannot be de-identified: {type(error).__name__}: {error}") from error
    work.write_result(_result(len(files), settings, warnings))


def _result(images: int, settings: Settings, warnings: dict[str, int]) -> dict[str, object]:
    result: dict[str, object] = {
        "images": images,
        "options": sorted(settings.options),
        "warnings": [{"text": text, "images": number} for text, number in sorted(warnings.items())],
    }
    if warnings:
        lines = "; ".join(f"{text} ({number} images)" for text, number in sorted(warnings.items()))
        result["__mercure_notification"] = {"text": f"De-identified images need a look: {lines}", "requested": True}
    return result


def _warnings(image: Dataset, settings: Settings) -> list[str]:
    """Tell why the pixels may show who it is; the profile does not touch them (PS3.15 section E.3.1)."""
    found = []
    burned, modality = str(image.get("BurnedInAnnotation", "")), str(image.get("Modality", ""))
    if burned == "YES":
        found.append("the image says that an annotation is burned in")
    elif burned != "NO" and modality in _LIKELY_MODALITIES:
        found.append(f"images of modality {modality} often have annotations burned in, and this one does not deny it")
    if str(image.get("RecognizableVisualFeatures", "")) == "YES":
        found.append("the image says that a face can be recognised in it")
    if found and settings.burned_in == "refuse":
        raise ModuleError(f"{found[0]}; clean the pixels first, or set 'burned_in' to 'warn'")
    return found


def _write(image: FileDataset, outputs: Path) -> None:
    """Write an image with a new meta header and an empty preamble: both may name the sender."""
    old = image.file_meta
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = old.TransferSyntaxUID
    image.file_meta.MediaStorageSOPClassUID = image.SOPClassUID
    image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
    image.preamble = bytes(128)
    path = outputs / f"{image.SOPInstanceUID}.dcm"
    if path.exists():  # a sender may have used the UID in two series
        path = outputs / f"{image.SOPInstanceUID}#{image.get('SeriesInstanceUID', '')}.dcm"
    if path.exists():
        raise ModuleError(f"two images have the SOP Instance UID that became {path.stem}")
    temporary = outputs / f".{path.name}.tmp"
    image.save_as(temporary, enforce_file_format=True)
    os.replace(temporary, path)
