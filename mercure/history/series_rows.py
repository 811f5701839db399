"""Rows of series and of received images: the part of a batch where many events meet in one row before it is written."""

from __future__ import annotations

from mercure.event_details import Identity, ImageReceived, Origin
from mercure.events import Event
from mercure.history.instants import micros, optional_micros
from mercure.history.rows import AssociationRow, ImageRow, Rows, SeriesRow, TaskRow
from mercure.history.text import MAX_BYTES, clip, count_of
from mercure.names import safe_name

_SEARCHED = {
    "patient_id": "PatientID",
    "patient_name": "PatientName",
    "accession": "AccessionNumber",
    "study_uid": "StudyInstanceUID",
    "series_uid": "SeriesInstanceUID",
}
_SHOWN = {
    "modality": "Modality",
    "study_description": "StudyDescription",
    "series_description": "SeriesDescription",
    "study_date": "StudyDate",
}
_OF_TASK = {**_SEARCHED, "modality": "Modality", "series_description": "SeriesDescription"}


def add_image(batch: Rows, event: Event, image: str, details: ImageReceived, told: str) -> None:
    """Add a received image, its series and its association.

    Parameters
    ----------
    batch : Rows
        Where to.
    event : Event
        The ``image.received``.
    image : str
        The image's id, fit for a key.
    details : ImageReceived
        The typed details of the event.
    told : str
        The order text of the event.
    """
    moment, size, folder = micros(event.time), count_of(details.bytes, MAX_BYTES), clip(details.folder)
    association = clip(details.association)
    batch.images.append(
        ImageRow(
            id=image,
            node=batch.node,
            series=folder,
            association=association,
            received=moment,
            file=clip(details.file),
            sop=clip(details.sop),
            sop_class=clip(details.sop_class),
            transfer_syntax=clip(details.transfer_syntax),
            bytes=size,
            repetition=details.repetition,
            durable=details.durable,
        )
    )
    row = batch.series.get(folder)
    if row is None:
        row = batch.series[folder] = SeriesRow(batch.node, folder)
    if row.identity_order is None or told > row.identity_order:
        _identify_by_image(row, details, told)
    seen = (folder, details.patient, details.accession, details.study, details.series)
    if seen not in batch.seen:
        batch.seen.add(seen)
        for column, value in zip(("patient_id", "accession", "study_uid", "series_uid"), seen[1:], strict=True):
            batch.identify(folder, column, value)
    _add_times(row, moment, moment)
    row.repetitions += details.repetition
    if not details.repetition:
        row.images += 1
        row.bytes += size
    if not batch.associations or batch.associations[-1].id != association:
        ends = clip(details.address), clip(details.calling_aet), clip(details.called_aet)
        batch.associations.append(AssociationRow(association, batch.node, *ends))


def add_series(batch: Rows, event: Event, identity: Identity, origin: Origin, told: str) -> str:
    """Add a series as a task tells it, and return its folder.

    Parameters
    ----------
    batch : Rows
        Where to.
    event : Event
        Names the series, or nothing when the images have no SeriesInstanceUID.
    identity, origin
        What the event says.
    told : str
        The order text of the event.
    """
    folder = folder_of(event.series or identity.SeriesInstanceUID, origin, event.task or event.id)
    row = batch.series.get(folder)
    if row is None:
        row = batch.series[folder] = SeriesRow(batch.node, folder)
    if row.identity_order is None or told > row.identity_order:
        row.identity_order = told
        for column, keyword in {**_SEARCHED, **_SHOWN}.items():
            setattr(row, column, clip(getattr(identity, keyword)))
    if row.origin_order is None or told > row.origin_order:
        row.origin_order = told
        row.address, row.calling_aet = clip(origin.address), clip(origin.calling_aet)
        row.called_aet = clip(origin.called_aet)
    _add_times(row, optional_micros(origin.first_received), optional_micros(origin.last_received))
    for column, keyword in _SEARCHED.items():
        batch.identify(folder, column, getattr(identity, keyword))
    return folder


def set_identity(row: TaskRow, identity: Identity) -> None:
    """Set the columns of a task that say whose images it holds."""
    for column, keyword in _OF_TASK.items():
        setattr(row, column, clip(getattr(identity, keyword)))


def folder_of(series: str, origin: Origin, otherwise: str) -> str:
    """Return the name under which the receiver grouped a series (``docs/reference/spool.md``, "Names")."""
    if series:
        return safe_name(series)
    return clip(f"none-{origin.associations[0] if origin.associations else otherwise}")


def _identify_by_image(row: SeriesRow, details: ImageReceived, told: str) -> None:
    row.identity_order = row.origin_order = told
    row.series_uid, row.study_uid = clip(details.series), clip(details.study)
    row.patient_id, row.accession, row.modality = clip(details.patient), clip(details.accession), clip(details.modality)
    row.patient_name = row.study_description = row.series_description = row.study_date = ""
    row.address, row.calling_aet = clip(details.address), clip(details.calling_aet)
    row.called_aet = clip(details.called_aet)


def _add_times(row: SeriesRow, first: int | None, last: int | None) -> None:
    if first is not None and (row.first_received is None or first < row.first_received):
        row.first_received = first
    if last is not None and (row.last_received is None or last > row.last_received):
        row.last_received = last
