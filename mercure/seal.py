"""Seals: a digest as the last member of a JSON object on our disk, so that a flipped bit in it is not believed.

An object without one is of an older release, or was written by hand: it is taken as it is. An older release passes over
the member. It is no seal against an attacker who can write to the spool, no more than the digests of images are.
"""

from __future__ import annotations

import re
from typing import Final

import xxhash

MEMBER: Final = "Seal"
"""Spelled as the keys of tag lines are; no DICOM keyword."""

_SEAL: Final = re.compile(rb',"Seal":"([0-9a-f]{16})"\}\s*\Z')
_LONGEST: Final = 64


def sealed(content: bytes) -> bytes:
    """Return a JSON object with its digest as the last member; an empty one says nothing that could be believed."""
    body = content.rstrip()[:-1].rstrip()
    if body == b"{":
        return content
    return body + f',"{MEMBER}":"{xxhash.xxh3_64_hexdigest(body)}"}}'.encode()


def is_intact(content: bytes) -> bool:
    """Tell whether an object is as it was sealed; True for one that was not."""
    tail = max(0, len(content) - _LONGEST)
    found = _SEAL.search(content, tail)
    if found is None:
        return f'"{MEMBER}"'.encode() not in content[tail:]
    return xxhash.xxh3_64_hexdigest(content[: found.start()]).encode() == found[1]
