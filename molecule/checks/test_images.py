"""Images, as a scanner and an archive see them: stock DCMTK on both sides, over the network."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

from tests.guests.sending import DICOM_PORT, account, all_arrived
from tests.guests.traffic import acknowledged
from tests.guests.waiting import wait_until
from tests.support.data_sets import uid

if TYPE_CHECKING:
    from pathlib import Path

    from tests.guests.archive import Archive
    from tests.guests.guest import Guest
    from tests.guests.station import Station

SERIES = 2
IMAGES = 5
DUMP = """\
(0008,0016) UI =CTImageStorage
(0008,0018) UI {image}
(0008,0050) SH {accession}
(0008,0060) CS CT
(0008,103e) LO series {number}
(0010,0010) PN Test^Study
(0010,0020) LO {accession}
(0020,000d) UI {study}
(0020,000e) UI {series}
(0020,0013) IS {image_number}
(0028,0002) US 1
(0028,0004) CS MONOCHROME2
(0028,0010) US 2
(0028,0011) US 2
(0028,0100) US 16
(0028,0101) US 16
(0028,0102) US 15
(0028,0103) US 0
(7fe0,0010) OW 0001\\0002\\0003\\0004
"""


def make_study(folder: Path, accession: str) -> set[str]:
    """Write a study of CT images as files, with dump2dcm, and return the SOP Instance UIDs."""
    study, images = uid(), set()
    for number in range(SERIES):
        series = uid()
        for image_number in range(IMAGES):
            image = uid()
            text = folder / "dump"
            words = {"study": study, "series": series, "image": image, "accession": accession}
            text.write_text(DUMP.format(**words, number=number, image_number=image_number))
            file = folder / f"{image}.dcm"
            subprocess.run(["dump2dcm", "--write-xfer-little", text, file], check=True, capture_output=True, timeout=30)
            images.add(image)
    (folder / "dump").unlink()
    return images


def test_a_study_sent_by_dcmsend_to_port_104_arrives_at_the_archive(
    host: Any, guest: Guest, scanners: Station, archive: Archive, tmp_path: Path
) -> None:
    accession = f"A{uid()[-10:]}"
    images = make_study(tmp_path, accession)
    done = scanners.run(
        "dcmsend", "--aetitle", "CT1", "--call", "MERCURE", "--scan-directories",
        guest.spec.address, str(DICOM_PORT), str(tmp_path),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    wait_until(
        lambda: images <= archive.images(), seconds=60 * guest.spec.patience, what=f"study {accession} at the archive"
    )
    with host.sudo("vera"):
        found = json.loads(host.check_output("mercure history series --accession %s --json", accession))
    assert len(found["series"]) == SERIES, found


def test_whatever_was_acknowledged_under_traffic_is_at_the_archive(guest: Guest) -> None:
    if acknowledged(account(guest)):  # there is none before the side effects
        all_arrived(guest)
