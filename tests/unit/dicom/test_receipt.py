"""The receipt in the meta header: read whole, or not believed when a bit of it has changed, and left out of copies."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mercure.dicom.copies import AlteredImageError, check_image, copy_image, same_image
from mercure.dicom.receipt import (
    AlteredHeaderError,
    Receipt,
    read_header,
    read_receipt,
    receipt_in,
    strip_receipt,
    transfer_syntax_in,
)
from tests.support.receipts import (
    DATA_SET,
    EXPLICIT_LITTLE,
    ORIGIN,
    OURS,
    element,
    header_with,
    plain_header,
    received_file,
    received_header,
)

if TYPE_CHECKING:
    from pathlib import Path


def _receipt(content: bytes) -> Receipt | None:
    return receipt_in(read_header(BytesIO(content)))


def test_a_receipt_is_read(tmp_path: Path) -> None:
    path = tmp_path / "1.dcm"
    path.write_bytes(received_file())
    receipt = read_receipt(path)
    assert receipt is not None
    assert receipt.header_bytes == len(received_header())
    assert receipt.members() == {
        "ImageID": ORIGIN["image"],
        "ReceivedAt": ORIGIN["received"],
        "SenderAddress": "192.0.2.7",
        "SenderAET": "CT1",
        "ReceiverAET": "MERCURE",
        "AssociationID": ORIGIN["association"],
        "DataSetDigest": f"xxh3-128:{receipt.data}",
    }


def test_the_uids_of_the_command_are_read() -> None:
    receipt = _receipt(received_header(command=("1.9", "9.9")))
    assert receipt is not None
    assert receipt.members()["AffectedSOPClassUID"] == "1.9"
    assert receipt.members()["AffectedSOPInstanceUID"] == "9.9"


@given(calling=st.text(max_size=16), address=st.text(max_size=45))
def test_any_text_comes_back(calling: str, address: str) -> None:
    try:
        calling.encode(), address.encode()
    except UnicodeEncodeError:
        return
    receipt = _receipt(received_header(calling=calling, address=address))
    assert receipt is not None
    assert (receipt.calling, receipt.address) == (calling, address)


@pytest.mark.parametrize(
    "content",
    [
        plain_header() + DATA_SET,
        header_with(element(0x0010, b"UI", b"1.2"), element(0x0100, b"UI", b"1.2.9"), element(0x0102, b"OB", b"{}")),
        DATA_SET,
        b"",
        b"not DICOM",
        bytes(128) + b"DICM" + DATA_SET,
        bytes(128) + b"DICM" + element(0x0010, b"UI", b"1.2") + DATA_SET,
    ],
    ids=["older", "another's", "no meta header", "empty", "text", "no group", "no group length"],
)
def test_a_file_that_was_written_without_has_none(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "1.dcm"
    path.write_bytes(content)
    assert read_receipt(path) is None
    assert check_image(path) is False


def test_a_receipt_inside_the_data_set_is_not_believed() -> None:
    """A sender puts our meta header, or a whole file of ours, before its data set."""
    forged_file = received_file(address="203.0.113.9")
    for forged in (forged_file[132:], forged_file):
        receipt = _receipt(received_file(forged))
        assert receipt is not None
        assert receipt.address == ORIGIN["address"]
    assert _receipt(plain_header() + forged_file) is None


def test_each_flipped_bit_of_the_header_is_found(tmp_path: Path) -> None:
    """In the digits of the data set's digest it is found when the data set is compared with them."""
    header = received_header()
    digits = header.index(b',"data":"') + 9
    path = tmp_path / "1.dcm"
    for at in range(len(header) * 8):
        changed = bytearray(header)
        changed[at // 8] ^= 1 << at % 8
        if digits <= at // 8 < digits + 32:
            path.write_bytes(bytes(changed) + DATA_SET)
            with pytest.raises(AlteredImageError):
                check_image(path)
            continue
        with pytest.raises(AlteredHeaderError):
            _receipt(bytes(changed) + DATA_SET)


def test_a_torn_header_is_found() -> None:
    header = received_header()
    for end in range(len(header) - 100, len(header)):
        with pytest.raises(AlteredHeaderError):
            _receipt(header[:end])


def test_a_group_length_that_leaves_the_receipt_out_is_found() -> None:
    header = bytearray(received_header())
    plain = plain_header()
    header[140:144] = plain[140:144]
    with pytest.raises(AlteredHeaderError):
        _receipt(bytes(header) + DATA_SET)


def test_what_is_stripped_is_a_header_without_private_information() -> None:
    addresses = (element(0x0026, b"UR", b"dicom://192.0.2.7"), element(0x0027, b"UR", b"dicom://192.0.2.8"))
    header = header_with(
        element(0x0010, b"UI", EXPLICIT_LITTLE.encode()),
        *addresses,
        element(0x0100, b"UI", b"1.2.9"),
        element(0x0102, b"OB", b"secret"),
    )
    for original in (header, received_header()):
        stripped = strip_receipt(original)
        found = pydicom.dcmread(BytesIO(stripped + DATA_SET))
        assert not {0x0026, 0x0027, 0x0028, 0x0100, 0x0102} & {element.tag.element for element in found.file_meta}
        assert found.file_meta.TransferSyntaxUID == EXPLICIT_LITTLE
        assert found.file_meta.FileMetaInformationGroupLength == len(stripped) - 144
        assert found.SOPInstanceUID == "1.2.3"
        assert b"192.0.2" not in stripped
        assert strip_receipt(stripped) == stripped


def test_of_a_receipt_only_what_is_private_is_stripped() -> None:
    stripped = pydicom.dcmread(BytesIO(strip_receipt(received_header()) + DATA_SET)).file_meta
    assert stripped.ImplementationClassUID == OURS
    assert (stripped.SourceApplicationEntityTitle, stripped.ReceivingApplicationEntityTitle) == ("CT1", "MERCURE")


@pytest.mark.parametrize("content", [b"", b"short", bytes(128) + b"DICM", bytes(128) + b"DICM\x02\0\x10\0UI"])
def test_what_is_no_header_is_stripped_of_nothing(content: bytes) -> None:
    assert strip_receipt(content) == content


def test_a_damaged_header_with_a_receipt_is_not_stripped() -> None:
    """Half of what is private might stay."""
    header = bytearray(received_header())
    header[140] ^= 0x40
    with pytest.raises(AlteredHeaderError):
        strip_receipt(bytes(header))


def test_a_copy_has_the_data_set_and_no_receipt(tmp_path: Path) -> None:
    source, copy = tmp_path / "1.dcm", tmp_path / "copy.dcm"
    data_set = DATA_SET + bytes(3_000_001)
    source.write_bytes(received_file(data_set))
    size = copy_image(source, copy)
    assert copy.read_bytes() == strip_receipt(received_header(data_set)) + data_set
    assert size == copy.stat().st_size
    assert same_image(source, copy)
    assert read_receipt(copy) is None
    assert check_image(source)
    with pytest.raises(FileExistsError):
        copy_image(source, copy, replace=False)


@pytest.mark.parametrize("header", [plain_header(), b"", bytes(128) + b"DICM"])
def test_a_file_without_receipt_is_copied_as_it_is(header: bytes, tmp_path: Path) -> None:
    source, copy = tmp_path / "1.dcm", tmp_path / "copy.dcm"
    source.write_bytes(header + DATA_SET)
    copy_image(source, copy)
    assert copy.read_bytes() == header + DATA_SET


def test_an_altered_image_leaves_nothing_under_the_name(tmp_path: Path) -> None:
    source, copy = tmp_path / "1.dcm", tmp_path / "copy.dcm"
    content = received_file()
    last, syntax = len(content) - 1, content.index(EXPLICIT_LITTLE.encode())
    for changed in (
        content[:last] + bytes([content[last] ^ 1]),
        content[:last],
        content + b"\0",
        content[:syntax] + b"2" + content[syntax + 1 :],
        content[: len(received_header())],
    ):
        source.write_bytes(changed)
        with pytest.raises(AlteredImageError, match=r"1\.dcm"):
            copy_image(source, copy)
        with pytest.raises(AlteredImageError, match=r"1\.dcm"):
            check_image(source)
        assert [path.name for path in tmp_path.iterdir()] == ["1.dcm"]


def test_the_digest_of_the_tag_line_is_a_second_witness(tmp_path: Path) -> None:
    """A whole header lost (a sector of zeros, an empty file) leaves no trace of a receipt in the file itself."""
    source, copy = tmp_path / "1.dcm", tmp_path / "copy.dcm"
    receipt = _receipt(received_header())
    assert receipt is not None
    for lost in (b"", bytes(len(received_file())), plain_header() + DATA_SET, received_file(DATA_SET + b"1")):
        source.write_bytes(lost)
        with pytest.raises(AlteredImageError):
            copy_image(source, copy, expected=receipt.digest)
    source.write_bytes(received_file())
    copy_image(source, copy, expected=receipt.digest)


def test_the_transfer_syntax_is_that_of_the_header() -> None:
    assert transfer_syntax_in(received_header(transfer_syntax="1.2.840.10008.1.2")) == "1.2.840.10008.1.2"
    assert transfer_syntax_in(DATA_SET) == ""
