"""Write the seed corpus of the fuzzer: one small file for each way in which a header can be encoded.

The same files are the samples of ctest, which compares their records with getdcmtags/tests/expected.

    python tests/fuzz/make_corpus.py
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"
OPEN = 0xFFFFFFFF
LONG = {b"OB", b"OW", b"SQ", b"UN", b"UT"}
PIXELS = 0x7FE00010


def header(tag: int, vr: bytes, length: int, order: str = "<") -> bytes:
    """Return the header of an element, in implicit VR where ``vr`` is empty."""
    start = struct.pack(f"{order}HH", tag >> 16, tag & 0xFFFF) + vr
    if vr in LONG:
        return start + struct.pack(f"{order}HI", 0, length)
    return start + struct.pack(f"{order}H" if vr else f"{order}I", length)


def element(tag: int, vr: bytes, value: bytes, order: str = "<") -> bytes:
    """Return an element whose value is padded to an even length."""
    if len(value) % 2:
        value += b"\0" if vr in {b"UI", b"OB"} else b" "
    return header(tag, vr, len(value), order) + value


def item(content: bytes) -> bytes:
    """Return an item of known length."""
    return element(0xFFFEE000, b"", content)


def opened(content: bytes) -> bytes:
    """Return an item of undefined length."""
    return header(0xFFFEE000, b"", OPEN) + content + header(0xFFFEE00D, b"", 0)


def ended(items: bytes) -> bytes:
    """Return items with the delimiter of their sequence."""
    return items + header(0xFFFEE0DD, b"", 0)


def part10(data_set: bytes, syntax: bytes) -> bytes:
    """Return a file with preamble and meta header."""
    meta = element(0x00020010, b"UI", syntax)
    return bytes(128) + b"DICM" + element(0x00020000, b"UL", struct.pack("<I", len(meta))) + meta + data_set


def image(order: str = "<", *, explicit: bool = True, extra: bytes = b"") -> bytes:
    """Return a small data set; ``extra`` goes before the pixels."""

    def one(tag: int, vr: bytes, value: bytes) -> bytes:
        return element(tag, vr if explicit else b"", value, order)

    return (
        one(0x00080018, b"UI", b"1.2.3.4")
        + one(0x00080060, b"CS", b"CT")
        + one(0x00100010, b"PN", b"Doe^Jane")
        + one(0x0020000D, b"UI", b"1.2.3")
        + one(0x0020000E, b"UI", b"1.2.3.9")
        + one(0x00280010, b"US", struct.pack(f"{order}H", 512))
        + extra
        + one(PIXELS, b"OW", bytes(8))
    )


def deflated(data: bytes) -> bytes:
    """Return a bare deflate stream."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


def files() -> dict[str, bytes]:
    """Return the corpus by name."""
    little, implicit = b"1.2.840.10008.1.2.1", b"1.2.840.10008.1.2"
    code = element(0x00080100, b"SH", b"T1")
    nested = header(0x00400275, b"SQ", OPEN) + ended(opened(code + element(0x00321064, b"SQ", item(code) + item(b""))))
    icon = header(0x00880200, b"SQ", OPEN) + ended(
        opened(header(PIXELS, b"OB", OPEN) + ended(item(b"") + item(b"\1\2")))
    )
    unknown = header(0x00400275, b"UN", OPEN) + ended(opened(element(0x00080100, b"", b"T2")))
    private = (
        element(0x00290010, b"LO", b"ACME")
        + element(0x00291001, b"CS", b"A\\B")
        + element(0x00291002, b"OB", b"\1\2\3")
    )
    kanji = element(0x00080005, b"CS", b"\\ISO 2022 IR 87") + element(
        0x00100010, b"PN", b"Yamada=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B"
    )
    chinese = element(0x00080005, b"CS", b"GB18030") + element(0x00081030, b"LO", b"\x81\\\\\xcd\xf5\xff")
    return {
        "explicit-little": part10(image(), little),
        "explicit-big": part10(image(">"), b"1.2.840.10008.1.2.2"),
        "implicit-little": part10(image(explicit=False), implicit),
        "deflated": part10(deflated(image()), b"1.2.840.10008.1.2.1.99"),
        "no-meta": image(),
        "nested": part10(image(extra=nested), little),
        "icon": part10(image(extra=icon), little),
        "unknown-vr": part10(image(extra=unknown), little),
        "private": part10(private + image(), little),
        "kanji": part10(kanji, little),
        "gb18030": part10(chinese, little),
    }


def main() -> None:
    """Write the files."""
    CORPUS.mkdir(exist_ok=True)
    for name, content in files().items():
        (CORPUS / f"{name}.dcm").write_bytes(content)


if __name__ == "__main__":
    main()
