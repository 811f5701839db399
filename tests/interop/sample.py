"""One file of the matrix: its bytes, and what is to be known of it."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from typing import TYPE_CHECKING

import pydicom

from tests.interop.refusals import Object
from tests.interop.syntaxes import LOSSY, NAMES
from tests.support.data_sets import data_set_of

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Sample:
    """A file, by the name that the matrix shows."""

    name: str
    path: Path

    @cached_property
    def data_set(self) -> bytes:
        """Its bytes behind the meta header."""
        return data_set_of(self.path.read_bytes())

    @cached_property
    def _read(self) -> pydicom.FileDataset:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return pydicom.dcmread(BytesIO(self.path.read_bytes()), stop_before_pixels=True, force=True)

    @cached_property
    def syntax(self) -> str:
        """Its transfer syntax."""
        return str(self._read.file_meta.TransferSyntaxUID)

    @cached_property
    def sop_class(self) -> str:
        """Its SOP class, as its meta header has it."""
        return str(self._read.file_meta.MediaStorageSOPClassUID)

    @cached_property
    def instance(self) -> str:
        """Its SOP instance."""
        return str(self._read.file_meta.MediaStorageSOPInstanceUID)

    @property
    def is_lossy(self) -> bool:
        """Whether decoders may differ."""
        return self.syntax in LOSSY

    @property
    def syntax_name(self) -> str:
        """Its transfer syntax in words."""
        return NAMES[self.syntax]

    @cached_property
    def facts(self) -> Object:
        """What decides whether it can be converted."""
        head = self._read
        bits = int(head.get("BitsAllocated", 0))
        samples = int(head.get("Rows", 0)) * int(head.get("Columns", 0)) * int(head.get("SamplesPerPixel", 1))
        decoded = samples * int(head.get("NumberOfFrames", 1) or 1) * bits // 8
        return Object(self.syntax, decoded, bits, str(head.get("PhotometricInterpretation")).endswith("_422"))
