"""mercure-storescu against real targets: what is sent, bit by bit, over how many associations."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pydicom

from tests.support.data_sets import data_set_of
from tests.support.dicom_files import storable_files
from tests.support.fixtures import MakeStoreScp
from tests.support.getdcmtags import record_of
from tests.support.series import seeded_uid, synthetic_series
from tests.support.store_node import store_node
from tests.support.storescu import ACCEPT_ALL, send

FreePort = Callable[[], int]


def sop_instance_of(path: Path) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return str(pydicom.dcmread(path, specific_tags=["SOPInstanceUID"], stop_before_pixels=True).SOPInstanceUID)


def test_every_storable_file_arrives_bit_by_bit(storescp: MakeStoreScp) -> None:
    # One file for each SOP instance: storescp names its files after them.
    files = {sop_instance_of(file): file for file in storable_files() if is_comparable(file)}
    target = storescp(*ACCEPT_ALL)
    sent = send(target.port, files.values())
    assert sent.code == 0, sent.results
    assert sent.error is None
    assert sent.outcomes == {"confirmed": len(files)}
    assert len(files) > 80
    stored = {sop_instance_of(file): data_set_of(file.read_bytes()) for file in target.files()}
    different = [uid for uid, file in files.items() if even(file) != stored[uid]]
    assert different == []


def is_comparable(path: Path) -> bool:
    # Without a group length in the meta header the comparison would not know where the data set begins; palettes
    # are no storage SOP class to storescp.
    return path.read_bytes()[132:136] == b"\2\0\0\0" and path.parent.name != "palettes"


def even(path: Path) -> bytes:
    """Return a file's data set as it is sent: fragments must be even."""
    data = data_set_of(path.read_bytes())
    return data + bytes(len(data) % 2)


def test_files_without_preamble_or_meta_header_arrive(storescp: MakeStoreScp, tmp_path: Path) -> None:
    (image,) = synthetic_series(tmp_path, 1)
    bare = tmp_path / "bare.dcm"
    bare.write_bytes(data_set_of(image.read_bytes()))
    target = storescp(*ACCEPT_ALL)
    assert send(target.port, [bare]).code == 0
    assert data_set_of(target.files()[0].read_bytes()) == data_set_of(image.read_bytes())


def test_a_data_set_of_odd_length_is_padded_because_fragments_must_be_even(
    storescp: MakeStoreScp, tmp_path: Path
) -> None:
    (image,) = synthetic_series(tmp_path, 1)
    odd = image.read_bytes() + b"\0\0\0"
    image.write_bytes(odd)
    target = storescp(*ACCEPT_ALL)
    assert send(target.port, [image]).code == 0
    assert target.files()[0].read_bytes().endswith(odd[-1000:] + b"\0")


def test_a_data_set_that_kills_parsers_is_sent_like_any_other(storescp: MakeStoreScp, tmp_path: Path) -> None:
    (image,) = synthetic_series(tmp_path, 1)
    data = image.read_bytes()
    place = data.index(b"\xe0\x7f\x10\x00OW")
    sequence = b"\x99\x00\x10\x10SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"
    ends = b"\xfe\xff\x0d\xe0\0\0\0\0\xfe\xff\xdd\xe0\0\0\0\0"
    image.write_bytes(data[:place] + sequence * 20_000 + ends * 20_000 + data[place:])
    target = storescp(*ACCEPT_ALL)
    assert send(target.port, [image]).code == 0
    assert data_set_of(target.files()[0].read_bytes()) == data_set_of(image.read_bytes())


def test_order_is_kept(storescp: MakeStoreScp, tmp_path: Path) -> None:
    files = synthetic_series(tmp_path, 30)[::-1]
    target = storescp(*ACCEPT_ALL)
    sent = send(target.port, files, "--order-kept")
    assert [Path(result["file"]) for result in sent.results] == files
    arrived = sorted(target.files(), key=lambda file: file.stat().st_mtime_ns)
    assert [int(record_of(file)["InstanceNumber"]) for file in arrived] == list(range(30, 0, -1))


def test_nagle_and_delayed_acknowledgement_hold_nothing_up(storescp: MakeStoreScp, tmp_path: Path) -> None:
    # 200 images at the 40 ms that a delayed acknowledgement takes are 8 s. The target is stock DCMTK without settings.
    files = synthetic_series(tmp_path, 200, 16, 16)
    sent = send(storescp(*ACCEPT_ALL).port, files)
    assert sent.code == 0
    assert sent.summary["seconds"] < 4


def test_more_than_128_contexts_go_over_several_associations(storescp: MakeStoreScp, tmp_path: Path) -> None:
    files = []
    for number in range(300):
        (file,) = synthetic_series(tmp_path / str(number), 1, 8, 8, seed=number)
        dataset = pydicom.dcmread(file)
        dataset.SOPClassUID = seeded_uid("class", number)
        dataset.save_as(file)
        files.append(file)
    target = storescp(*ACCEPT_ALL)
    for options in ((), ("--order-kept",), ("--associations", "2")):
        sent = send(target.port, files, *options)
        assert sent.outcomes == {"confirmed": 300}
        assert sent.summary["associations"] >= 3


def test_associations_in_parallel_share_the_files(free_port: FreePort, tmp_path: Path) -> None:
    files = synthetic_series(tmp_path, 40, 8, 8)
    associations: set[int] = set()
    together = threading.Barrier(4)

    def store(event: Any) -> int:
        if id(event.assoc) not in associations:
            associations.add(id(event.assoc))
            together.wait(30)  # passes only when four associations have an image under way
        return 0x0000

    port = free_port()
    with store_node(port, store):
        sent = send(port, files, "--associations", "4")
    assert sent.outcomes == {"confirmed": 40}
    assert sent.summary["associations"] == 4
    assert len(associations) == 4


def test_associations_that_the_target_rejects_leave_the_work_to_the_others(free_port: FreePort, tmp_path: Path) -> None:
    files = synthetic_series(tmp_path, 40, 8, 8)
    port = free_port()
    with store_node(port, lambda _event: 0x0000, maximum_associations=1):
        sent = send(port, files, "--associations", "3")
    assert sent.code == 0
    assert sent.error is None
    assert sent.outcomes == {"confirmed": 40}
