"""``KEY=VALUE`` on the command line: the settings of a module or rule."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

import click


def values_of(settings: Iterable[str]) -> dict[str, Any]:
    """Read assignments; a value is JSON, or text where it is none.

    Raises
    ------
    click.UsageError
        There is no ``=``, or nothing before it.
    """
    values = {}
    for key, value in _parted(settings):
        try:
            values[key] = json.loads(value)
        except ValueError:
            values[key] = value
    return values


def texts_of(settings: Iterable[str]) -> dict[str, str]:
    """Read assignments whose values are text: the schema of a setting says what it is.

    Raises
    ------
    click.UsageError
        There is no ``=``, or nothing before it.
    """
    return dict(_parted(settings))


def _parted(settings: Iterable[str]) -> Iterator[tuple[str, str]]:
    for number, text in enumerate(settings, 1):
        key, equals, value = text.partition("=")
        if not equals or not key:
            # The word is not repeated: it may be a password.
            raise click.UsageError(f"word {number} of the settings is not KEY=VALUE")
        yield key, value
