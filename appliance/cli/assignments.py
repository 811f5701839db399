"""``KEY=VALUE`` on the command line: the settings of a module or rule."""

from __future__ import annotations

import json
from collections.abc import Iterable
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
    for key, value in map(_parted, settings):
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
    return dict(_parted(text) for text in settings)


def _parted(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise click.UsageError(f"{text!r} is not KEY=VALUE")
    return key, value
