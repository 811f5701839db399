"""A person at the terminal UI, who presses keys and sees text. All waiting is for something, none for a time."""

from __future__ import annotations

import asyncio
import html
import re
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from textual import events

from tui.actions import PAGES
from tui.app import MercureApp

if TYPE_CHECKING:
    from pathlib import Path

    from textual.app import App
    from textual.geometry import Size
    from textual.pilot import Pilot

    from tui.router_client import RouterProtocol

CELL = 12.2
"""Width of a cell in the SVG that Textual draws."""
_TEXT = re.compile(
    r'<text class="[^"]*" x="([\d.]+)" y="[\d.]+" textLength="[\d.]+" '
    r'clip-path="url\(#[^)]*-line-(\d+)\)">([^<]*)</text>'
)
_IDS = re.compile(r"(\d{8}T\d{12})-[0-9a-f]{8}")
"""Ids of tasks: their time, and what makes them different."""
_LEAST = 5
"""Of so many characters of the root at least, a column that cuts it shows more."""
SECONDS = 20.0


def screen_lines(app: App[None]) -> list[str]:
    """Return what is on the screen, line by line, without spaces at the ends."""
    return lines_of(app.export_screenshot(), app.size)


def lines_of(svg: str, size: Size) -> list[str]:
    """Return the texts of a picture of a screen of some size."""
    cells = [[" "] * size.width for _ in range(size.height)]
    for x, line, text in _TEXT.findall(svg):
        at = round(float(x) / CELL)
        shown = html.unescape(text).replace("\N{NO-BREAK SPACE}", " ").rstrip("\n")
        cells[int(line)][at : at + len(shown)] = shown
    return ["".join(row).rstrip() for row in cells]


def neutral(svg: str, root: Path) -> str:
    """Leave out of a picture what differs from run to run: ids, and the root, also where a column cuts it."""
    svg = _IDS.sub(r"\1-········", re.sub(r"terminal-\d+-", "terminal-", svg))
    found, shown = str(root), "/srv/mercure".ljust(len(str(root)), "\N{NO-BREAK SPACE}")
    svg = svg.replace(found, shown)
    for length in range(len(found) - 1, _LEAST, -1):
        svg = svg.replace(f"{found[:length]}…", f"{shown[:length]}…")
    return "\n".join(line.rstrip() for line in svg.split("\n"))


class Person:
    """Somebody at the keyboard of an app that runs."""

    def __init__(self, app: MercureApp, pilot: Pilot[None]) -> None:
        self.app = app
        self.pilot = pilot

    @property
    def screen(self) -> str:
        """All that is on the screen."""
        return "\n".join(screen_lines(self.app))

    async def press(self, *keys: str) -> None:
        """Press keys one after the other."""
        for key in keys:
            await self.pilot.press(key)

    async def open(self, name: str) -> None:
        """Open a page by its number, or by its name where it has none, and wait for its rows."""
        await self.see("• live")
        key = next(entry.key for entry in PAGES if entry.name == name)
        await self.press(*([key] if key else ["colon", *name, "enter"]))
        await self.until(lambda: self._is_open(name), f"the page {name} to be open, with its rows")

    def _is_open(self, name: str) -> bool:
        page = self.app.page
        return page is not None and name == page.NAME and (page.grid is None or page.grid.filled)

    async def in_one_moment(self, *keys: str) -> None:
        """Let keys come all at once, as after a pause of the network: none waits for what the one before did."""
        for key in keys:
            event = events.Key(key, key if len(key) == 1 else None)
            event.set_sender(self.app)
            self.app.post_message(event)
        await self.pilot.pause()

    async def write(self, text: str) -> None:
        """Type a text."""
        await self.pilot.press(*text)

    async def until(self, happened: Callable[[], object], what: str) -> None:
        """Wait until something is so."""
        end = time.monotonic() + SECONDS
        while not happened():
            assert time.monotonic() < end, f"{what}: not so after {SECONDS} s\n{self.screen}"
            await self.pilot.pause(0.02)

    async def at_rest(self) -> None:
        """Wait until nothing has changed on the screen for some time."""
        last, same = "", 0
        while same < 10:
            await self.pilot.pause(0.1)
            now = self.screen
            last, same = now, same + 1 if now == last else 0

    async def see(self, *texts: str) -> None:
        """Wait until all these texts are on the screen."""
        for text in texts:
            await self.until(lambda text=text: text in self.screen, f"to see {text!r}")  # type: ignore[misc]

    async def see_no_more(self, text: str) -> None:
        """Wait until a text is gone from the screen."""
        await self.until(lambda: text not in self.screen, f"to see {text!r} no more")

    async def resize(self, columns: int, lines: int) -> None:
        """Give the terminal another size."""
        await self.pilot.resize_terminal(columns, lines)


async def begin_a_folder(person: Person) -> None:
    """Open the form of a new target that is a folder."""
    await person.open("targets")
    await person.press("n")
    await person.see("A target of which kind?", "folder")
    await person.press("down", "enter")
    await person.see("New target of kind folder", "path")


Scene = Callable[[Person], Awaitable[None]]


def play(source: RouterProtocol, scene: Scene, size: tuple[int, int] = (80, 24)) -> None:
    """Let a person do something at an app of its own."""

    async def run() -> None:
        app = MercureApp(source)
        async with app.run_test(size=size, notifications=True) as pilot:
            person = Person(app, pilot)
            await scene(person)
            app.exit()

    asyncio.run(run())
