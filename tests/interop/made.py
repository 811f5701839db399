"""Files that are made here: pictures of every kind, compressed by the programs of others."""

from __future__ import annotations

import struct
import subprocess
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tests.interop import syntaxes
from tests.support.encoded import ENCODINGS, Element, Encoding, Item, encode
from tests.support.pictures import SECONDARY_CAPTURE, Picture, encapsulated, file_of, uid

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ENHANCED_MR: Final = "1.2.840.10008.5.1.4.1.1.4.1"
MULTI_FRAME_BYTES: Final = "1.2.840.10008.5.1.4.1.1.7.2"
MULTI_FRAME_WORDS: Final = "1.2.840.10008.5.1.4.1.1.7.3"
MULTI_FRAME_COLOURS: Final = "1.2.840.10008.5.1.4.1.1.7.4"
ENCAPSULATED_PDF: Final = "1.2.840.10008.5.1.4.1.1.104.1"
PARAMETRIC_MAP: Final = "1.2.840.10008.5.1.4.1.1.30"
VIDEO_ENDOSCOPIC: Final = "1.2.840.10008.5.1.4.1.1.77.1.1.1"
CT_IMAGE: Final = "1.2.840.10008.5.1.4.1.1.2"

PICTURES: Final = {
    "8 bit": Picture(allocated=8, stored=8),
    "12 bit": Picture(),
    "16 bit": Picture(stored=16),
    "16 bit signed": Picture(stored=16, signed=True),
    "12 bit signed": Picture(signed=True),
    "even 8 bit": Picture(rows=36, columns=50, allocated=8, stored=8),
    "RGB": Picture(samples=3, allocated=8, stored=8, photometric="RGB"),
    "even RGB": Picture(rows=36, columns=50, samples=3, allocated=8, stored=8, photometric="RGB"),
    "MONOCHROME1": Picture(photometric="MONOCHROME1"),
    "3 frames": Picture(frames=3),
    "3 frames 8 bit": Picture(frames=3, allocated=8, stored=8),
    "3 frames RGB": Picture(frames=3, samples=3, allocated=8, stored=8, photometric="RGB"),
}

Elements = tuple[Element, ...]


def described(elements: Elements, instance: str, sop_class: str = SECONDARY_CAPTURE, more: Elements = ()) -> Elements:
    """Give a picture a patient, a study and a series, as archives want them, and a SOP class and instance."""
    root = instance.rpartition(".")[0]
    identity = (
        Element(0x00080016, "UI", uid(sop_class)),
        Element(0x00080018, "UI", uid(instance)),
        Element(0x00080020, "DA", b"20261130"),
        Element(0x00080030, "TM", b"101112"),
        Element(0x00080050, "SH", b"ACC1"),
        Element(0x00080090, "PN"),
        Element(0x00100010, "PN", b"Interop^Test"),
        Element(0x00100020, "LO", b"INTEROP1"),
        Element(0x00100030, "DA", b"19700101"),
        Element(0x00100040, "CS", b"O "),
        Element(0x0020000D, "UI", uid(f"{root}.1")),
        Element(0x0020000E, "UI", uid(f"{root}.2")),
        Element(0x00200010, "SH", b"1 "),
        Element(0x00200011, "IS", b"1 "),
        Element(0x00200013, "IS", b"1 "),
    )
    found = {element.tag: element for element in (*elements, *identity, *more)}
    return tuple(found[tag] for tag in sorted(found))


def class_of(picture: Picture) -> str:
    """Return the secondary capture that a picture is."""
    if picture.frames == 1:
        return SECONDARY_CAPTURE
    if picture.samples == 3:
        return MULTI_FRAME_COLOURS
    return MULTI_FRAME_BYTES if picture.allocated == 8 else MULTI_FRAME_WORDS


@dataclass(frozen=True)
class Workshop:
    """Where files are made."""

    folder: Path

    def native(self, name: str, instance: str, syntax: str = syntaxes.EXPLICIT) -> Path:
        """Write a picture without compression."""
        picture = PICTURES[name]
        return self.file(described(picture.elements(), instance, class_of(picture)), syntax)

    def file(self, elements: Elements, syntax: str = syntaxes.EXPLICIT, pixels: bytes = b"") -> Path:
        """Write a data set; `pixels` are put behind it as they are, and it is deflated where the syntax says so."""
        by_tag = {element.tag: element.value.rstrip(b"\0").decode() for element in elements[:4] if element.vr == "UI"}
        encoding = ENCODINGS.get(syntax) or Encoding(syntax != syntaxes.GE_BIG_ENDIAN)
        data = encode(elements, encoding) + pixels
        if syntax == syntaxes.DEFLATED:
            data = deflated(data)
        path = self.folder / f"{by_tag[0x00080018]}.native"
        path.write_bytes(file_of(syntax, data, sop_class=by_tag[0x00080016], instance=by_tag[0x00080018]))
        return path

    def by(self, *command: str, native: Path) -> Path:
        """Let another program make a file of a file: `IN` and `OUT` stand for them."""
        made = native.with_suffix(".made")
        run([{"IN": str(native), "OUT": str(made)}.get(part, part) for part in command])
        return made

    def by_frame(self, frame: bytes, name: str, instance: str, syntax: str, **changes: str) -> Path:
        """Write the description of a picture, with one compressed frame."""
        elements = described(PICTURES[name].elements(), instance)[:-1]
        changed = tuple(
            Element(it.tag, it.vr, changes["photometric"].encode().ljust(len(changes["photometric"]) + 1 & ~1))
            if it.tag == 0x00280004 and changes
            else it
            for it in elements
        )
        return self.file(changed, syntax, encapsulated(frame + b"\0" * (len(frame) % 2)))


def run(command: list[str]) -> None:
    """Run a program of others; what it says is in the error."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, f"{command}: {done.returncode} {done.stdout} {done.stderr}"


def deflated(data: bytes) -> bytes:
    """Compress as PS3.5 annex A.5 says, to an even length."""
    packer = zlib.compressobj(wbits=-15)
    packed = packer.compress(data) + packer.flush()
    return packed + b"\0" * (len(packed) % 2)


def _graymap(shop: Workshop, name: str) -> Path:
    picture = PICTURES[name]
    values = picture.values
    if picture.allocated == 16:  # a portable graymap is big endian
        values = b"".join(values[at : at + 2][::-1] for at in range(0, len(values), 2))
    kind, suffix = ("P5", "pgm") if picture.samples == 1 else ("P6", "ppm")
    path = shop.folder / f"{name.replace(' ', '-')}.{suffix}"
    path.write_bytes(f"{kind}\n{picture.columns} {picture.rows}\n{(1 << picture.stored) - 1}\n".encode() + values)
    return path


def htj2k(syntax: str, name: str, *options: str) -> Callable[[Workshop, str], Path]:
    """Make high-throughput JPEG 2000 by OpenJPH."""

    def make(shop: Workshop, instance: str) -> Path:
        out = shop.folder / f"{instance}.j2c"
        run(["ojph_compress", "-i", str(_graymap(shop, name)), "-o", str(out), *options])
        changes = {"photometric": "YBR_RCT"} if PICTURES[name].samples == 3 else {}
        return shop.by_frame(out.read_bytes(), name, instance, syntax, **changes)

    return make


def openjpeg(syntax: str, name: str, *options: str) -> Callable[[Workshop, str], Path]:
    """Make JPEG 2000 by OpenJPEG's own program."""

    def make(shop: Workshop, instance: str) -> Path:
        out = shop.folder / f"{instance}.j2k"
        run(["opj_compress", "-i", str(_graymap(shop, name)), "-o", str(out), *options])
        colours = "YBR_ICT" if "-I" in options else "YBR_RCT"
        changes = {"photometric": colours} if PICTURES[name].samples == 3 else {}
        return shop.by_frame(out.read_bytes(), name, instance, syntax, **changes)

    return make


def deflated_frames(shop: Workshop, instance: str) -> Path:
    """Deflate each frame (PS3.5 annex A.4.13)."""
    picture = PICTURES["3 frames"]
    size = len(picture.values) // picture.frames
    frames = [deflated(picture.values[at : at + size]) for at in range(0, len(picture.values), size)]
    elements = described(picture.elements(), instance, MULTI_FRAME_WORDS)[:-1]
    return shop.file(elements, syntaxes.DEFLATED_FRAMES, encapsulated(*frames))


def ge_big_endian(shop: Workshop, instance: str) -> Path:
    """Write in GE's private syntax: implicit little endian, but for the pixels."""
    elements = described(PICTURES["16 bit signed"].elements(), instance)
    values = elements[-1].value
    turned = b"".join(values[at : at + 2][::-1] for at in range(0, len(values), 2))
    return shop.file((*elements[:-1], Element(0x7FE00010, "OW", turned)), syntaxes.GE_BIG_ENDIAN)


def _functional_groups(frames: int) -> Elements:
    def groups(*elements: Element) -> Item:
        return Item(elements, known_length=False)

    measures = Element(0x00289110, "SQ", items=(Item((Element(0x00280030, "DS", b"1\\1 "),)),))
    planes = [
        groups(Element(0x00209113, "SQ", items=(Item((Element(0x00200032, "DS", f"0\\0\\{frame} ".encode()),)),)))
        for frame in range(frames)
    ]
    return (
        Element(0x52009229, "SQ", items=(groups(measures),), known_length=False),
        Element(0x52009230, "SQ", items=tuple(planes)),
    )


def enhanced(shop: Workshop, instance: str) -> Path:
    """Write an enhanced image: frames with functional groups."""
    more = _functional_groups(PICTURES["3 frames"].frames)
    return shop.file(described(PICTURES["3 frames"].elements(), instance, ENHANCED_MR, more))


def pdf(shop: Workshop, instance: str) -> Path:
    """Write a document."""
    more = (
        Element(0x00280301, "CS", b"NO"),
        Element(0x00420010, "ST", b"A report"),
        Element(0x00420011, "OB", b"%PDF-1.4\n%%EOF\n" + b"\0"),
        Element(0x00420012, "LO", b"application/pdf "),
    )
    return shop.file(described((), instance, ENCAPSULATED_PDF, more))


def parametric_map(shop: Workshop, instance: str) -> Path:
    """Write an image of floating point numbers."""
    elements = described(Picture(allocated=8, stored=8, rows=4, columns=6).elements(), instance, PARAMETRIC_MAP)
    values = struct.pack("<24f", *(0.5 * place for place in range(24)))
    kept = [element for element in elements if element.tag not in (0x7FE00010, 0x00280101, 0x00280102, 0x00280103)]
    wide = [Element(0x00280100, "US", b"\x20\0") if element.tag == 0x00280100 else element for element in kept]
    return shop.file((*wide, Element(0x7FE00008, "OF", values)))


def odd_elements(shop: Workshop, instance: str) -> Path:
    """Write an image with private elements, unknown VRs, nested sequences and group lengths."""
    inner = (Element(0x00090010, "LO", b"OTHER "), Element(0x00091001, "FD", struct.pack("<d", 2.5)))
    more = (
        Element(0x00080000, "UL", struct.pack("<I", 0)),
        Element(0x00081140, "SQ", items=(Item(inner, known_length=False), Item(())), known_length=False),
        Element(0x00090010, "LO", b"INTEROP "),
        Element(0x00091001, "UN", b"\1\2\3\4"),
        Element(0x00091002, "SQ", items=(Item(inner),)),
        Element(0x00091003, "US", struct.pack("<3H", 1, 2, 3)),
        Element(0x00091004, "OB", b"\1\2\3\0"),
        Element(0x00209999, "UN", b"new "),
        Element(0x00283010, "SQ", items=()),
    )
    return shop.file(described(PICTURES["12 bit"].elements(), instance, CT_IMAGE, more))


def with_icon(shop: Workshop, instance: str) -> Path:
    """Write an image that has a small one within."""
    icon = Picture(rows=8, columns=8, allocated=8, stored=8).elements()[3:]
    more = (Element(0x00880200, "SQ", items=(Item(icon),)),)
    return shop.file(described(PICTURES["12 bit"].elements(), instance, CT_IMAGE, more))


def video(syntax: str) -> Callable[[Workshop, str], Path]:
    """Write what looks like video; nobody here looks into it."""

    def make(shop: Workshop, instance: str) -> Path:
        elements = described(PICTURES["3 frames RGB"].elements(), instance, VIDEO_ENDOSCOPIC)[:-1]
        return shop.file(elements, syntax, encapsulated(b"\0\0\1\xb3" + bytes(range(256)) * 20))

    return make


def elsewhere(shop: Workshop, instance: str) -> Path:
    """Write an image whose pixels are to be had by JPIP."""
    elements = described(PICTURES["12 bit"].elements(), instance)[:-1]
    return shop.file((*elements, Element(0x00287FE0, "UR", b"https://example.net/image ")), syntaxes.JPIP)


def private_syntax(shop: Workshop, instance: str) -> Path:
    """Write something that only one vendor reads."""
    native = shop.native("12 bit", instance)
    content = file_of(syntaxes.PRIVATE, b"BZh9" + native.read_bytes()[400:800], instance=instance)
    native.write_bytes(content)
    return native


def private_frames(shop: Workshop, instance: str) -> Path:
    """Write an image whose data set everybody reads, and whose frames only one vendor decodes."""
    elements = described(PICTURES["12 bit"].elements(), instance)[:-1]
    return shop.file(elements, syntaxes.PRIVATE_FRAMES, encapsulated(bytes(range(256)) * 8))


def beyond_4_gib(shop: Workshop, instance: str) -> Path:
    """Write an image of 5 GiB in little: its frames are empty, and there are many."""
    frames = 40
    sizes = {0x00280008: b"40", 0x00280010: struct.pack("<H", 65535), 0x00280011: struct.pack("<H", 1024)}
    elements = [
        Element(it.tag, it.vr, sizes.get(it.tag, it.value))
        for it in described(PICTURES["12 bit"].elements(), instance, MULTI_FRAME_WORDS)[:-1]
    ]
    empty = struct.pack("<16I", 2, 64, 66, *[0] * 13) + b"\x81\0\x81\0"
    return shop.file(tuple(elements), syntaxes.RLE, encapsulated(*[empty] * frames))
