"""What the oracle takes for one and the same, and what not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.oracle.lossless import as_explicit
from tests.support.data_sets import data_set_of
from tests.support.encoded import ENCODINGS, EXPLICIT, IMPLICIT, encode
from tests.support.pictures import Picture, compress, file_of

if TYPE_CHECKING:
    from pathlib import Path

PICTURE = Picture(frames=2)
SENT = encode(PICTURE.elements(), ENCODINGS[EXPLICIT])


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
def test_without_compression(syntax: str) -> None:
    assert as_explicit(file_of(syntax, encode(PICTURE.elements(), ENCODINGS[syntax]))) == SENT


def test_with_rle(tmp_path: Path) -> None:
    file = compress("RLE by DCMTK", PICTURE.file(tmp_path / "native.dcm"), tmp_path / "rle.dcm").read_bytes()
    assert as_explicit(file).endswith(data_set_of((tmp_path / "native.dcm").read_bytes())[-len(PICTURE.values) :])


def test_another_sample_is_another_image_and_half_a_file_is_none() -> None:
    data = bytearray(file_of(IMPLICIT, encode(PICTURE.elements(), ENCODINGS[IMPLICIT])))
    data[-8] ^= 1
    assert as_explicit(bytes(data)) != SENT
    with pytest.raises(ValueError, match="no whole DICOM file"):
        as_explicit(bytes(data[:140]))
