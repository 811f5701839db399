"""An image that is not what was received does not arrive: whatever has changed, wherever it is in the file."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydicom.uid import ImplicitVRLittleEndian
from pynetdicom import AE, evt
from pynetdicom.sop_class import CTImageStorage  # type: ignore[attr-defined]

from mercure.names import new_id
from mercure.spool import Task
from mercure.targets.base import DeliveryJob, ImageResult
from mercure.targets.dicom import DicomSettings, DicomTarget
from tests.support.data_sets import ct_image, data_set_of, uid
from tests.support.dcmtk import dcmsend
from tests.support.receipts import EXPLICIT_LITTLE, plain_header, received_file, received_header
from tests.support.receiver import receiver
from tests.support.store_node import store_node
from tests.support.storescu import send

FreePort = Callable[[], int]

SMALL = 1000
LARGE = 700_000  # several fragments
ORDER = ("before.dcm", "image.dcm", "after.dcm")


class Node:
    """A target that keeps what it gets."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.got: dict[str, bytes] = {}

    def store(self, event: Any) -> int:
        self.got[str(event.request.AffectedSOPInstanceUID)] = bytes(event.request.DataSet.getvalue())
        return 0x0000


@pytest.fixture
def node(free_port: FreePort) -> Iterator[Node]:
    made = Node(free_port())
    with store_node(made.port, made.store):
        yield made


class Files:
    """Three images of our spool; the one in the middle is for a test to spoil."""

    def __init__(self, folder: Path, size: int = SMALL) -> None:
        self.folder = folder
        self.sops = {name: uid() for name in ORDER}
        self.data = {name: ct_image(sop, "1.2.3", pixels=bytes(size)) for name, sop in self.sops.items()}
        for name, data in self.data.items():
            (folder / name).write_bytes(received_file(data))

    @property
    def image(self) -> Path:
        return self.folder / "image.dcm"

    @property
    def header(self) -> int:
        """The length of its meta header."""
        return len(received_header(self.data["image.dcm"]))

    @property
    def paths(self) -> list[Path]:
        return [self.folder / name for name in ORDER]

    def spoil(self, change: Callable[[bytes], bytes]) -> None:
        before = self.image.read_bytes()
        after = change(before)
        assert after != before
        self.image.write_bytes(after)

    def others(self) -> dict[str, bytes]:
        return {self.sops[name]: data for name, data in self.data.items() if name != "image.dcm"}


def flipped(at: int, bit: int = 0x40) -> Callable[[bytes], bytes]:
    def change(content: bytes) -> bytes:
        spoilt = bytearray(content)
        spoilt[at] ^= bit
        return bytes(spoilt)

    return change


def replaced(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    return lambda content: content.replace(old, new, 1)


def assert_refused(node: Node, files: Files, *options: str) -> dict[str, Any]:
    """Send all three: the others arrive as they are, and of this one nothing that anybody would keep."""
    sent = send(node.port, files.paths, *options)
    results = sent.by_name()
    assert {name: result["outcome"] for name, result in results.items()} == {
        "before.dcm": "confirmed",
        "image.dcm": "failed",
        "after.dcm": "confirmed",
    }
    assert results["image.dcm"]["kind"] == "altered", results["image.dcm"]
    assert results["image.dcm"]["status"] is None
    assert node.got == files.others()
    assert (sent.code, sent.error) == (22, None)
    return results["image.dcm"]


def test_what_was_not_altered_arrives_as_it_is(node: Node, tmp_path: Path) -> None:
    files = Files(tmp_path, LARGE)
    sent = send(node.port, files.paths)
    assert (sent.code, sent.outcomes["confirmed"]) == (0, 3)
    assert node.got == {files.sops[name]: data for name, data in files.data.items()}
    assert sent.summary["associations"] == 1


@pytest.mark.parametrize("size", [SMALL, LARGE])
@pytest.mark.parametrize("place", [0.0, 0.5, 1.0], ids=["first", "middle", "last"])
def test_a_flipped_bit_of_the_data_set(node: Node, tmp_path: Path, size: int, place: float) -> None:
    files = Files(tmp_path, size)
    end = files.image.stat().st_size - 1
    files.spoil(flipped(int(files.header + 200 + (end - files.header - 200) * place), 0x01))
    comment = assert_refused(node, files)["comment"]
    assert f"the data set is not as it was received (bytes {files.header} to {end + 1} of the file)" in comment


@pytest.mark.parametrize("bit", [0x01, 0x80])
def test_a_flipped_bit_in_what_names_the_image(node: Node, tmp_path: Path, bit: int) -> None:
    """The data set cannot be read any more, or has another UID."""
    files = Files(tmp_path)
    for at in (0, 4, 12, 50, 70):
        Files.__init__(files, tmp_path)
        node.got.clear()
        files.spoil(flipped(files.header + at, bit))
        assert_refused(node, files)


@pytest.mark.parametrize(
    "change",
    [
        replaced(EXPLICIT_LITTLE.encode() + b"\0", b"1.2.840.10008.1.2.2\0"),
        replaced(EXPLICIT_LITTLE.encode() + b"\0", b"1.2.840.10008.1.2.5\0"),
        replaced(b"192.0.2.7", b"192.0.2.6"),
        replaced(b'"data":"', b'"dbta":"'),
        replaced(b'"meta":"', b'"mfta":"'),
        replaced(b'{"v":1', b'{"v":2'),
        replaced(b"\x02\0\x00\x01UI", b"\x02\0\x01\x01UI"),
        replaced(b"DICM", b"DICN"),
        replaced(b"UL\x04\0", b"UL\x05\0"),
        lambda content: flipped(content.index(b'"meta":"') + 12, 1)(content),
        flipped(10),
        flipped(140),
        flipped(141, 1),
        lambda content: bytes(512) + content[512:],
    ],
    ids=lambda change: getattr(change, "__name__", ""),
)
def test_a_change_in_the_meta_header(node: Node, tmp_path: Path, change: Callable[[bytes], bytes]) -> None:
    files = Files(tmp_path)
    files.spoil(change)
    assert "header" in assert_refused(node, files)["comment"]


def test_a_change_in_the_digest_itself(node: Node, tmp_path: Path) -> None:
    files = Files(tmp_path)
    files.spoil(lambda content: flipped(content.index(b'"data":"') + 12, 1)(content))
    assert_refused(node, files)


@pytest.mark.parametrize("size", [SMALL, LARGE])
@pytest.mark.parametrize("less", [1, 2, 900])
def test_a_file_that_is_shorter(node: Node, tmp_path: Path, size: int, less: int) -> None:
    files = Files(tmp_path, size)
    files.spoil(lambda content: content[:-less])
    assert_refused(node, files)


def test_a_file_that_ends_early(node: Node, tmp_path: Path) -> None:
    files = Files(tmp_path)
    for end in (files.header + 20, files.header, files.header - 1, files.header - 60):
        Files.__init__(files, tmp_path)
        node.got.clear()
        files.spoil(lambda content, end=end: content[:end])  # type: ignore[misc]
        assert_refused(node, files)


def test_a_file_that_is_longer(node: Node, tmp_path: Path) -> None:
    files = Files(tmp_path)
    files.spoil(lambda content: content + b"\0\0")
    assert_refused(node, files)


def test_the_data_set_of_another_image(node: Node, tmp_path: Path) -> None:
    files = Files(tmp_path)
    files.spoil(lambda content: content[: files.header] + files.data["before.dcm"])
    sent = send(node.port, files.paths)
    assert sent.by_name()["image.dcm"]["kind"] == "altered"


@pytest.mark.parametrize("options", [(), ("--associations=3",), ("--answer-watch=0.05",)])
def test_of_many_that_are_altered_the_others_all_arrive(node: Node, tmp_path: Path, options: tuple[str, ...]) -> None:
    expected, paths, altered = {}, [], set()
    for number in range(24):
        sop = uid()
        data = ct_image(sop, "1.2.3", pixels=bytes(SMALL * (1 + number * 20)))
        path = tmp_path / f"{number}.dcm"
        path.write_bytes(received_file(data) if number % 2 else flipped(-1)(received_file(data)))
        paths.append(path)
        if number % 2:
            expected[sop] = data
        else:
            altered.add(path.name)
    sent = send(node.port, paths, *options)
    assert node.got == expected
    assert {name for name, result in sent.by_name().items() if result.get("kind") == "altered"} == altered
    assert (sent.code, sent.error, len(sent.results)) == (22, None, 24)


@pytest.mark.parametrize("header", [plain_header(), received_header(b"")[:0]], ids=["older", "none"])
def test_what_has_no_digest_is_sent_as_it_is(node: Node, tmp_path: Path, header: bytes) -> None:
    sop = uid()
    data = ct_image(sop, "1.2.3")
    path = tmp_path / "1.dcm"
    path.write_bytes(header + data)
    assert send(node.port, [path]).code == 0
    assert node.got == {sop: data}


def digest_of(data: bytes) -> str:
    found = received_header(data)
    at = found.index(b'"data":"') + 8
    return f"xxh3-128:{found[at : at + 32].decode()}"


@pytest.mark.parametrize(
    "change",
    [
        lambda content: bytes(len(content)),
        lambda content: content[:0],
        lambda content: plain_header() + data_set_of(content),
        lambda content: received_file(ct_image(uid(), "1.2.3")),
        flipped(-1),
    ],
    ids=["zeros", "empty", "plain", "another", "flipped"],
)
def test_the_list_says_what_must_be_there(node: Node, tmp_path: Path, change: Callable[[bytes], bytes]) -> None:
    """When the whole header is lost, nothing in the file says that it had one."""
    files = Files(tmp_path)
    lines = [f"{path}\t{digest_of(files.data[path.name])}" for path in files.paths]
    assert send(node.port, lines).code == 0
    node.got.clear()
    files.spoil(change)
    sent = send(node.port, lines)
    assert sent.by_name()["image.dcm"]["kind"] == "altered"
    assert node.got == files.others()
    assert sent.code == 22


def test_a_name_with_a_tab_is_a_name(node: Node, tmp_path: Path) -> None:
    sop = uid()
    path = tmp_path / "a\txxh3-128:no.dcm"
    path.write_bytes(received_file(ct_image(sop, "1.2.3")))
    sent = send(node.port, [path])
    assert (sent.code, sent.results[0]["file"]) == (0, str(path))


def test_a_file_that_the_disk_does_not_give_back_is_our_own_fault(node: Node, tmp_path: Path) -> None:
    files = Files(tmp_path)
    unreadable = Path("/proc/self/mem")  # a regular file whose first byte cannot be read: EIO
    sent = send(node.port, [files.paths[0], unreadable, files.paths[2]])
    assert sent.by_name()["mem"]["kind"] == "local"
    assert sent.by_name()["mem"]["outcome"] == "failed"
    assert "Input/output error" in sent.by_name()["mem"]["comment"]
    assert node.got == files.others()
    assert sent.error is None


@contextmanager
def implicit_node(port: int, node: Node) -> Iterator[None]:
    """Run a target that takes Implicit VR Little Endian only."""
    entity = AE(ae_title="ARCHIVE")
    entity.add_supported_context(CTImageStorage, ImplicitVRLittleEndian)
    server = entity.start_server(("127.0.0.1", port), block=False, evt_handlers=[(evt.EVT_C_STORE, node.store)])
    assert server is not None
    try:
        yield
    finally:
        server.shutdown()


def test_an_altered_image_is_not_converted_either(free_port: FreePort, tmp_path: Path) -> None:
    files, node = Files(tmp_path), Node(free_port())
    files.spoil(flipped(-1, 0x01))
    with implicit_node(node.port, node):
        sent = send(node.port, files.paths)
    assert sent.by_name()["image.dcm"]["kind"] == "altered"
    assert set(node.got) == set(files.others())


def test_what_a_real_receiver_kept_is_what_a_real_sender_checks(node: Node, tmp_path: Path) -> None:
    sop, series = uid(), uid()
    source = tmp_path / "source.dcm"
    data = ct_image(sop, series, pixels=bytes(LARGE))
    source.write_bytes(plain_header() + data)
    with receiver(tmp_path / "receiver") as receiving:
        assert dcmsend("127.0.0.1", receiving.port, [source]).code == 0
        (image,) = receiving.images()
    content = image.read_bytes()
    assert send(node.port, [image]).code == 0
    assert node.got == {sop: data}
    node.got.clear()
    image.write_bytes(flipped(-10)(content))
    assert send(node.port, [image]).code == 22
    assert node.got == {}


def test_a_target_tells_of_it_image_by_image(node: Node, tmp_path: Path) -> None:
    """Also when nothing in the file says so: the tag line does."""
    files = Files(tmp_path)
    lines = [
        {"FileName": path.name, "SOPInstanceUID": files.sops[path.name], "DataSetDigest": digest_of(data)}
        for path, data in zip(files.paths, files.data.values(), strict=True)
    ]
    (tmp_path / "tags.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    files.spoil(lambda content: bytes(len(content)))
    settings = DicomSettings(kind="dicom", host="127.0.0.1", port=node.port, called_aet="ARCHIVE")
    results: list[ImageResult] = []
    job = DeliveryJob(
        directory=tmp_path,
        files=ORDER,
        task=Task(id=new_id(), created=datetime.now(UTC)),
        seconds=60,
        report=results.append,
        stopping=lambda: False,
    )
    assert DicomTarget(settings).deliver(job) is None
    assert {result.file: result.outcome for result in results} == {
        "before.dcm": "confirmed",
        "image.dcm": "failed",
        "after.dcm": "confirmed",
    }
    assert [result.is_altered for result in results if result.file == "image.dcm"] == [True]
    assert node.got == files.others()
