"""Private attributes that are known to hold no identity: the list of PS3.15 table E.3.10-1, as far as numbers go.

Of its entries those are here whose values are figures or codes of the acquisition; texts of a vendor's own are not.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

SAFE: Final = frozenset(
    {
        ("Philips PET Private Group", 0x7053, 0x00),  # SUV Factor
        ("Philips PET Private Group", 0x7053, 0x09),  # Activity Concentration Factor
        ("ELSCINT1", 0x00E1, 0x21),  # DLP
        ("ELSCINT1", 0x01E1, 0x50),  # Acquisition Duration
        ("ELSCINT1", 0x01F1, 0x07),  # Table Velocity
        ("ELSCINT1", 0x01F1, 0x26),  # Pitch
        ("ELSCINT1", 0x01F1, 0x27),  # Rotation Time
        ("GEMS_ACQU_01", 0x0019, 0x23),  # Table Speed
        ("GEMS_ACQU_01", 0x0019, 0x24),  # Mid Scan Time
        ("GEMS_ACQU_01", 0x0019, 0x27),  # Rotation Speed
        ("GEMS_PARM_01", 0x0043, 0x27),  # Scan Pitch Ratio
        ("GEMS_PARM_01", 0x0043, 0x39),  # Slop_int_6 to 9; the first is the b-value
        ("GEMS_HELIOS_01", 0x0045, 0x01),  # Number of Macro Rows in Detector
        ("GEMS_HELIOS_01", 0x0045, 0x02),  # Macro Width at ISO Center
        ("GEMS_SERS_01", 0x0025, 0x07),  # Images in Series
        ("Philips Imaging DD 001", 0x2001, 0x03),  # Diffusion B-Factor
        ("Philips Imaging DD 001", 0x2001, 0x04),  # Diffusion Direction
        ("SIEMENS MR HEADER", 0x0019, 0x0C),  # B Value
        ("SIEMENS MR HEADER", 0x0019, 0x0D),  # Diffusion Directionality
        ("SIEMENS MR HEADER", 0x0019, 0x0E),  # Diffusion Gradient Direction
        ("SIEMENS MR HEADER", 0x0019, 0x27),  # B Matrix
    }
)
"""Creator, group, and element within the block that the creator has reserved."""

_CREATORS: Final = range(0x10, 0x100)
_BLOCK_BITS: Final = 8


def safe_elements(dataset: Dataset, more: Collection[tuple[str, int, int]]) -> set[int]:
    """Return the tags of the private attributes that may stay, with those that name their creators.

    Parameters
    ----------
    dataset : Dataset
        One level of an image; sequences within it have creators of their own.
    more : collection of tuple
        Safe besides `SAFE`.
    """
    kept: set[int] = set()
    known = SAFE | set(more)
    for tag in dataset.keys():  # noqa: SIM118 - a data set iterates over its elements
        block = tag.element >> _BLOCK_BITS
        if not tag.is_private or block not in _CREATORS:
            continue
        creator = (tag.group << 16) | block
        name = _name(dataset, creator)
        if (name, tag.group, tag.element & 0xFF) in known and dataset[tag].VR not in ("SQ", "UN"):
            kept |= {int(tag), creator}
    return kept


def _name(dataset: Dataset, creator: int) -> str:
    element: DataElement | None = dataset.get(creator)
    return str(element.value).strip() if element is not None else ""
