"""Checks of templates; the template library is loaded only for a configuration that has any."""

from __future__ import annotations


def problems_of(text: str) -> list[tuple[str, str]]:
    """Return what is wrong with a template, each with advice, without evaluating it."""
    from mercure.notifications import templates  # noqa: PLC0415

    return templates.problems_of(text)


def tried(text: str) -> list[tuple[str, str]]:
    """Evaluate a template on an example; return what is wrong with it, each with advice."""
    from mercure.notifications import templates  # noqa: PLC0415

    return templates.tried(text)
