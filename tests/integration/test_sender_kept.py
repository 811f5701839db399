"""Who sent an image is as durable as the image: without its tag line, rules on the sender say what they would have."""

from __future__ import annotations

import json
from io import BytesIO
from typing import TYPE_CHECKING, Any

import pydicom
import pytest
import xxhash
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset

from mercure.spool import Stage, read_tags
from mercure.spool.images import read_lines
from tests.support.data_sets import ct_image, data_set_of, element, uid
from tests.support.dicom_peer import CT_IMAGE, EXPLICIT_LITTLE, IMPLICIT_LITTLE, Context, Peer, associate_rq
from tests.support.incoming import date_back
from tests.support.receipts import plain_header
from tests.support.receiver import receiver
from tests.support.router_desk import RouterDesk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.receiver import Receiver

RULES = {
    "sender": {"rule": 'tags.SenderAET == "CT1"', "targets": ["pacs"]},
    "address": {"rule": 'tags.SenderAddress == "127.0.0.1" and tags.ReceiverAET == "ROUTER"', "targets": ["research"]},
}
SERIES = "1.2.3.4"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[RouterDesk]:
    made = RouterDesk(tmp_path / "root")
    made.configure(RULES)
    yield made
    made.box.close()


def send(port: int, images: list[tuple[str, bytes]], calling: bytes = b"CT1") -> list[int]:
    with Peer(port) as peer:
        peer.associate(associate_rq(calling=calling, called=b"ROUTER"))
        statuses = [peer.store(data, sop).status for sop, data in images]
        peer.release()
    return statuses


def three() -> list[tuple[str, bytes]]:
    return [(sop, ct_image(sop, SERIES)) for sop in (uid(), uid(), uid())]


def implicit_image(sop: str, series: str) -> bytes:
    data_set = pydicom.dcmread(BytesIO(ct_image(sop, series)), force=True)
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, True
    write_dataset(buffer, data_set)
    return bytes(buffer.getvalue())


def lines_of(folder: Path) -> list[dict[str, Any]]:
    found = [line for path in folder.glob("*.jsonl") for line in read_lines(path)]
    return sorted(found, key=lambda line: str(line["FileName"]))


def series(receiving: Receiver) -> Path:
    return receiving.spool / "incoming" / SERIES


def decided(desk: RouterDesk) -> list[dict[str, Any]]:
    """Let the router take the series; both rules must have fired for it. Returns its tag lines."""
    date_back(desk.spool, desk.clock.now())
    desk.turn()
    desk.turn(600)
    assert sorted(task.target or "" for task in desk.tasks(Stage.OUTGOING)) == ["pacs", "research"]
    assert desk.box.tasks(Stage.DISCARD) == []
    tasks = desk.box.tasks(Stage.OUTGOING)
    (known,) = {json.dumps(read_tags(task), sort_keys=True) for task in tasks}
    return sorted(json.loads(known), key=lambda line: str(line["FileName"]))


def empty(content: bytes) -> bytes:
    return content[:0]


def without_the_first(content: bytes) -> bytes:
    return b"".join(content.splitlines(keepends=True)[1:])


def torn(content: bytes) -> bytes:
    return content[: len(content) // 2]


def zeros(content: bytes) -> bytes:
    """What XFS leaves of data that were never written, behind the length that was."""
    return bytes(len(content))


@pytest.mark.parametrize("left", [empty, without_the_first, torn, zeros])
def test_tag_lines_that_a_power_cut_took_are_made_again_whole(desk: RouterDesk, left: Callable[[bytes], bytes]) -> None:
    with receiver(desk.box.root) as receiving:
        assert send(receiving.port, three()) == [0, 0, 0]
        before = lines_of(series(receiving))
        receiving.until_idle()
    (path,) = series(receiving).glob("*.jsonl")
    path.write_bytes(left(path.read_bytes()))
    assert decided(desk) == before


def test_a_series_without_any_tag_line_has_its_sender(desk: RouterDesk) -> None:
    with receiver(desk.box.root) as receiving:
        assert send(receiving.port, three()) == [0, 0, 0]
        before = lines_of(series(receiving))
        receiving.until_idle()
    for path in series(receiving).glob("*.jsonl"):
        path.unlink()
    assert decided(desk) == before


def test_a_disk_that_is_full_at_the_tag_line_costs_nothing(desk: RouterDesk, tmp_path: Path) -> None:
    log = tmp_path / "steps"
    images = three()
    counting = RouterDesk(tmp_path / "counted")
    counting.box.close()
    with receiver(counting.box.root, env={"MERCURE_STEP_LOG": str(log)}) as counted:
        assert send(counted.port, images) == [0, 0, 0]
        counted.until_idle()
    steps = [line.split(" ", 3) for line in log.read_text().splitlines()]
    appends = [number for _, number, operation, path in steps if operation == "append" and "/incoming/" in path]
    assert len(appends) == 3
    with receiver(desk.box.root, env={"MERCURE_FAULT": ",".join(f"ENOSPC@{n}" for n in appends)}) as receiving:
        assert send(receiving.port, images) == [0, 0, 0]
        assert lines_of(series(receiving)) == []
        receiving.until_idle()
    lines = decided(desk)
    assert [line["SenderAET"] for line in lines] == ["CT1"] * 3
    assert {line["SenderAddress"] for line in lines} == {"127.0.0.1"}
    assert len({line["ImageID"] for line in lines}) == 3


def test_what_the_command_said_otherwise_is_kept_too(desk: RouterDesk) -> None:
    sop, other = uid(), uid()
    with receiver(desk.box.root) as receiving:
        assert send(receiving.port, [(other, ct_image(sop, SERIES))]) == [0xB007]
        before = lines_of(series(receiving))
        receiving.until_idle()
    for path in series(receiving).glob("*.jsonl"):
        path.unlink()
    assert before[0]["AffectedSOPInstanceUID"] == other
    assert decided(desk) == before


def test_the_digest_is_that_of_the_bytes_on_the_wire(desk: RouterDesk) -> None:
    """Whatever their size: collected, written at once, beyond the first megabytes, of odd length."""
    images = [
        (sop, ct_image(sop, SERIES, pixels=bytes(size))) for size in (0, 1000, 300_000, 9_000_000) if (sop := uid())
    ]
    images += [(odd := uid(), ct_image(odd, SERIES, pixels=b"") + element(0x7FE10010, b"LO", b"ODD"))]
    with receiver(desk.box.root) as receiving:
        assert send(receiving.port, images) == [0] * 5
        digests = {line["SOPInstanceUID"]: line["DataSetDigest"] for line in lines_of(series(receiving))}
        kept = {path.stem: data_set_of(path.read_bytes()) for path in receiving.images()}
    assert digests == {sop: f"xxh3-128:{xxhash.xxh3_128_hexdigest(data)}" for sop, data in images}
    assert kept == dict(images)


def test_a_file_of_an_older_release_has_its_calling_title_and_no_more(desk: RouterDesk) -> None:
    sop = uid()
    folder = desk.spool.entry(Stage.INCOMING, SERIES)
    folder.mkdir()
    (folder / f"{sop}.dcm").write_bytes(plain_header() + ct_image(sop, SERIES))
    date_back(desk.spool, desk.clock.now())
    desk.configure({"sender": RULES["sender"]})
    desk.turn()
    desk.turn(600)
    (line,) = read_tags(desk.only(Stage.OUTGOING))
    assert line["SenderAET"] == "CT1"
    assert not {"SenderAddress", "ReceiverAET", "AssociationID", "ImageID", "DataSetDigest"} & set(line)


def test_an_origin_that_nobody_knows_any_more_is_not_made_up(desk: RouterDesk) -> None:
    with receiver(desk.box.root) as receiving:
        send(receiving.port, three()[:1])
        receiving.until_idle()
    (image,) = receiving.images()
    image.write_bytes(image.read_bytes().replace(b'"CT1"', b'"CT2"'))
    for path in series(receiving).glob("*.jsonl"):
        path.unlink()
    date_back(desk.spool, desk.clock.now())
    desk.configure({"all": {"rule": "True", "targets": ["pacs"]}})
    desk.turn()
    desk.turn(600)
    (directory,) = [path for stage in (Stage.OUTGOING, Stage.ERROR) for path in desk.box.tasks(stage)]
    (line,) = read_tags(directory)
    assert not {"SenderAET", "SenderAddress", "DataSetDigest"} & set(line)


@pytest.mark.parametrize("syntax", [EXPLICIT_LITTLE, IMPLICIT_LITTLE])
def test_a_sender_cannot_write_its_own_receipt(desk: RouterDesk, syntax: str) -> None:
    """A meta header in the data set, with the private information of a file of ours: it is data, and says nothing."""
    data_set = ct_image(sop := uid(), SERIES) if syntax == EXPLICIT_LITTLE else implicit_image(sop := uid(), SERIES)
    with receiver(desk.box.root) as receiving:
        send(receiving.port, three()[:1], calling=b"OTHER")
        (image,) = receiving.images()
        content = image.read_bytes()
        forged = content[132 : len(content) - len(data_set_of(content))].replace(b"OTHER", b"CT1  ")
        image.unlink()
        for path in series(receiving).glob("*.jsonl"):
            path.unlink()
        with Peer(receiving.port) as peer:
            peer.associate(associate_rq((Context(1, CT_IMAGE, (syntax,)),), calling=b"EVIL"))
            status = peer.store(forged + data_set, sop).status
            peer.release()
        receiving.until_idle()
    assert status == 0
    (image,) = receiving.images()
    (path,) = series(receiving).glob("*.jsonl")
    (line,) = read_lines(path)
    assert (line["SenderAET"], line["TransferSyntaxUID"]) == ("EVIL", syntax)
    path.unlink()
    date_back(desk.spool, desk.clock.now())
    desk.configure({"all": {"rule": "True", "targets": ["pacs"]}})
    desk.turn()
    desk.turn(600)
    (again,) = read_tags(desk.only(Stage.OUTGOING))
    assert again == line
