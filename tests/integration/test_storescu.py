"""mercure-storescu against real targets: what is sent, what is told, and how it ends."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pynetdicom import AE, evt
from pynetdicom.sop_class import CTImageStorage  # type: ignore[attr-defined]

from tests.conftest import MakeStoreScp
from tests.support.binaries import PROJECT, tool
from tests.support.dicom_files import storable_files
from tests.support.getdcmtags import record_of
from tests.support.polling import eventually
from tests.support.series import seeded_uid, synthetic_series
from tests.support.storescu import command, listing, send, sending

FreePort = Callable[[], int]
ACCEPT_ALL = ("--bit-preserving", "--accept-all", "--promiscuous")


def data_set_of(path: Path) -> bytes:
    """The bytes after the meta header, which every file here has."""
    data = path.read_bytes()
    length = int.from_bytes(data[140:144], "little")
    return data[144 + length :]


def sop_instance_of(path: Path) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return str(pydicom.dcmread(path, specific_tags=["SOPInstanceUID"], stop_before_pixels=True).SOPInstanceUID)


@contextmanager
def node(port: int, store: Callable[[Any], Any], **settings: Any) -> Iterator[None]:
    """A pynetdicom SCP whose C-STORE handler is ``store``."""
    entity = AE(ae_title="ARCHIVE")
    entity.add_supported_context(CTImageStorage)
    for name, value in settings.items():
        setattr(entity, name, value)
    server = entity.start_server(("127.0.0.1", port), block=False, evt_handlers=[(evt.EVT_C_STORE, store)])
    assert server is not None
    try:
        yield
    finally:
        server.shutdown()


def test_every_storable_file_arrives_bit_by_bit(storescp: MakeStoreScp) -> None:
    # One file for each SOP instance: storescp names its files after them.
    files = {sop_instance_of(file): file for file in storable_files() if is_comparable(file)}
    target = storescp(*ACCEPT_ALL)
    sent = send(target.port, files.values())
    assert sent.code == 0, sent.results
    assert sent.error is None
    assert sent.outcomes == {"confirmed": len(files)}
    assert len(files) > 80
    received = {sop_instance_of(file): file for file in target.files()}
    different = [uid for uid, file in files.items() if even(data_set_of(file)) != data_set_of(received[uid])]
    assert different == []


def is_comparable(path: Path) -> bool:
    # Without a group length in the meta header the comparison would not know where the data set begins; palettes
    # are no storage SOP class to storescp.
    return path.read_bytes()[132:136] == b"\2\0\0\0" and path.parent.name != "palettes"


def even(data: bytes) -> bytes:
    return data + bytes(len(data) % 2)


def test_files_without_preamble_or_meta_header_arrive(storescp: MakeStoreScp, tmp_path: Path) -> None:
    (image,) = synthetic_series(tmp_path, 1)
    bare = tmp_path / "bare.dcm"
    bare.write_bytes(data_set_of(image))
    target = storescp(*ACCEPT_ALL)
    assert send(target.port, [bare]).code == 0
    assert data_set_of(target.files()[0]) == data_set_of(image)


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
    assert data_set_of(target.files()[0]) == data_set_of(image)


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
    with node(port, store):
        sent = send(port, files, "--associations", "4")
    assert sent.outcomes == {"confirmed": 40}
    assert sent.summary["associations"] == 4
    assert len(associations) == 4


def test_associations_that_the_target_rejects_leave_the_work_to_the_others(free_port: FreePort, tmp_path: Path) -> None:
    files = synthetic_series(tmp_path, 40, 8, 8)
    port = free_port()
    with node(port, lambda _event: 0x0000, maximum_associations=1):
        sent = send(port, files, "--associations", "3")
    assert sent.code == 0
    assert sent.error is None
    assert sent.outcomes == {"confirmed": 40}


def test_each_result_is_told_as_soon_as_it_is_known(free_port: FreePort, tmp_path: Path) -> None:
    files = synthetic_series(tmp_path, 3, 8, 8)
    may_answer = threading.Semaphore(0)

    def store(_event: Any) -> int:
        assert may_answer.acquire(timeout=30)
        return 0x0000

    port = free_port()
    with node(port, store), sending(port, files) as run:
        for file in files:
            may_answer.release()
            result = run.read_result()
            assert result["file"] == str(file)
            assert result["outcome"] == "confirmed"
        assert run.finish().code == 0


@pytest.mark.parametrize(
    ("status", "outcome", "comment", "code"),
    [
        (0x0000, "confirmed", "", 0),
        (0xB000, "warning", "values were changed", 65),
        (0xB006, "warning", "elements were discarded", 65),
        (0xB123, "warning", "warning", 65),
        (0x0107, "warning", "attribute list error", 65),
        (0xA700, "refused", "out of resources", 64),
        (0x0122, "refused", "SOP class not supported", 64),
        (0x0124, "refused", "not authorized", 64),
        (0xA900, "failed", "data set does not match SOP class", 64),
        (0xC123, "failed", "cannot understand", 64),
        (0x0110, "failed", "failure", 64),
        (0xFE00, "failed", "failure", 64),
    ],
    ids=lambda value: f"{value:04X}" if isinstance(value, int) and value > 255 else None,
)
def test_the_status_is_told_as_it_is(
    status: int, outcome: str, comment: str, code: int, *, free_port: FreePort, tmp_path: Path
) -> None:
    files = synthetic_series(tmp_path, 2, 8, 8)
    port = free_port()
    with node(port, lambda _event: status):
        sent = send(port, files)
    assert sent.code == code
    assert sent.error is None
    assert sent.summary[outcome] == 2
    for result in sent.results:
        assert (result["status"], result["outcome"], result["comment"]) == (f"0x{status:04X}", outcome, comment)


def test_the_comment_of_the_target_is_told(free_port: FreePort, tmp_path: Path) -> None:
    def store(_event: Any) -> pydicom.Dataset:
        answer = pydicom.Dataset()
        answer.Status = 0xC000
        answer.ErrorComment = "no such patient"
        return answer

    port = free_port()
    with node(port, store):
        sent = send(port, synthetic_series(tmp_path, 1, 8, 8))
    assert sent.results[0]["comment"] == "no such patient"


def test_what_the_target_does_not_take_is_refused_and_the_rest_is_sent(free_port: FreePort, tmp_path: Path) -> None:
    files = synthetic_series(tmp_path, 3, 8, 8)
    dataset = pydicom.dcmread(files[1])
    dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.4"
    dataset.save_as(files[1])
    port = free_port()
    with node(port, lambda _event: 0x0000):
        sent = send(port, files)
    assert sent.outcomes == {"confirmed": 2, "refused": 1}
    refused = sent.by_name()[files[1].name]
    assert refused["status"] is None
    assert refused["comment"] == "the target takes no MRImageStorage in LittleEndianExplicit: SOP class not supported"
    assert sent.code == 64


def test_nobody_listens(free_port: FreePort, tmp_path: Path) -> None:
    sent = send(free_port(), synthetic_series(tmp_path, 2, 8, 8))
    assert sent.code == 60
    assert sent.outcomes == {"not-sent": 2}
    assert sent.error is not None
    assert sent.error["kind"] == "unreachable"
    assert "Connection refused" in sent.error["text"]


def test_a_host_that_does_not_exist(tmp_path: Path) -> None:
    sent = send(104, synthetic_series(tmp_path, 1, 8, 8), host="no-such-host.invalid")
    assert sent.code == 60
    assert sent.error is not None
    assert sent.error["kind"] == "unreachable"


def test_the_target_rejects_us(free_port: FreePort, tmp_path: Path) -> None:
    port = free_port()
    with node(port, lambda _event: 0x0000, require_calling_aet=["FRIEND"]):
        sent = send(port, synthetic_series(tmp_path, 2, 8, 8), "--calling-aet", "STRANGER")
        assert sent.code == 61
        assert sent.error == {
            "kind": "rejected",
            "text": "the target rejected the association: calling AE title not recognized",
        }
        assert sent.outcomes == {"not-sent": 2}
        assert send(port, synthetic_series(tmp_path, 1, 8, 8), "--calling-aet", "FRIEND").code == 0


def test_ae_titles_are_those_asked_for(free_port: FreePort, tmp_path: Path) -> None:
    seen: list[tuple[str, str]] = []

    def store(event: Any) -> int:
        seen.append((event.assoc.requestor.primitive.called_ae_title, event.assoc.requestor.ae_title))
        return 0x0000

    port = free_port()
    with node(port, store):
        send(
            port,
            synthetic_series(tmp_path, 1, 8, 8),
            "--called-aet",
            "OUR ARCHIVE",
            "--calling-aet",
            "SIXTEEN_LETTERS_",
        )
    assert seen == [("OUR ARCHIVE", "SIXTEEN_LETTERS_")]


def test_files_that_cannot_be_sent_are_told_and_the_rest_is_sent(storescp: MakeStoreScp, tmp_path: Path) -> None:
    good, unnamed, long_uid = synthetic_series(tmp_path, 3, 8, 8)
    for file, uid in ((unnamed, ""), (long_uid, "1." * 40 + "1")):
        dataset = pydicom.dcmread(file)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pydicom says that it is too long
            dataset.SOPInstanceUID = uid
        dataset.save_as(file)
        data = file.read_bytes()
        file.write_bytes(data[data.index(b"\x08\x00\x05\x00CS") :])  # without the meta header, which names it too
    text = tmp_path / "text.dcm"
    text.write_text("no image")
    sent = send(storescp(*ACCEPT_ALL).port, [text, tmp_path / "missing.dcm", unnamed, long_uid, good])
    comments = {name: result["comment"] for name, result in sent.by_name().items()}
    assert comments == {
        "text.dcm": "not a DICOM file",
        "missing.dcm": "cannot be opened: No such file or directory",
        unnamed.name: "it names no SOP instance",
        long_uid.name: "a UID in it is longer than 64 characters or has strange ones",
        good.name: "",
    }
    assert sent.outcomes == {"not-sent": 4, "confirmed": 1}
    assert sent.code == 20


def test_an_empty_list_is_nothing_to_do(free_port: FreePort) -> None:
    sent = send(free_port(), [])
    assert sent.code == 0
    assert sent.summary["images"] == 0


def test_the_same_file_twice_is_sent_twice(storescp: MakeStoreScp, tmp_path: Path) -> None:
    (image,) = synthetic_series(tmp_path, 1, 8, 8)
    assert send(storescp(*ACCEPT_ALL).port, [image, image]).outcomes == {"confirmed": 2}


def test_told_to_stop_it_finishes_the_image_and_tells_the_rest(free_port: FreePort, tmp_path: Path) -> None:
    files = synthetic_series(tmp_path, 5, 8, 8)
    under_way, may_answer, released = threading.Event(), threading.Event(), threading.Event()

    def store(_event: Any) -> int:
        under_way.set()
        assert may_answer.wait(30)
        return 0x0000

    entity = AE(ae_title="ARCHIVE")
    entity.add_supported_context(CTImageStorage)
    handlers: list[Any] = [(evt.EVT_C_STORE, store), (evt.EVT_RELEASED, lambda _event: released.set())]
    port = free_port()
    server = entity.start_server(("127.0.0.1", port), block=False, evt_handlers=handlers)
    assert server is not None
    try:
        with sending(port, files) as run:
            assert under_way.wait(30)
            run.program.send_signal(signal.SIGTERM)
            may_answer.set()
            sent = run.finish()
        assert released.wait(10)
    finally:
        server.shutdown()
    assert sent.code == 80
    assert sent.outcomes == {"confirmed": 1, "not-sent": 4}
    assert sent.error == {"kind": "local", "text": "told to stop"}


def test_it_does_not_outlive_its_dispatcher(free_port: FreePort, tmp_path: Path) -> None:
    files = synthetic_series(tmp_path, 300, 8, 8)
    names = tmp_path / "names"
    names.write_bytes(listing(files))
    stored: list[str] = []
    under_way, gone = threading.Event(), threading.Event()

    def store(event: Any) -> int:
        stored.append(event.request.AffectedSOPInstanceUID)
        under_way.set()
        gone.wait(30)
        return 0x0000

    port = free_port()
    # A shell as the dispatcher: it starts the sender, tells its number, and waits.
    script = 'names=$1; shift; "$@" < "$names" > /dev/null & echo $!; wait'
    shell_command = ["/bin/sh", "-c", script, "sh", str(names), *command(port)]
    with node(port, store), subprocess.Popen(shell_command, stdout=subprocess.PIPE) as shell:
        assert shell.stdout is not None
        sender = int(shell.stdout.readline())
        assert under_way.wait(30)
        shell.kill()
        shell.wait()
        gone.set()
        eventually(lambda: not is_running(sender), what="the sender has ended")
    assert len(stored) < len(files)


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_nobody_reads_the_results(storescp: MakeStoreScp, tmp_path: Path) -> None:
    files = synthetic_series(tmp_path, 50, 8, 8)
    target = storescp(*ACCEPT_ALL)
    with Path("/dev/full").open("wb") as full:
        result = subprocess.run(
            command(target.port), input=listing(files), stdout=full, stderr=subprocess.PIPE, timeout=60, check=False
        )
    assert result.returncode == 40
    assert "standard output" in result.stderr.decode()
    assert len(target.files()) < 50, "it went on although nobody could learn of it"


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--host", "x"],
        ["--port", "104"],
        ["--host", "x", "--port", "0"],
        ["--host", "x", "--port", "65536"],
        ["--host", "x y", "--port", "104"],
        ["--host", "x", "--port", "104", "--called-aet", "SEVENTEEN_LETTERS"],
        ["--host", "x", "--port", "104", "--called-aet", ""],
        ["--host", "x", "--port", "104", "--calling-aet", "a\\b"],
        ["--host", "x", "--port", "104", "--max-pdu", "131073"],
        ["--host", "x", "--port", "104", "--dimse-timeout", "0"],
        ["--host", "x", "--port", "104", "--dimse-timeout", "-1"],
        ["--host", "x", "--port", "104", "--dimse-timeout", "soon"],
        ["--host", "x", "--port", "104", "--associations", "0"],
        ["--host", "x", "--port", "104", "--associations", "2", "--order-kept"],
        ["--host", "x", "--port", "104", "file.dcm"],
        ["--nonsense"],
    ],
    ids=" ".join,
)
def test_a_wrong_command_line_ends_with_1(arguments: list[str]) -> None:
    result = subprocess.run([tool("mercure-storescu"), *arguments], input=b"", capture_output=True, check=False)
    assert result.returncode == 1
    assert result.stdout == b""
    assert len(result.stderr.splitlines()) == 1


def test_help_and_man_page_name_every_option_and_exit_code() -> None:
    shown = subprocess.run([tool("mercure-storescu"), "--help"], check=True, capture_output=True, text=True).stdout
    page = (PROJECT / "docs/reference/mercure-storescu.1.md").read_text(encoding="utf-8")
    for option in re.findall(r"^ +(--[a-z-]+)", shown, re.M):
        assert f"`{option}" in page, f"{option} is missing in the man page"
    for code in re.findall(r"^ +(\d+)  ", shown, re.M):
        assert f"| `{code}` |" in page, f"exit code {code} is missing in the man page"


def test_dictionary_and_settings_of_dcmtk_do_not_matter(storescp: MakeStoreScp, tmp_path: Path) -> None:
    (image,) = synthetic_series(tmp_path, 1, 8, 8)
    environment = {**os.environ, "DCMDICTPATH": "/nowhere", "TCP_NODELAY": "0", "TCP_BUFFER_LENGTH": "nonsense"}
    result = subprocess.run(
        command(storescp(*ACCEPT_ALL).port), input=listing([image]), env=environment, capture_output=True, check=False
    )
    assert result.returncode == 0
    assert result.stderr == b""
