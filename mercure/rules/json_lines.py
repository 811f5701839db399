"""``mercure rules eval``: one JSON object in, one out, whatever comes."""

from __future__ import annotations

import json
from collections.abc import Mapping

from mercure.printable import escaped
from mercure.rules.errors import RuleError
from mercure.rules.frame import Clock
from mercure.rules.record import ImageRecords
from mercure.rules.rule import Evaluation, compile_rule

_FORM = 'write {"expression": "…", "tags": {…}}'


class _BadLine(Exception):
    """The line is not what it should be; the text says why."""


def evaluate_json_line(line: str | bytes, clock: Clock | None = None) -> str:
    """Evaluate one line of JSON.

    Parameters
    ----------
    line : str or bytes
        ``{"expression": text, "tags": record}``; `tags` may also be a list of records, one for each image, or be
        missing. Keys of the record may differ from the dictionary's spelling in case.
    clock : callable, optional
        Returns the present instant, aware.

    Returns
    -------
    str
        One line of ASCII without the line break: ``{"result": bool, "error": text or null}``. Whatever the line
        holds, there is an answer; with an error, the result is false.
    """
    try:
        expression, images = _request(line)
        evaluation = compile_rule(expression).evaluate(images, clock)
    except RuleError as error:
        evaluation = Evaluation(False, error)
    except (_BadLine, RecursionError, MemoryError, ValueError) as error:
        return _answer(False, _reason(error))
    return _answer(evaluation.result, str(evaluation.error) if evaluation.error else None)


def _answer(result: bool, error: str | None) -> str:
    return json.dumps({"result": result, "error": None if error is None else escaped(error)})


def _reason(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "the line nests too deep"
    if isinstance(error, MemoryError):
        return "the line is too large"
    if isinstance(error, _BadLine):
        return str(error)
    return f"not valid JSON: {error} ({_FORM})"


def _request(line: str | bytes) -> tuple[str, ImageRecords]:
    """Take a line apart."""
    text = line.decode("utf-8", "replace") if isinstance(line, bytes) else line
    request = json.loads(text)
    if not isinstance(request, dict):
        raise _BadLine(f"not a JSON object ({_FORM})")
    expression = request.get("expression")
    if not isinstance(expression, str):
        raise _BadLine(f"expression is missing or no text ({_FORM})")
    tags = request.get("tags", {})
    records = tags if isinstance(tags, list) else [tags]
    if not all(isinstance(record, Mapping) for record in records):
        raise _BadLine("tags is no tag record: an object of keywords and values, or a list of such objects")
    return expression, ImageRecords.respelled(records)
