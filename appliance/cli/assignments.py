"""``KEY=VALUE`` on the command line: the settings of a module or rule."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
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
    for text in settings:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise click.UsageError(f"{text!r} is not KEY=VALUE")
        try:
            values[key] = json.loads(value)
        except ValueError:
            values[key] = value
    return values


def changed(settings: Mapping[str, Any], assignments: Iterable[str]) -> dict[str, Any]:
    """Return settings with assignments made; an empty value brings the default back."""
    values = {**settings, **values_of(assignments)}
    return {key: value for key, value in values.items() if value != ""}
