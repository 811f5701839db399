"""The transfer syntaxes of the files and nodes here, and what kind each is (PS3.5 section 10 and annex A)."""

from __future__ import annotations

from typing import Final

IMPLICIT: Final = "1.2.840.10008.1.2"
EXPLICIT: Final = "1.2.840.10008.1.2.1"
BIG_ENDIAN: Final = "1.2.840.10008.1.2.2"
DEFLATED: Final = "1.2.840.10008.1.2.1.99"
GE_BIG_ENDIAN: Final = "1.2.840.113619.5.2"
JPEG_BASELINE: Final = "1.2.840.10008.1.2.4.50"
JPEG_EXTENDED: Final = "1.2.840.10008.1.2.4.51"
JPEG_SPECTRAL: Final = "1.2.840.10008.1.2.4.53"
JPEG_PROGRESSIVE: Final = "1.2.840.10008.1.2.4.55"
JPEG_LOSSLESS: Final = "1.2.840.10008.1.2.4.57"
JPEG_LOSSLESS_1: Final = "1.2.840.10008.1.2.4.70"
JPEG_LS: Final = "1.2.840.10008.1.2.4.80"
JPEG_LS_NEAR: Final = "1.2.840.10008.1.2.4.81"
JPEG_2000: Final = "1.2.840.10008.1.2.4.90"
JPEG_2000_LOSSY: Final = "1.2.840.10008.1.2.4.91"
JPIP: Final = "1.2.840.10008.1.2.4.94"
MPEG2: Final = "1.2.840.10008.1.2.4.100"
MPEG4: Final = "1.2.840.10008.1.2.4.102"
HEVC: Final = "1.2.840.10008.1.2.4.107"
HTJ2K: Final = "1.2.840.10008.1.2.4.201"
HTJ2K_RPCL: Final = "1.2.840.10008.1.2.4.202"
HTJ2K_LOSSY: Final = "1.2.840.10008.1.2.4.203"
RLE: Final = "1.2.840.10008.1.2.5"
DEFLATED_FRAMES: Final = "1.2.840.10008.1.2.8.1"
PRIVATE: Final = "1.3.6.1.4.1.5962.300.2"
"""PixelMed's bzip2: a data set that nobody else reads."""

PRIVATE_FRAMES: Final = "1.2.826.0.1.3680043.8.498.99.1"
"""Explicit little endian, with frames that only its vendor decodes; nobody's."""

NAMES: Final = {
    IMPLICIT: "Implicit LE",
    EXPLICIT: "Explicit LE",
    BIG_ENDIAN: "Explicit BE",
    DEFLATED: "Deflated",
    GE_BIG_ENDIAN: "GE big endian",
    JPEG_BASELINE: "JPEG baseline",
    JPEG_EXTENDED: "JPEG extended",
    JPEG_SPECTRAL: "JPEG spectral",
    JPEG_PROGRESSIVE: "JPEG progressive",
    JPEG_LOSSLESS: "JPEG lossless",
    JPEG_LOSSLESS_1: "JPEG lossless SV1",
    JPEG_LS: "JPEG-LS",
    JPEG_LS_NEAR: "JPEG-LS near",
    JPEG_2000: "JPEG 2000 lossless",
    JPEG_2000_LOSSY: "JPEG 2000",
    JPIP: "JPIP",
    MPEG2: "MPEG-2",
    MPEG4: "MPEG-4",
    HEVC: "HEVC",
    HTJ2K: "HTJ2K lossless",
    HTJ2K_RPCL: "HTJ2K RPCL",
    HTJ2K_LOSSY: "HTJ2K",
    RLE: "RLE",
    DEFLATED_FRAMES: "Deflated frames",
    PRIVATE: "private",
    PRIVATE_FRAMES: "private frames",
}

OF_VENDORS: Final = frozenset([PRIVATE, PRIVATE_FRAMES])
NATIVE: Final = frozenset([IMPLICIT, EXPLICIT, BIG_ENDIAN, DEFLATED, GE_BIG_ENDIAN])
VIDEO: Final = frozenset([MPEG2, MPEG4, HEVC])
CONVERTED_TO: Final = frozenset([IMPLICIT, EXPLICIT])
"""What an image becomes where the target asks for nothing else."""

COMPRESSED_TO: Final = frozenset([JPEG_LS, JPEG_2000, RLE, HTJ2K])
"""What an image becomes where the settings of a target ask for it."""

LOSSY: Final = frozenset(
    [
        *(JPEG_BASELINE, JPEG_EXTENDED, JPEG_SPECTRAL, JPEG_PROGRESSIVE, JPEG_LS_NEAR),
        *(JPEG_2000_LOSSY, HTJ2K_LOSSY, *VIDEO),
    ]
)
"""What may lose something. What is in one of these is compared with a tolerance."""
