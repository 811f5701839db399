"""Write the seeds of the fuzzers of conversions and codecs: data sets, and one small frame of each codec.

Needs a build (``convert_data_set``) and the programs that the tests compress with.

    python -m tests.fuzz.make_conversion_corpus
"""

from __future__ import annotations

import struct
import tempfile
from pathlib import Path
from typing import Final

import pydicom

from tests.support.data_sets import data_set_of
from tests.support.encoded import BIG_ENDIAN, ENCODINGS, EXPLICIT, IMPLICIT, Element, Item, encode
from tests.support.pictures import Picture, compress, converted, deflated, encapsulated, with_pixels

HERE: Final = Path(__file__).parent
SOURCES: Final = (IMPLICIT, EXPLICIT, BIG_ENDIAN)
"""The first of the fuzzer's syntaxes; the first byte of a seed is the place in that list, the second where to."""
WORDS: Final = (
    Element(0x00080005, "CS", b"ISO_IR 192"),
    Element(0x00090010, "LO", b"SOMEBODY"),
    Element(0x00091001, "UN", b"\1\2\3\4"),
    Element(0x00081140, "SQ", items=(Item((Element(0x00100010, "PN", b"Doe^Jane"),), known_length=False), Item(()))),
    Element(0x00189306, "FD", struct.pack("<d", 1.5)),
    Element(0x00280103, "US", b"\1\0"),
    Element(0x00280106, "SS", b"\xff\xff"),
)
SMALL: Final = Picture(rows=6, columns=5, frames=2)
FRAME: Final = Picture(rows=16, columns=16, stored=16)
MADE: Final = {
    "jpeg_ls": "1.2.840.10008.1.2.4.80",
    "jpeg_2000": "1.2.840.10008.1.2.4.90",
    "htj2k": "1.2.840.10008.1.2.4.201",
    "rle": "1.2.840.10008.1.2.5",
}


def data_sets() -> dict[str, bytes]:
    """Return data sets by the names of their files."""
    made = {}
    for place, syntax in enumerate(SOURCES):
        for to in range(3):
            made[f"words-{place}-{to}"] = bytes([place, to]) + encode(WORDS, ENCODINGS[syntax])
            made[f"picture-{place}-{to}"] = bytes([place, to]) + encode(SMALL.elements(), ENCODINGS[syntax])
    half = SMALL.values[: len(SMALL.values) // 2]
    made["deflated"] = b"\3\1" + deflated(encode(WORDS, ENCODINGS[EXPLICIT]))
    made["big-pixels"] = b"\4\1" + encode(SMALL.elements(), ENCODINGS[IMPLICIT])
    made["compressed"] = b"\5\1" + with_pixels(SMALL, encapsulated(half, half))
    made["compressed-anew"] = b"\5\2" + with_pixels(SMALL, encapsulated(half, half))
    return made


def frames(folder: Path) -> dict[str, bytes]:
    """Return a frame of each codec, behind what describes it."""
    native = encode(FRAME.elements(), ENCODINGS[EXPLICIT])
    lossless = compress("JPEG lossless by DCMTK", FRAME.file(folder / "native.dcm"), folder / "jpeg.dcm")
    found = {"deflate": deflated(FRAME.values), "jpeg": _first(data_set_of(lossless.read_bytes()))}
    found |= {name: _first(converted(native, EXPLICIT, folder, syntax)) for name, syntax in MADE.items()}
    return {name: bytes([15, 15, 0, 1, 15]) + frame for name, frame in found.items()}


def _first(data: bytes) -> bytes:
    value = data[data.rindex(b"\xe0\x7f\x10\x00OB") + 12 :]
    return next(pydicom.encaps.generate_frames(value, number_of_frames=1))


def main() -> None:
    """Write the files."""
    (HERE / "convert").mkdir(exist_ok=True)
    for name, content in data_sets().items():
        (HERE / "convert" / name).write_bytes(content)
    with tempfile.TemporaryDirectory() as folder:
        for name, frame in frames(Path(folder)).items():
            (HERE / "codec" / name).mkdir(parents=True, exist_ok=True)
            (HERE / "codec" / name / "frame").write_bytes(frame)


if __name__ == "__main__":
    main()
