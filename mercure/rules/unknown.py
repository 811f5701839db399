"""Unknown values: a tag that is not known is not "", and what depends on it is neither true nor false.

A value that could not be read, or that lies behind a limit of the tag record, is named in its ``DecodingProblems``,
and one that is too long for the record in its ``LeftOut`` (``docs/reference/tag-record.md``). The tags of the sender
are not known where the record does not have them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Never

from mercure.rules.errors import Fault

PROBLEMS: Final = "DecodingProblems"
LEFT_OUT: Final = "LeftOut"
ORIGIN: Final = ("SenderAET", "SenderAddress", "ReceiverAET")
"""The tags that say from where an image came; the receiver writes each of them, whatever its value."""

SENDER_NAME: Final = "SenderName"
"""The name of the sender in the configuration at receipt; the router adds it where an older release did not."""

_NO_ORIGIN: Final = "nobody knows from where the image came"
_MANY: Final = "and more"
_CUT: Final = ("the record is longer than the limit", "; left out after ", "the header cannot be read again", _MANY)
_OF_VALUE: Final = ("not valid in ", "holds NUL")
_OF_KEY: Final = ("cut after ", "damaged; ", "nested too deep", "bytes are no whole number")
_REPLACEMENT: Final = "\ufffd"
_TOO_LONG: Final = "its value is too long for the tag record"
_MOST_MARKS: Final = 100_000
"""Keys added to the items of a sequence at most; a hostile record could ask for more than there is memory."""

_KEY: Final = r"[^.:\[]+(?:\[[^\]]*\])?"
_PROBLEM: Final = re.compile(rf"({_KEY}(?:\.{_KEY})*): (.*)", re.DOTALL)
"""A key, after those of the sequences around it, and what is the matter. A private creator may hold what parts them."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """Stands for the value of a tag that is not known.

    Parameters
    ----------
    why : str
        Why not.
    present : bool
        Whether it is known that the image has the tag, with a value.
    """

    why: str
    present: bool

    def fail(self, keyword: str) -> Never:
        """Refuse to answer.

        Raises
        ------
        Fault
            Always.
        """
        raise Fault("unknown-value", f"{keyword} is not known: {self.why}")


class CutRecord(dict[str, Any]):
    """A tag record of which the rest is not known: a tag that it does not show may be there all the same."""

    rest: Unknown

    def get(self, key: str, default: Any = None) -> Any:  # noqa: ANN401 - as of a dict
        """Return a value; of a tag that is not shown, that it is not known."""
        return super().get(key, self.rest)


@lru_cache(maxsize=1024)
def _unknown(why: str, present: bool = True) -> Unknown:
    return Unknown(why, present)


def with_unknowns(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a record in which what is not known is `Unknown`; mostly the record itself."""
    problems, left_out = record.get(PROBLEMS), record.get(LEFT_OUT)
    missing = [keyword for keyword in ORIGIN if keyword not in record]
    if ORIGIN[0] in missing and SENDER_NAME not in record:
        missing.append(SENDER_NAME)
    if not problems and not left_out and not missing:
        return record
    made: dict[str, Any] = dict(record)
    for problem in problems if isinstance(problems, list) else ():
        if isinstance(problem, str):
            made = _without(made, problem)
    if isinstance(left_out, list):
        if _MANY in left_out:
            made = _cut(made, "it may be one of the values that are too long for the tag record")
        _leave_out(made, _tree(left_out))
    for keyword in missing:
        made[keyword] = _unknown(_NO_ORIGIN, present=False)
    return made


def _without(record: dict[str, Any], problem: str) -> dict[str, Any]:
    """Take a problem into account."""
    if any(mark in problem for mark in _CUT):
        cut = _cut(record, "it may be behind the limit of what is read of a header")
        if problem == _MANY:
            cut.update({key: _marked(value, [], _MANY) for key, value in record.items() if key != PROBLEMS})
        return cut
    found = _PROBLEM.fullmatch(problem)
    if found is None:
        return record
    path, what = re.findall(_KEY, found[1]), found[2]
    if any(mark in what for mark in _OF_KEY):
        record[path[0]] = _unknown(what)
    elif what.startswith(_OF_VALUE) and path[0] in record:
        record[path[0]] = _marked(record[path[0]], path[1:], what)
    return record


def _cut(record: dict[str, Any], why: str) -> CutRecord:
    cut = CutRecord(record)
    cut.rest = _unknown(why, present=False)
    return cut


def _tree(left_out: list[Any]) -> dict[str, Any]:
    """Bring the paths of the values that are left out together by the sequences that they are in."""
    tree: dict[str, Any] = {}
    for path in left_out:
        inner = tree
        for key in path if isinstance(path, list) else [path]:
            inner = inner.setdefault(str(key), {})
    tree.pop(_MANY, None)
    return tree


def _leave_out(record: dict[str, Any], tree: dict[str, Any]) -> dict[str, Any]:
    """Mark what is left out of a record, which is changed, and of the items of the sequences in it."""
    for key, inner in tree.items():
        value = record.get(key)
        if not inner and key not in record:
            record[key] = _unknown(_TOO_LONG)
        elif inner and isinstance(value, list):
            record[key] = [_item_without(item, inner, len(value)) for item in value]
    return record


def _item_without(item: object, tree: dict[str, Any], items: int) -> object:
    """Return an item in which what it may lack is not known: which of the items does, the record does not say."""
    if not isinstance(item, dict):
        return item
    return _cut(item, _TOO_LONG) if items * len(tree) > _MOST_MARKS else _leave_out(dict(item), tree)


def _marked(value: object, path: list[str], why: str) -> object:
    """Return a value, or the items of a sequence, in which what holds a replacement character is not known."""
    if not path:
        return _unknown(why) if _REPLACEMENT in str(value) else value
    if not isinstance(value, list):
        return value
    key, rest = path[0], path[1:]
    return [
        {**item, key: _marked(item[key], rest, why)} if isinstance(item, dict) and key in item else item
        for item in value
    ]
