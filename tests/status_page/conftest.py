"""The site over a scripted router: called directly, or served by waitress and looked at with chromium."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.support.browser import chromium
from tests.support.site import Page

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture
def page() -> Page:
    """Give the site on a good day."""
    return Page()


@pytest.fixture
def browser() -> Iterator[Browser]:
    """Give a browser."""
    with chromium() as found:
        yield found
