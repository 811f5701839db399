"""A real browser: Debian's chromium, without any that a package would download."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from playwright.sync_api import Browser
    from playwright.sync_api import Page as Tab

SIZES = {"phone": (390, 844), "desk": (1280, 900), "wall": (2560, 1440)}
"""Of the windows in which the status page is read, in pixels."""

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start it."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS, env={**os.environ, "TZ": "UTC"})
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def tab_of(
    browser: Browser, address: str, *, size: str = "desk", dark: bool = False, scripts: bool = True
) -> Iterator[Tab]:
    """Open a tab that must meet no error and ask nobody else for anything."""
    width, height = SIZES[size]
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if dark else "light",
        java_script_enabled=scripts,
    )
    asked: list[str] = []
    said: list[str] = []
    tab = context.new_page()
    tab.on("request", lambda request: asked.append(request.url))
    tab.on("console", lambda message: said.append(message.text))
    tab.on("pageerror", lambda error: said.append(str(error)))
    try:
        yield tab
        # A page that is not there is told on the console, by the browser itself.
        assert [text for text in said if "status of 40" not in text and "status of 50" not in text] == []
        assert {urlsplit(url).netloc for url in asked} == {urlsplit(address).netloc}
    finally:
        context.close()
