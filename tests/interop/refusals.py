"""Which cells may be refused, and why. Everything else must be delivered. This table was there before the run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tests.interop.syntaxes import (
    COMPRESSED_TO,
    CONVERTED_TO,
    JPIP,
    LOSSY,
    NATIVE,
    OF_VENDORS,
    VIDEO,
)

if TYPE_CHECKING:
    from collections.abc import Callable

LONGEST_VALUE: Final = 2**32 - 2
"""Bytes that a value of a known length can have (PS3.5 section 7.1)."""

HELD_BY_CODECS: Final = (8, 16)
"""Bits allocated that every one of the codecs for compression can hold."""


@dataclass(frozen=True)
class Object:
    """What of an image decides whether it can be converted."""

    syntax: str
    decoded_bytes: int
    bits_allocated: int = 0
    """0: it has no pixels."""
    is_subsampled: bool = False
    """Whether pixels without compression share their colours, as those of YBR_FULL_422 do."""


@dataclass(frozen=True)
class Node:
    """What of a receiver decides whether it can be served."""

    takes: frozenset[str]
    asked: frozenset[str] = frozenset()
    """The syntaxes that its settings ask for."""


@dataclass(frozen=True)
class Refusal:
    """A reason for which a cell may be refused."""

    number: int
    text: str
    holds: Callable[[Object, Node], bool]


def _takes_none_of_ours(node: Node) -> bool:
    return not node.takes & (CONVERTED_TO | (node.asked & COMPRESSED_TO))


def _is_for_codecs_alone(image: Object, node: Node) -> bool:
    fits = image.bits_allocated in HELD_BY_CODECS and not (image.is_subsampled and image.syntax in NATIVE)
    return not node.takes & CONVERTED_TO and not fits


BY_TARGET: Final = (
    Refusal(
        1, "It is video, which the target does not take; video is never decoded.", lambda it, _: it.syntax in VIDEO
    ),
    Refusal(
        2,
        "Its pixels are elsewhere, to be had by JPIP, which the target does not take.",
        lambda it, _: it.syntax == JPIP,
    ),
    Refusal(
        3, "It is in a private transfer syntax that the target does not take.", lambda it, _: it.syntax in OF_VENDORS
    ),
    Refusal(
        4,
        "Without compression its pixels are 2³² bytes or more, which no length can tell.",
        lambda it, _: it.syntax not in NATIVE and it.decoded_bytes > LONGEST_VALUE,
    ),
    Refusal(
        5,
        "The target takes nothing but lossy syntaxes; nothing is ever made lossy.",
        lambda _, node: node.takes <= LOSSY,
    ),
    Refusal(
        6,
        "The target takes neither Explicit nor Implicit VR Little Endian, which PS3.5 section 10.1 asks of every node, "
        "and its settings ask for no compression that we write.",
        lambda _, node: _takes_none_of_ours(node),
    ),
    Refusal(
        7,
        "The target takes compressed pixels alone, and the object has none, none of 8 or 16 bits, or such that share "
        "their colours (YBR_FULL_422).",
        _is_for_codecs_alone,
    ),
)
"""Why a target may be refused an image that is in none of the syntaxes that it takes; the first that holds is shown."""

SENDER_SENDS_NOTHING: Final = 8
SENDER_MIXES: Final = 9
UNREADABLE: Final = 10
NOT_DEFLATED: Final = 11

BY_SENDER: Final = {
    SENDER_SENDS_NOTHING: "The sender does not send it: it cannot read it, or neither proposes its syntax nor can "
    "convert it. Every context that it proposed was accepted.",
    SENDER_MIXES: "The sender proposed several syntaxes in one context and cannot make the one that was chosen, at the "
    "second try too.",
    UNREADABLE: "A private transfer syntax hides the whole data set: nobody can know whose image it is, and the sender "
    "is told so (0xC000).",
    NOT_DEFLATED: "What the sender names deflated is not deflated: nobody can read it, and the sender is told so "
    "(0xC000).",
}
"""Why a sender may fail to bring an image to us: by its own inability, and what only one vendor reads."""


def may_be_refused(image: Object, node: Node) -> int | None:
    """Return the number of the reason for which this may be refused; None when it must be delivered."""
    if image.syntax in node.takes:
        return None
    return next((refusal.number for refusal in BY_TARGET if refusal.holds(image, node)), None)
