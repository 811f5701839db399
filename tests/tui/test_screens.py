"""Every screen in its telling states, as a person sees it on 80 by 24, compared with a kept picture of it in text."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from textual.timer import Timer

from appliance.control.client import api
from appliance.control.session import Session
from appliance.control.verbs import find
from mercure.clock import ManualClock
from tests.support.incoming import Association, date_back, make_images
from tests.tui.conftest import NOW, Serve
from tests.tui.filling import SELFTEST, fill
from tests.tui.screenplay import Person, neutral, play, screen_lines
from tui.link import Link

HELD_UP_SECONDS = 0.02
"""For which the process is held up on a busy machine."""

KEPT = Path(__file__).parent / "screens"
PAGES = {
    "1": ("overview", "senders"),
    "2": ("queue", "state"),
    "3": ("history", "received"),
    "4": ("rules", "condition"),
    "5": ("targets", "where"),
    "6": ("modules", "runner"),
    "7": ("services", "receiver"),
    "8": ("alerts", "severity"),
    "9": ("config", "saved"),
    "0": ("audit", "verb"),
    ":backups": ("backups", "written"),
    ":selftest": ("selftest", "self-test"),
}


async def compare(name: str, person: Person, session: Session) -> None:
    """Wait for the screen to be as the kept one, in text and then in colours and attributes too, as Textual draws it.

    ``UPDATE_SCREENS=1`` keeps what it is when it is at rest.
    """
    looks: dict[str, Callable[[], str]] = {
        "txt": lambda: picture(person, session),
        "svg": lambda: neutral(person.app.export_screenshot(title="mercure-tui"), session.root.path),
    }
    if os.environ.get("UPDATE_SCREENS"):
        await person.at_rest()
    for suffix, drawn in looks.items():
        path = KEPT / f"{name}.{suffix}"
        if os.environ.get("UPDATE_SCREENS"):
            path.write_text(drawn())
        kept = path.read_text()
        with contextlib.suppress(AssertionError):
            await person.until(lambda drawn=drawn, kept=kept: drawn() == kept, path.name)  # type: ignore[misc]
        assert drawn() == kept, f"{path.name} looks different; UPDATE_SCREENS=1 keeps the new look"


def picture(person: Person, session: Session) -> str:
    """Return the screen without what differs from run to run."""
    root = str(session.root.path)
    text = "\n".join(screen_lines(person.app)).replace(root, "/srv/mercure".ljust(len(root)))
    return "\n".join(line.rstrip() for line in text.split("\n")) + "\n"


async def go_to(person: Person, key: str) -> None:
    """Open a page by its number, or by its name."""
    await person.press(*("colon", *key[1:], "enter") if key.startswith(":") else key)


@pytest.mark.parametrize("state", ["empty", "stuck", "viewer"])
def test_every_page(state: str, session: Session, serve: Serve) -> None:
    if state != "empty":
        fill(session)

    async def look(person: Person) -> None:
        await person.see("• live", "disk")
        for key, (name, text) in PAGES.items():
            await go_to(person, key)
            await person.see(text)
            await settled(person, name, filled=state != "empty")
            await compare(f"{name}-{state}", person, session)

    with serve("viewer" if state == "viewer" else "admin") as link:
        play(link, look)


_FILLED: dict[str, tuple[str, str]] = {
    "overview": ("delivered ", "delivered "),
    "queue": ("Nothing waits", "6 tasks"),
    "history": ("cannot be asked", "P1"),
    "rules": ("nothing is wrong", "nothing is wrong"),
    "targets": ("folder", "folder"),
    "modules": ("statistics", "statistics"),
    "services": ("bookkeeper", "bookkeeper"),
    "alerts": ("critical", "critical"),
    "config": ("in force", "in force"),
    "audit": ("cannot be asked", "task.hold"),
    "backups": ("there is no backup", "1 backup"),
    "selftest": ("r runs it", "r runs it"),
}


async def settled(person: Person, name: str, *, filled: bool) -> None:
    """Wait until what the page asks for is there."""
    await person.see(_FILLED[name][filled])


def test_a_self_test_that_failed(session: Session, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(vars(find("selftest.run")), "run", lambda asked, wanted: SELFTEST)

    async def look(person: Person) -> None:
        await person.see("• live")
        await go_to(person, ":selftest")
        await person.press("r")
        await person.see("1 of 8 failed")
        await compare("selftest-failed", person, session)

    with serve() as link:
        play(link, look)


def test_help_and_command_line(session: Session, serve: Serve) -> None:
    async def look(person: Person) -> None:
        await person.see("• live")
        await person.press("2", "question_mark")
        await person.see("Send a failed task on its way again")
        await compare("help-queue", person, session)
        await person.press("escape", "colon")
        await person.write("targets")
        await person.press("enter")
        await person.see("folder")
        await person.press("colon")
        await person.write("nonsense")
        await person.press("enter")
        await person.see("there is no command 'nonsense' here")

    with serve() as link:
        play(link, look)


def test_no_connection_is_said_and_survived(session: Session, serve: Serve) -> None:
    fill(session)

    async def look(person: Person) -> None:
        service = Holder(serve)
        service.begin()
        await person.see("• live")
        await person.press("2")
        await person.see("6 tasks")
        service.end()
        await person.see("‼ No connection to the router", "‼ no connection", "6 tasks")
        await person.press("r")
        await person.see("retry: there is no connection to the router")
        service.begin()
        await person.see("• live", "connected to the router again")
        await person.see_no_more("‼ No connection")
        service.end()

    play(Link(session.root.path), look)


def test_the_busy_pages_while_a_scanner_sends(session: Session, serve: Serve) -> None:
    clock = ManualClock(NOW)
    with Association(session.spool, clock, "SCANNER1") as association:
        for image in make_images(3):
            association.store(image)
        date_back(session.spool, NOW - timedelta(seconds=2))

        async def look(person: Person) -> None:
            await person.see("• live", "disk")
            person.app.board.count(api.streams.CountersItem(time=NOW, seconds=1.0, received={"SCANNER1": 300},
                                                            received_bytes={"SCANNER1": 157_286_400},
                                                            delivered={"delivered": 250},
                                                            delivered_bytes={"delivered": 131_072_000}))  # fmt: skip
            await person.press("2")
            await person.see("↓ arriving")
            await compare("queue-busy", person, session)

        with serve() as link:
            play(link, look)


def test_every_page_without_a_connection(session: Session, serve: Serve) -> None:
    fill(session)

    async def look(person: Person) -> None:
        service = Holder(serve)
        service.begin()
        await person.see("• live", "disk")
        for key, (name, text) in PAGES.items():
            await go_to(person, key)
            await person.see(text)
            await settled(person, name, filled=True)
        service.end()
        await person.see("‼ No connection to the router")
        for key, (name, text) in PAGES.items():
            await go_to(person, key)
            await person.see(text, "‼ No connection")
            await compare(f"{name}-disconnected", person, session)

    play(Link(session.root.path), look)


class Holder:
    """Starts and ends the control service in the middle of a scene."""

    def __init__(self, serve: Serve) -> None:
        self._serve = serve
        self._end: Callable[[], object] = lambda: None

    def begin(self) -> None:
        """Start it."""
        context = self._serve()
        context.__enter__()
        self._end = lambda: context.__exit__(None, None, None)

    def end(self) -> None:
        """End it."""
        self._end()


def test_a_new_size_is_drawn_also_when_the_machine_is_held_up_in_that_moment(
    session: Session, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(session)
    really = Timer._run

    async def late(timer: Timer) -> None:
        """Do with a timer of some milliseconds what Textual does when it comes too late: nothing."""
        if timer._repeat != 0 or timer._interval > HELD_UP_SECONDS:
            await really(timer)

    monkeypatch.setattr(Timer, "_run", late)

    async def look(person: Person) -> None:
        await person.see("• live")
        await person.press("2")
        await person.see("6 tasks")
        await person.press("ctrl+d")
        await person.see("Discard 1 task?")
        await person.resize(120, 40)
        await person.see("1 Overview 2 Queue 3 History", "Discard 1 task?")
        await person.resize(60, 20)
        await person.see("Terminal too small", "60 x 20")
        await person.resize(100, 30)
        await person.see("1 Overview 2 Queue 3 History", "Discard 1 task?")
        await person.press("escape")
        await person.resize(80, 24)
        await person.see("1 Over 2 Queue 3 Hist")

    with serve() as link:
        play(link, look)


def test_too_small_a_terminal_says_so_and_a_dialog_outlives_it(session: Session, serve: Serve) -> None:
    fill(session)

    async def look(person: Person) -> None:
        await person.see("• live")
        await person.press("2")
        await person.see("6 tasks")
        await person.press("ctrl+d")
        await person.see("Discard 1 task?")
        await person.resize(60, 20)
        await person.see("Terminal too small", "60 x 20", "needed: 80 x 24")
        await person.resize(120, 40)
        await person.see("Discard 1 task?")
        await person.press("escape")
        await person.see_no_more("Discard 1 task?")

    with serve() as link:
        play(link, look)
