"""The files of the matrix: those that come with pydicom, and those that are made."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pydicom.data

from tests.interop import made, pixels, syntaxes
from tests.interop.sample import Sample

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.interop.made import Workshop

Make = "Callable[[Workshop, str], Path]"

ROOT: Final = "1.2.826.0.1.3680043.8.498.14"
FIRST: Final = 101

OF_PYDICOM: Final = {
    "CT, 16 bit signed": "CT_small.dcm",
    "US, RGB by planes": "ExplVR_BigEnd.dcm",
    "MR, implicit": "MR_small_implicit.dcm",
    "MR, big endian": "MR_small_bigendian.dcm",
    "MR, RLE": "MR_small_RLE.dcm",
    "MR, JPEG 2000": "MR_small_jp2klossless.dcm",
    "MR, JPEG-LS": "MR_small_jpeg_ls_lossless.dcm",
    "MR, overlay": "examples_overlay.dcm",
    "CT, 14 bit signed": "693_J2KI.dcm",
    "CT, sign told otherwise": "J2K_pixelrep_mismatch.dcm",
    "YBR_RCT, text": "GDCMJ2K_TextGBR.dcm",
    "US, YBR_RCT": "examples_jpeg2k.dcm",
    "SC, JPEG 2000, 16 bit": "JPEG2000.dcm",
    "SC, 12 bit": "JPGExtended.dcm",
    "RGB without transform": "SC_jpeg_no_color_transform.dcm",
    "RGB without transform 2": "SC_jpeg_no_color_transform_2.dcm",
    "RGB +cr": "SC_rgb_dcmtk_+eb+cr.dcm",
    "YBR_FULL 444": "SC_rgb_dcmtk_+eb+cy+n1.dcm",
    "YBR_FULL 422": "SC_rgb_dcmtk_+eb+cy+n2.dcm",
    "YBR_FULL_422 np": "SC_rgb_dcmtk_+eb+cy+np.dcm",
    "YBR_FULL_422 s2": "SC_rgb_dcmtk_+eb+cy+s2.dcm",
    "YBR_FULL s4": "SC_rgb_dcmtk_+eb+cy+s4.dcm",
    "RGB app14": "SC_rgb_jpeg_app14_dcmd.dcm",
    "YBR_FULL by DCMTK": "SC_rgb_jpeg_dcmtk.dcm",
    "YBR_FULL by GDCM": "SC_rgb_jpeg_lossy_gdcm.dcm",
    "RGB, JPEG lossless by GDCM": "SC_rgb_jpeg_gdcm.dcm",
    "YBR_FULL, odd": "SC_rgb_small_odd_jpeg.dcm",
    "YBR_FULL_422, 30 frames": "examples_ybr_color.dcm",
    "RGB, J2K by Kakadu": "SC_rgb_gdcm_KY.dcm",
    "RGB, RLE": "SC_rgb_rle.dcm",
    "RGB 16 bit, RLE": "SC_rgb_rle_16bit.dcm",
    "RGB 16 bit, 2 frames, RLE": "SC_rgb_rle_16bit_2frame.dcm",
    "RGB 32 bit, RLE": "SC_rgb_rle_32bit.dcm",
    "RGB, odd": "SC_rgb_small_odd.dcm",
    "RGB, odd, big endian": "SC_rgb_small_odd_big_endian.dcm",
    "YBR_FULL_422, native": "SC_ybr_full_422_uncompressed.dcm",
    "palette": "examples_palette.dcm",
    "US, RGB": "examples_rgb_color.dcm",
    "SC, deflated": "image_dfl.dcm",
    "SEG, 1 bit": "liver_1frame.dcm",
    "SEG, 1 bit, big endian": "liver_expb_1frame.dcm",
    "RT dose": "rtdose.dcm",
    "RT dose, big endian": "rtdose_expb.dcm",
    "RT plan": "rtplan.dcm",
    "SR, text": "reportsi.dcm",
    "SR, comprehensive": "test-SR.dcm",
    "waveform": "waveform_ecg.dcm",
    "no pixels": "dicomdirtests/TINY_ALPHA/PT000000/ST000000/SE000000/IM000000",
}

WITHOUT_IDENTITY: Final = {
    "near 8 bit": "JPEGLSNearLossless_08.dcm",
    "near 16 bit": "JPEGLSNearLossless_16.dcm",
    "near RGB by line": "SC_rgb_jls_lossy_line.dcm",
    "near RGB by sample": "SC_rgb_jls_lossy_sample.dcm",
}
"""Of pydicom, too; they get a patient, a study and a series, without which Orthanc takes nothing."""

_GRAY: Final = ("8 bit", "12 bit", "16 bit", "16 bit signed", "3 frames")
_DCMTK: Final = (*_GRAY, "RGB", "3 frames RGB")

BY_COMMANDS: Final[dict[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "RLE by DCMTK": (("dcmcrle", "IN", "OUT"), (*_DCMTK, "MONOCHROME1")),
    "RLE by GDCM": (("gdcmconv", "--rle", "IN", "OUT"), ("even 8 bit", "16 bit signed", "even RGB")),
    "JPEG lossless by DCMTK": (("dcmcjpeg", "+el", "IN", "OUT"), ("8 bit", "16 bit", "RGB")),
    "JPEG lossless SV1 by DCMTK": (("dcmcjpeg", "+e1", "IN", "OUT"), _DCMTK),
    "JPEG lossless SV1 by GDCM": (("gdcmconv", "--jpeg", "IN", "OUT"), ("8 bit", "16 bit signed", "RGB", "3 frames")),
    "JPEG baseline by DCMTK": (
        ("dcmcjpeg", "+un", "+eb", "IN", "OUT"),
        ("8 bit", "RGB", "3 frames 8 bit", "3 frames RGB"),
    ),
    "JPEG baseline 444 by DCMTK": (("dcmcjpeg", "+un", "+eb", "+s4", "IN", "OUT"), ("RGB",)),
    "JPEG baseline by GDCM": (("gdcmconv", "--jpeg", "--lossy", "IN", "OUT"), ("8 bit", "RGB")),
    "JPEG extended by DCMTK": (("dcmcjpeg", "+un", "+ee", "IN", "OUT"), ("8 bit", "12 bit", "3 frames")),
    "JPEG spectral by DCMTK": (("dcmcjpeg", "+un", "+es", "IN", "OUT"), ("8 bit", "RGB")),
    "JPEG progressive by DCMTK": (("dcmcjpeg", "+un", "+ep", "IN", "OUT"), ("8 bit", "12 bit", "RGB")),
    "JPEG-LS by DCMTK": (("dcmcjpls", "IN", "OUT"), _DCMTK),
    "JPEG-LS by GDCM": (("gdcmconv", "--jpegls", "IN", "OUT"), ("8 bit", "16 bit", "RGB")),
    "JPEG-LS near by DCMTK": (("dcmcjpls", "+un", "+en", "IN", "OUT"), ("8 bit", "12 bit", "RGB")),
    "JPEG 2000 by GDCM": (("gdcmconv", "--j2k", "IN", "OUT"), (*_DCMTK, "12 bit signed")),
    "JPEG 2000 lossy by GDCM": (("gdcmconv", "--j2k", "--lossy", "-r", "5", "IN", "OUT"), ("8 bit", "12 bit", "RGB")),
    "deflated by DCMTK": (("dcmconv", "+td", "IN", "OUT"), ("12 bit", "RGB")),
    "big endian by DCMTK": (("dcmconv", "+tb", "IN", "OUT"), ("16 bit signed", "RGB", "3 frames")),
    "implicit by DCMTK": (("dcmconv", "+ti", "IN", "OUT"), ("12 bit", "RGB")),
}
"""Commands of others, and the pictures that each makes files of."""


def _native(picture: str, shop: Workshop, instance: str) -> Path:
    return shop.native(picture, instance)


BY_HAND: Final[dict[str, Callable[[Workshop, str], Path]]] = {
    **{f"native, {name}": partial(_native, name) for name in made.PICTURES if "even" not in name},
    "HTJ2K, 8 bit": made.htj2k(syntaxes.HTJ2K, "8 bit", "-reversible", "true", "-prog_order", "LRCP"),
    "HTJ2K, 16 bit": made.htj2k(syntaxes.HTJ2K, "16 bit", "-reversible", "true", "-prog_order", "LRCP"),
    "HTJ2K, RGB": made.htj2k(syntaxes.HTJ2K, "RGB", "-reversible", "true", "-prog_order", "LRCP"),
    "HTJ2K RPCL, 12 bit": made.htj2k(syntaxes.HTJ2K_RPCL, "12 bit", "-reversible", "true", "-prog_order", "RPCL"),
    "HTJ2K lossy, 8 bit": made.htj2k(syntaxes.HTJ2K_LOSSY, "8 bit", "-qstep", "0.01"),
    "JPEG 2000 by OpenJPEG, 12 bit, tiles": made.openjpeg(syntaxes.JPEG_2000, "12 bit", "-t", "16,16", "-n", "3"),
    "JPEG 2000 by OpenJPEG, RGB": made.openjpeg(syntaxes.JPEG_2000, "RGB"),
    "JPEG 2000 by OpenJPEG, RGB, YBR_ICT": made.openjpeg(syntaxes.JPEG_2000_LOSSY, "RGB", "-I", "-r", "4"),
    "deflated frames": made.deflated_frames,
    "GE's big endian pixels": made.ge_big_endian,
    "enhanced MR": made.enhanced,
    "enhanced MR, JPEG lossless": lambda shop, uid: shop.by("dcmcjpeg", "IN", "OUT", native=made.enhanced(shop, uid)),
    "enhanced MR, JPEG 2000": lambda shop, uid: shop.by(
        "gdcmconv", "--j2k", "IN", "OUT", native=made.enhanced(shop, uid)
    ),
    "odd elements": made.odd_elements,
    "odd elements, RLE": lambda shop, uid: shop.by("dcmcrle", "IN", "OUT", native=made.odd_elements(shop, uid)),
    "icon": made.with_icon,
    "icon, JPEG-LS": lambda shop, uid: shop.by("dcmcjpls", "IN", "OUT", native=made.with_icon(shop, uid)),
    "RT dose, RLE": lambda shop, _: shop.by("dcmcrle", "IN", "OUT", native=_of_pydicom("rtdose.dcm", shop)),
    "palette, RLE": lambda shop, _: shop.by("dcmcrle", "IN", "OUT", native=_of_pydicom("examples_palette.dcm", shop)),
    "PDF": made.pdf,
    "floating point": made.parametric_map,
    "video, MPEG-2": made.video(syntaxes.MPEG2),
    "video, MPEG-4": made.video(syntaxes.MPEG4),
    "video, HEVC": made.video(syntaxes.HEVC),
    "JPIP": made.elsewhere,
    "private syntax": made.private_syntax,
    "private frames": made.private_frames,
    "5 GiB without compression": made.beyond_4_gib,
}


def _by_command(command: tuple[str, ...], picture: str, shop: Workshop, instance: str) -> Path:
    return shop.by(*command, native=shop.native(picture, instance))


def _of_pydicom(name: str, shop: Workshop) -> Path:
    return Path(
        shutil.copy(Path(pydicom.data.__file__).parent / "test_files" / name, shop.folder / name.replace("/", "-"))
    )


def _identified(name: str, shop: Workshop, instance: str) -> Path:
    path = _of_pydicom(name, shop)
    data_set = pixels.read(path.read_bytes())
    data_set.PatientID, data_set.StudyID = "INTEROP1", "1"
    data_set.StudyInstanceUID, data_set.SeriesInstanceUID = f"{instance}.1", f"{instance}.2"
    data_set.save_as(path)
    return path


def _makers() -> dict[str, Callable[[Workshop, str], Path]]:
    """Return what makes each file; `str` is the SOP Instance UID that it gets."""
    found: dict[str, Callable[[Workshop, str], Path]] = {
        name: lambda shop, _, file=file: _of_pydicom(file, shop)  # type: ignore[misc]
        for name, file in OF_PYDICOM.items()
    }
    found |= {name: partial(_identified, file) for name, file in WITHOUT_IDENTITY.items()}
    for name, (command, pictures) in BY_COMMANDS.items():
        for picture in pictures:
            found[f"{name}, {picture}"] = partial(_by_command, command, picture)
    return {**found, **BY_HAND}


NAMES: Final = tuple(_makers())
"""The names of all files, in the order of the matrix."""


def samples(folder: Path, names: tuple[str, ...] = NAMES) -> list[Sample]:
    """Make files, each of an instance of its own."""
    (folder / "shop").mkdir(parents=True)
    makers, found = _makers(), []
    for number, name in enumerate(NAMES, start=FIRST):
        if name not in names:
            continue
        source = makers[name](made.Workshop(folder / "shop"), f"{ROOT}.{number}")
        path = folder / f"{number}.dcm"
        path.write_bytes(_as_one_of_its_own(source.read_bytes(), number))
        found.append(Sample(name, path))
    instances = {sample.instance for sample in found}
    assert len(instances) == len(found), "two files are one instance"
    return found


def _as_one_of_its_own(content: bytes, number: int) -> bytes:
    """Put the number of a file to the end of its SOP Instance UID; where header and data set differ, in both."""
    read = pixels.read(content)
    if read.file_meta.TransferSyntaxUID == syntaxes.DEFLATED:
        return content  # what is deflated cannot be changed in its place, and is one of its own
    uids = {str(uid) for uid in (read.file_meta.MediaStorageSOPInstanceUID, read.get("SOPInstanceUID")) if uid}
    own = f"{sorted(uids)[0][:-3]}{number}".encode()
    for uid in uids:
        content = content.replace(uid.encode(), own) if len(uid) == len(own) else content
    return content
