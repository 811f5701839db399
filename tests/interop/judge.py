"""What came to a receiver, held against the file that was sent: bytes, elements, pixels and ``dciodvfy``."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from tests.interop import pixels, syntaxes
from tests.interop.elements import differences, said, without_loss
from tests.support.pictures import file_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.interop.sample import Sample

SAME, CONVERTED_COLOURS, DECODED = 0, 2, 1
"""Greatest differences of a sample: of lossless ones, of lossy colours that became others, of other lossy ones."""

UNKNOWN_TO_DCIODVFY: Final = frozenset(
    [syntaxes.DEFLATED, syntaxes.HTJ2K, syntaxes.HTJ2K_RPCL, syntaxes.HTJ2K_LOSSY, syntaxes.DEFLATED_FRAMES]
)

MADE_COLOURS: Final = ("RGB", "YBR_RCT")
"""What decoding and JPEG 2000 without loss may make of the colours of another kind."""

BY_GDCM: Final = ("gdcmconv", "--raw")
BY_DCMTK: Final = ("dcmconv", "+te")
"""For big endian: DCMTK turns 16-bit words around, as VR OW says, and pydicom whole numbers of 32 bits."""

NOT_DECODED_BY_OTHERS: Final = frozenset([*syntaxes.VIDEO, *syntaxes.OF_VENDORS, syntaxes.JPIP])


@dataclass(frozen=True)
class Arrival:
    """An image as a receiver has it."""

    instance: str
    syntax: str
    data_set: bytes


@dataclass(frozen=True)
class Finding:
    """What is wrong with it (nothing: ``""``), and the greatest difference of a sample."""

    problem: str = ""
    far: int = 0


@dataclass
class Judge:
    """Compares; what it has seen before it does not decode again."""

    folder: Path
    _seen: dict[tuple[str, bytes], Finding] = field(default_factory=dict)
    _decoded: dict[str, list[pixels.Pixels]] = field(default_factory=dict)
    _errors: dict[bytes, frozenset[str] | None] = field(default_factory=dict)

    def finding(self, sample: Sample, arrival: Arrival) -> Finding:
        """Judge what arrived of a file."""
        if (arrival.syntax, arrival.data_set) == (sample.syntax, sample.data_set):
            return Finding()
        key = (sample.instance, hashlib.sha256(arrival.syntax.encode() + arrival.data_set).digest())
        if key not in self._seen:
            self._seen[key] = self._compare(sample, arrival)
        return self._seen[key]

    def _compare(self, sample: Sample, arrival: Arrival) -> Finding:
        if arrival.syntax == sample.syntax in NOT_DECODED_BY_OTHERS:
            kept = sample.data_set[-2000:-8] in arrival.data_set  # a node may write the rest anew
            return Finding("" if kept else "its content is not what was sent")
        content = file_of(arrival.syntax, arrival.data_set, sop_class=sample.sop_class, instance=sample.instance)
        original = sample.path.read_bytes()
        one = said(pixels.read(original), big_endian=sample.syntax == syntaxes.BIG_ENDIAN)
        other = said(pixels.read(content), big_endian=arrival.syntax == syntaxes.BIG_ENDIAN)
        if sample.is_lossy and arrival.syntax != sample.syntax:
            one, other = without_loss(one), without_loss(other)
        changed = differences(one, other)
        if changed:
            return Finding("; ".join(changed)[:400])
        new = self._new_errors(sample, arrival, content)
        if new:
            return Finding(f"dciodvfy finds: {'; '.join(new)}"[:400])
        return self._compare_pixels(sample, content)

    def _compare_pixels(self, sample: Sample, content: bytes) -> Finding:
        expected = self._by_others(sample)
        got = pixels.by_pydicom(content)
        if got is None or not expected:
            return Finding("" if got is None and not expected else "its pixels are lost")
        far = [each for each in (pixels.distance(got, other) for other in expected) if each is not None]
        if not far:
            return Finding("its pixels are of another shape")
        nearest = min(far)
        before, after = (_colours(each) for each in (sample.path.read_bytes(), content))
        if after not in (before, *MADE_COLOURS):
            return Finding(f"its colours were {before} and are {after}", nearest)
        allowed = SAME
        if sample.is_lossy:
            allowed = DECODED if after == before else CONVERTED_COLOURS
        return Finding("" if nearest <= allowed else f"a sample is {nearest} from what other decoders say", nearest)

    def _by_others(self, sample: Sample) -> list[pixels.Pixels]:
        if sample.instance not in self._decoded:
            made = self.folder / f"{sample.path.stem}.raw"
            found = [pixels.by_pydicom(sample.path.read_bytes())]
            if sample.syntax == syntaxes.BIG_ENDIAN:
                found.append(pixels.by_command(sample.path, made, *BY_DCMTK))
            elif sample.syntax not in syntaxes.NATIVE:
                found.append(pixels.by_command(sample.path, made, *BY_GDCM))
            self._decoded[sample.instance] = [each for each in found if each is not None]
        return self._decoded[sample.instance]

    def _new_errors(self, sample: Sample, arrival: Arrival, content: bytes) -> list[str]:
        """Return what dciodvfy finds that it did not find before; nothing where it cannot read one of the two."""
        original = sample.path.read_bytes()
        if sample.syntax == syntaxes.DEFLATED:
            original = file_of(syntaxes.EXPLICIT, zlib.decompress(sample.data_set, wbits=-15))
        if shutil.which("dciodvfy") is None or arrival.syntax in UNKNOWN_TO_DCIODVFY:
            return []
        before, after = self._errors_of(original), self._errors_of(content)
        return [] if before is None or after is None else sorted(after - before)

    def _errors_of(self, content: bytes) -> frozenset[str] | None:
        key = hashlib.sha256(content).digest()
        if key not in self._errors:
            path = self.folder / "checked.dcm"
            path.write_bytes(content)
            done = subprocess.run(["dciodvfy", path], capture_output=True, timeout=60, check=False)
            lines = (done.stdout + done.stderr).decode(errors="replace").splitlines()
            found = frozenset(_normal(line) for line in lines if line.startswith("Error"))
            self._errors[key] = found if done.returncode >= 0 else None  # an assertion of its own stops it at 32 bits
        return self._errors[key]


def _colours(content: bytes) -> str:
    return str(pixels.read(content).get("PhotometricInterpretation"))


def _normal(line: str) -> str:
    """Leave out offsets, which differ in each transfer syntax."""
    return re.sub(r"\b(0x)?[0-9a-f]+\b(?= bytes| \(dec\))|@ 0x[0-9a-f]+", "", line)
