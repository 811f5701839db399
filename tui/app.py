"""The application: its pages, the router that they read, and the stream that fills it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Hashable
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, ClassVar, Final

from textual import on
from textual.filter import NoColor
from textual.screen import ModalScreen

from appliance.control.rpc.client import api
from tui.actions import PAGES
from tui.escape import EscapeFirst, read_escape_apart
from tui.event_stream import EventStream
from tui.messages import Connected, Disconnected, Streamed
from tui.screens.page import Page
from tui.state import RouterState
from tui.styles import use
from tui.themes import THEMES, Theme, after
from tui.widgets.lines import Static
from tui.widgets.pane import Pane

if TYPE_CHECKING:
    from textual import events
    from textual.app import ComposeResult
    from textual.screen import Screen

    from tui.router_client import RouterProtocol

LEAST_COLUMNS = 80
LEAST_LINES = 24

_AFTER_SECONDS: Final = 0.5
"""When the other pages are read in: after the first one is seen."""


def page_class(name: str) -> type[Page]:
    """Return the class of a page; its module is imported when it is first wanted.

    All of them, with the models of what they ask for, take longer than the whole start may.
    """
    found: type[Page] = getattr(import_module(f"tui.screens.{name}"), f"{name.capitalize()}Page")
    return found


def _open(name: str) -> Screen[str]:
    return page_class(name)()


def _read_in_all() -> None:
    for entry in PAGES:
        page_class(entry.name)


class MercureApp(EscapeFirst):
    """The terminal UI.

    Parameters
    ----------
    source : RouterProtocol
        The router.
    theme : Theme
        The colours to begin with.
    plain : bool
        The terminal draws no round corners: the Linux console.
    """

    CSS_PATH = "app.tcss"
    ENABLE_COMMAND_PALETTE = False
    TITLE = "mercure"
    MODES: ClassVar[dict[str, str | Callable[[], Screen[str]]]] = {
        entry.name: partial(_open, entry.name) for entry in PAGES
    }
    DEFAULT_MODE = "overview"

    def __init__(self, source: RouterProtocol, *, theme: Theme = THEMES["16"], plain: bool = False) -> None:
        read_escape_apart()
        self.look = theme
        self.plain = plain
        # Before the base asks for the variables of the style sheet. With the terminal's own colours NO_COLOR leaves
        # colours out, where else it would draw black on black.
        super().__init__(ansi_color=not theme.true_colour)
        self.source = source
        self.router = RouterState()
        self.animation_level = "none"
        self._take_theme()
        self._event_stream = EventStream(source, self.post_message)
        self._roles: dict[str, str] = {}
        self._waiting: set[Page] = set()
        self._before: list[str] = []
        self.image_beside: api.queue.ImageTags | None = None
        """The image that a person keeps beside those whose tags are shown."""

    def get_css_variables(self) -> dict[str, str]:
        """Return the variables of the style sheet, those of the theme among them."""
        return {**super().get_css_variables(), **self.look.css_variables("solid" if self.plain else "round")}

    def _take_theme(self) -> None:
        """Take the colours of the theme; where it has none, also from Textual's own widgets."""
        use(self.look)
        self._filters = [each for each in self._filters if not isinstance(each, NoColor)]
        if self.no_color or self.look.name == "mono":
            self._filters.append(NoColor())
        self.theme = f"{'textual' if self.look.true_colour else 'ansi'}-{'dark' if self.look.dark else 'light'}"

    def next_theme(self) -> None:
        """Take the next theme, and draw everything in it."""
        if self.no_color:
            self.say("theme: NO_COLOR is set, so there are no colours", "warning")
            return
        self.look = after(self.look)
        self.ansi_color = not self.look.true_colour
        self._take_theme()
        self.refresh_css(animate=False)
        for screen in self.screen_stack:
            for widget in screen.walk_children(with_self=True):
                widget.refresh()
                if isinstance(widget, Pane):
                    widget.draw_title()
        self.say(f"theme {self.look.name}: {self.look.text}; `mercure-tui --theme {self.look.name}` begins with it")

    def on_load(self) -> None:
        """Have tasks begin in their turn, as on Python 3.11.

        From 3.12 on Textual asks for eager ones: a page's widgets are then mounted before their page is on the screen,
        and the first field that asks for it ends the program.
        """
        asyncio.get_running_loop().set_task_factory(None)

    def on_mount(self) -> None:
        """Begin to read the stream: in a thread of its own, that nobody has to wait for at the end."""
        threading.Thread(target=self._event_stream.run, name="feed", daemon=True).start()
        self.set_timer(_AFTER_SECONDS, threading.Thread(target=_read_in_all, name="pages", daemon=True).start)

    def on_unmount(self) -> None:
        """Let the stream end."""
        self._event_stream.stop()

    def role_of(self, verb: str) -> str:
        """Return the role that a verb needs."""
        self._roles = self._roles or {verb.name: verb.role for verb in api.all_verbs()}
        return self._roles[verb]

    @property
    def page(self) -> Page | None:
        """The page that is seen, also behind a dialog."""
        return next((screen for screen in reversed(self.screen_stack) if isinstance(screen, Page)), None)

    def open_page(self, name: str, at: Hashable = None) -> None:
        """Show a page, with the cursor on a row; details of it that were open are closed."""
        if self.current_mode != name:
            self._before = [page for page in self._before if page not in (name, self.current_mode)]
            self._before.append(self.current_mode)
            self.switch_mode(name)
        while len(self.screen_stack) > 1 and isinstance(self.screen, Page):
            self.pop_screen()
        page = self.page
        if page is not None and at is not None:
            page.call_after_refresh(page.go_to, at)  # it may be the first time that it is shown

    def open_filtered(self, name: str, text: str) -> None:
        """Show a page with only the rows that contain a text."""
        self.open_page(name)
        page = self.page
        if page is not None:
            page.call_after_refresh(page.narrow, text)

    def go_back(self) -> None:
        """Show the page that was open before; from the first one the Overview, and there nothing."""
        name = self._before.pop() if self._before else self.DEFAULT_MODE
        if self.current_mode != name:
            self.switch_mode(name)

    def open_help(self) -> None:
        """Show the keys of the page."""
        from tui.screens.help import HelpScreen  # noqa: PLC0415 - not for the start

        page = self.page
        if page is not None:
            self.push_screen(HelpScreen(page.NAME))

    def say(self, text: str, severity: str = "information") -> None:
        """Say something on the page that is seen: above its keys, for Textual's toasts lie over the table."""
        if self.page is not None:
            self.page.show_said(text, severity)

    def soon(self, page: Page, refresh: Callable[[], None]) -> None:
        """Ask anew in a while, once for all reasons that come up until then.

        The wait grows with the time that the last answer took, so that a queue of 50,000 tasks is not all that the
        router and the terminal are busy with.
        """
        if page in self._waiting:
            return
        self._waiting.add(page)

        def now() -> None:
            self._waiting.discard(page)
            if self.page is page and page.is_laid_out:
                refresh()

        self.set_timer(max(1.0, 10 * page.last_seconds), now)

    # What the stream brings.

    @on(Connected)
    def _connected(self, event: Connected) -> None:
        again = self.router.who is not None
        self.router.who, self.router.connected = event.who, True
        page = self.page
        if page is not None and page.is_laid_out:
            page.show_frame()
            if again:
                self.say("connected to the router again")
            page.refresh_data()

    @on(Disconnected)
    def _disconnected(self, event: Disconnected) -> None:
        self.router.connected, self.router.why = False, event.why
        page = self.page
        if page is not None and page.is_laid_out:
            page.show_frame()

    @on(Streamed)
    def _streamed(self, event: Streamed) -> None:
        page = self.page
        item = event.item
        if isinstance(item, api.streams.EventItem):
            if page is not None:
                page.told(item)
            return
        if isinstance(item, api.streams.CountersItem):
            self.router.count(item)
        elif isinstance(item, api.streams.StatusItem):
            self.router.take(item)
        if page is not None and page.is_laid_out:
            page.show_frame()
            page.router_changed()
            if isinstance(item, api.streams.StatusItem):
                page.status_came()

    def on_resize(self, event: events.Resize) -> None:
        """Say so when the terminal is too small to show anything in order, and see that all screens hear of the size.

        Textual tells the screens by a timer of 8 ms that fires once. When the process is held up in the moment in which
        it begins, the timer takes itself for too late and never fires; and because it is still noted, no later size is
        told either (`App._on_resize`, `Timer._run` of 8.2.8). So they are told here, as the next thing that is done.
        """
        self.call_later(self._check_resize)
        small = event.size.width < LEAST_COLUMNS or event.size.height < LEAST_LINES
        shown = isinstance(self.screen, TooSmall)
        if small and not shown:
            self.push_screen(TooSmall())
        elif not small and shown:
            self.pop_screen()


class TooSmall(ModalScreen[None]):
    """Goes by itself when the terminal is large enough; a dialog under it stays as it was."""

    def compose(self) -> ComposeResult:
        """Lay out."""
        yield Static(id="small")

    def on_resize(self) -> None:
        """Say how large it is and how large it should be."""
        size = self.app.size
        self.query_one(Static).show(
            [
                (("Terminal too small", "bad"),),
                ((f"{size.width} x {size.height}", ""),),
                ((f"needed: {LEAST_COLUMNS} x {LEAST_LINES}", ""),),
                (("ctrl+q leaves", "dim"),),
            ]
        )
