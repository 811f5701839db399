"""What became of each cell: delivered, refused for a reason of the table, or wrong."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tests.interop import syntaxes
from tests.interop.refusals import NOT_DEFLATED, SENDER_MIXES, SENDER_SENDS_NOTHING, UNREADABLE, may_be_refused

if TYPE_CHECKING:
    from tests.interop.judge import Arrival, Judge
    from tests.interop.receivers import Receiver
    from tests.interop.sample import Sample
    from tests.interop.wire import Conversation, Stored

CANNOT_UNDERSTAND: Final = 0xC000
AS_IT_IS: Final = "="
OTHER: Final = "c"
AT_THE_SECOND_TRY: Final = "²"
WRONG: Final = "✗"
MARKS: Final = {
    syntaxes.EXPLICIT: "E",
    syntaxes.IMPLICIT: "I",
    syntaxes.BIG_ENDIAN: "B",
    syntaxes.JPEG_LS: "J",
    syntaxes.JPEG_2000: "K",
    syntaxes.HTJ2K: "H",
    syntaxes.RLE: "R",
}
"""How a cell shows in which syntax an image went that is not its own."""


@dataclass(frozen=True)
class Cell:
    """One cell: its mark, what is wrong, the greatest difference of a sample."""

    mark: str
    problem: str = ""
    far: int = 0


def delivered(
    sample: Sample, receiver: Receiver, result: Mapping[str, Any], arrivals: list[Arrival], judge: Judge
) -> Cell:
    """Judge what our sender told of a file, and what the receiver has of it."""
    allowed = may_be_refused(sample.facts, receiver.node)
    if result.get("outcome") not in ("confirmed", "warning"):
        why = f"{result.get('outcome')}, {result.get('kind')}: {result.get('comment')}"
        if allowed is None:
            return Cell(WRONG, f"it must be delivered: {why}")
        if arrivals:
            return Cell(WRONG, f"it was refused, and the receiver has something: {why}")
        return (
            Cell(str(allowed))
            if _says_something(str(result.get("comment")))
            else Cell(WRONG, f"no reason is named: {why}")
        )
    if len(arrivals) != 1:
        return Cell(WRONG, f"it is there {len(arrivals)} times")
    sent_as = str(result.get("sent_as"))
    if sample.syntax in receiver.node.takes and sent_as != sample.syntax:
        return Cell(WRONG, f"it went as {syntaxes.NAMES[sent_as]}, and the receiver takes it as it is")
    found = judge.finding(sample, arrivals[0])
    mark = AS_IT_IS if sent_as == sample.syntax else MARKS[sent_as]
    return Cell(WRONG if found.problem else mark, found.problem, found.far)


def _says_something(comment: str) -> bool:
    return len(comment.split()) > 2


def brought(sample: Sample, said: list[Conversation], stored: bytes | None, syntax: str, digest: bool) -> Cell:
    """Judge what a sender said, try by try, and what we stored of it."""
    problem = _negotiated_badly(said)
    sent = [message for each in said for message in each.stored if message.instance == sample.instance]
    if not problem and not sent:
        return Cell(str(_own_inability(sample, said)))
    unreadable = _unreadable(sent[-1]) if not problem and sent[-1].status == CANNOT_UNDERSTAND else None
    if unreadable:
        return Cell(str(unreadable))
    problem = problem or _stored_badly(sent[-1], stored, syntax, digest)
    if problem:
        return Cell(WRONG, problem)
    mark = AS_IT_IS if syntax == sample.syntax else MARKS.get(syntax, OTHER)
    return Cell(mark if len(said) == 1 else f"{mark}{AT_THE_SECOND_TRY}")


def _negotiated_badly(said: list[Conversation]) -> str:
    refused = [context for each in said for context in each.contexts if context.chosen is None]
    return f"we refused {refused[0].proposed} of {refused[0].sop_class}" if refused else ""


def _unreadable(sent: Stored) -> int | None:
    """Tell why nobody could have read what was sent; None when somebody could."""
    if sent.syntax == syntaxes.PRIVATE:
        return UNREADABLE
    try:
        zlib.decompressobj(-zlib.MAX_WBITS).decompress(sent.data_set)
    except zlib.error:
        return NOT_DEFLATED if sent.syntax == syntaxes.DEFLATED else None
    return None


def _own_inability(sample: Sample, said: list[Conversation]) -> int:
    own = [context for each in said for context in each.contexts if context.sop_class == sample.sop_class]
    mixed = any(len(context.proposed) > 1 and sample.syntax in context.proposed for context in own)
    had_its_own = any(context.chosen == sample.syntax for context in own)
    return SENDER_MIXES if mixed and not had_its_own else SENDER_SENDS_NOTHING


def _stored_badly(sent: Stored, stored: bytes | None, syntax: str, digest: bool) -> str:
    if sent.status != 0:
        return f"we answered {sent.status}"
    if stored != sent.data_set:
        return "what is stored is not what was sent"
    return "" if syntax == sent.syntax and digest else "the meta header or the digest is not that of what was sent"
