"""A test send: made-up images without a patient, by the way of a real delivery, so that what fails there fails here."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Final

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    SecondaryCaptureImageStorage,
    generate_uid,
)

from appliance.control.api import targets as api
from appliance.control.api.base import Progress
from appliance.control.api.targets import TestSend, TestSent
from appliance.control.registry import Asked, carries_out_for_caller
from appliance.control.targets.targets import find_target, let_use
from mercure.config import TargetSettings
from mercure.dicom.uids import uid_name
from mercure.event_details import Identity
from mercure.names import new_id
from mercure.spool import Task
from mercure.targets import DeliveryJob, DicomSettings, ImageResult, open_target

PATIENT_ID: Final = "MERCURE-TEST"
PATIENT_NAME: Final = "Test^Mercure"
LONGEST_SECONDS: Final = 60.0
_SYNTAXES: Final = (
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
)
"""In which images can be made, the best one first."""
_SIDE: Final = 64
"""Rows and columns of an image."""


@carries_out_for_caller(api.TEST_SEND)
def send(asked: Asked, wanted: TestSend) -> TestSent:
    """Send made-up images to a target, where they stay.

    Raises
    ------
    ControlError
        There is no such target.
    """
    session, name, images = asked.session, wanted.name, wanted.images
    settings = find_target(session, name)
    folder = Path(tempfile.mkdtemp(prefix="test-send-", dir=session.root.run))
    results: list[ImageResult] = []

    def note(result: ImageResult) -> None:
        results.append(result)
        asked.report(Progress(done=len(results), total=images, text="images answered"))

    begin = session.clock.monotonic()
    try:
        series = write_images(folder, images, session.clock.now(), _syntax(settings))
        job = job_of(folder, series, note, session.clock.now())
        trouble = open_target(settings, session.config.targets).deliver(job)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    confirmed = sum(result.stored for result in results)
    refusals = "; ".join(dict.fromkeys(result.comment for result in results if result.comment and not result.stored))
    sent_as = tuple(dict.fromkeys(result.sent_as for result in results if result.stored and result.sent_as))
    form = f" in {' and '.join(map(uid_name, sent_as))}" if sent_as else ""
    text = trouble.text if trouble is not None else refusals or f"{confirmed} of {images} images were taken{form}"
    sent = TestSent(
        target=name,
        ok=confirmed == images,
        sent=images,
        confirmed=confirmed,
        seconds=round(session.clock.monotonic() - begin, 3),
        text=text,
        series_uid=series,
        sent_as=sent_as,
    )
    if confirmed:
        let_use(session, name, took=True)
    with session.changing() as events:
        session.audit(events, "targets.test_send", name, after=sent.model_dump(mode="json"))
    return sent


def _syntax(settings: TargetSettings) -> str:
    """Return the transfer syntax in which a target takes such images; the usual one where it does not say."""
    taken = settings.taken(SecondaryCaptureImageStorage, _SYNTAXES) if isinstance(settings, DicomSettings) else ()
    return next(iter(taken), ExplicitVRLittleEndian)


def job_of(folder: Path, series: str, note: Callable[[ImageResult], None], now: datetime) -> DeliveryJob:
    """Make a delivery of the images in a folder that `write_images` filled."""
    files = sorted(path.name for path in folder.glob("*.dcm"))
    task = Task(
        id=new_id(now),
        created=now,
        action="route",
        images=len(files),
        identity=Identity(PatientID=PATIENT_ID, PatientName=PATIENT_NAME, SeriesInstanceUID=series, Modality="OT"),
    )
    return DeliveryJob(folder, files, task, LONGEST_SECONDS, note, stopping=lambda: False)


def write_images(folder: Path, images: int, now: datetime, syntax: str = ExplicitVRLittleEndian) -> str:
    """Write images of a new series in a transfer syntax; return the UID of the series."""
    study, series = generate_uid(prefix=None), generate_uid(prefix=None)
    for number in range(1, images + 1):
        image = _image(study, series, number, now)
        image.file_meta.TransferSyntaxUID = UID(syntax)
        image.save_as(folder / f"{image.SOPInstanceUID}.dcm", enforce_file_format=True)
    return str(series)


def _image(study: str, series: str, number: int, now: datetime) -> Dataset:
    """Make a secondary capture image (PS3.3 section A.8.1): a grey ramp."""
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.SOPClassUID = image.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = generate_uid(prefix=None)
    image.StudyInstanceUID, image.SeriesInstanceUID = study, series
    image.PatientID, image.PatientName = PATIENT_ID, PATIENT_NAME
    image.PatientBirthDate = image.PatientSex = image.ReferringPhysicianName = image.AccessionNumber = ""
    image.StudyDate = image.SeriesDate = f"{now:%Y%m%d}"
    image.StudyTime = image.SeriesTime = f"{now:%H%M%S}"
    image.StudyID, image.SeriesNumber, image.InstanceNumber = "1", 1, number
    image.Modality, image.ConversionType = "OT", "SYN"
    image.StudyDescription = image.SeriesDescription = "Test of the mercure router"
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.Rows = image.Columns = _SIDE
    image.BitsAllocated = image.BitsStored = 8
    image.HighBit, image.PixelRepresentation = 7, 0
    image.PixelData = bytes(4 * column for column in range(_SIDE)) * _SIDE
    return image
