"""Every screen in its telling states, as a person sees it on 80 by 24, compared with a kept picture of it in text."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Final

import pytest
from textual.timer import Timer

from appliance.control.api.base import Role
from appliance.control.registry import find
from appliance.control.session import Session
from appliance.supervision.client import SupervisorClient
from tests.support.terminal_ui import Plays, Serve
from tests.tui.filling import COUNTERS, PROCESSES, SELFTEST, at_work, fill
from tests.tui.holding import Counted, Held
from tests.tui.screenplay import Person, play
from tests.tui.views import (
    BUSY,
    DETAILS,
    EMPTY,
    FILLED,
    KEPT,
    LONG,
    OF_A_VIEWER,
    WITHOUT_CONNECTION,
    View,
    compare,
    leave,
    look_at,
    typed,
)
from tui.router_client import RouterClient

HELD_UP_SECONDS = 0.02
"""For which the process is held up on a busy machine."""

STATES: Final[dict[str, tuple[Role, tuple[View, ...]]]] = {
    "empty": ("admin", EMPTY),
    "stuck": ("admin", FILLED),
    "viewer": ("viewer", FILLED),
}


@pytest.mark.parametrize("state", STATES)
def test_every_page(state: str, session: Session, plays: Plays) -> None:
    role, views = STATES[state]
    if views is FILLED:
        fill(session)

    async def look(person: Person) -> None:
        await person.see("• live", "disk")
        for view in views:
            await look_at(person, view, state, session)

    plays(look, role)


@pytest.mark.usefixtures("_supervised")
def test_every_page_of_a_router_at_work(session: Session, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    held = [Held(monkeypatch, verb, progress) for verb, progress in LONG.items()]

    async def look(person: Person) -> None:
        await person.see("• live", "SCANNER1")
        for view in BUSY:
            await look_at(person, view, "busy", session)

    with at_work(session), serve() as link:
        try:
            play(Counted(link, COUNTERS), look)
        finally:
            for verb in held:
                verb.let.set()


def with_two_revisions_and_a_log(session: Session) -> None:
    """Fill the router, change a rule, and let the receiver say something."""
    fill(session)
    content = json.loads(session.store.mercure.path.read_text())
    content["rules"]["everything"]["comment"] = "for all wards"
    changed = session.store.parse(content)
    session.store.mercure.save(changed, author="bob", comment="", edited_from=1, clock=session.clock)
    lines = [
        {"time": "2026-11-21T11:59:58.000Z", "level": "INFO", "message": "listens", "port": 11112},
        {"time": "2026-11-21T11:59:59.000Z", "level": "WARNING", "message": "an association was refused"},
    ]
    text = "".join(f"{json.dumps(line)}\n" for line in lines)
    (session.root.log / "receiver_00.log").write_text(text)


@pytest.fixture
def _supervised(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let supervisord say that the services run."""
    monkeypatch.setattr(SupervisorClient, "processes", lambda _: list(PROCESSES))


@pytest.mark.usefixtures("_supervised")
@pytest.mark.parametrize("role", ["admin", "viewer"])
def test_every_detail_form_and_dialog(role: Role, session: Session, plays: Plays) -> None:
    with_two_revisions_and_a_log(session)

    async def look(person: Person) -> None:
        await person.see("• live", "disk")
        for view in DETAILS:
            if role == "admin" or view.name in OF_A_VIEWER:
                await look_at(person, view, role, session)
                await leave(person)

    plays(look, role)


def test_a_self_test_that_failed(session: Session, plays: Plays, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(vars(find("selftest.run")), "run", lambda asked, wanted: SELFTEST)

    async def look(person: Person) -> None:
        await person.open("selftest")
        await person.press("r")
        await person.see("1 of 8 failed")
        await compare("selftest-failed", person, session)

    plays(look)


def test_the_command_line(session: Session, plays: Plays) -> None:
    async def look(person: Person) -> None:
        await person.see("• live")
        await person.press(*typed("targets"))
        await person.see("folder")
        await person.press(*typed("nonsense"))
        await person.see("there is no command 'nonsense' here")

    plays(look)


def test_no_connection_is_said_and_survived(session: Session, serve: Serve) -> None:
    fill(session)

    async def look(person: Person) -> None:
        service = Holder(serve)
        service.begin()
        await person.open("queue")
        await person.see("6 tasks")
        service.end()
        await person.see("‼ No connection to the router", "‼ no connection", "6 tasks")
        await person.press("r")
        await person.see("retry: there is no connection to the router")
        service.begin()
        await person.see("• live", "connected to the router again")
        await person.see_no_more("‼ No connection")
        service.end()

    play(RouterClient(session.root.path), look)


def test_every_page_and_the_details_that_stay_open_without_a_connection(session: Session, serve: Serve) -> None:
    with_two_revisions_and_a_log(session)
    service = Holder(serve)

    async def look(person: Person) -> None:
        service.begin()
        await person.see("• live", "disk")
        for view in FILLED:
            await person.press(*view.keys)
            await person.see(*view.there)
        service.end()
        await person.see("‼ No connection to the router")
        for view in FILLED:
            await look_at(person, view, "disconnected", session)
        for view in (view for view in DETAILS if view.name in WITHOUT_CONNECTION):
            service.begin()
            await person.see("• live")
            await person.press(*view.keys)
            await person.see(*view.there)
            service.end()
            await person.see("‼ No connection to the router")
            await compare(f"{view.name}-disconnected", person, session)
            await leave(person)

    play(RouterClient(session.root.path), look)


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
    session: Session, plays: Plays, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(session)
    really = Timer._run

    async def late(timer: Timer) -> None:
        """Do with a timer of some milliseconds what Textual does when it comes too late: nothing."""
        if timer._repeat != 0 or timer._interval > HELD_UP_SECONDS:
            await really(timer)

    monkeypatch.setattr(Timer, "_run", late)

    async def look(person: Person) -> None:
        await person.open("queue")
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

    plays(look)


def test_too_small_a_terminal_says_so_and_a_dialog_outlives_it(session: Session, plays: Plays) -> None:
    fill(session)

    async def look(person: Person) -> None:
        await person.open("queue")
        await person.see("6 tasks")
        await person.press("ctrl+d")
        await person.see("Discard 1 task?")
        await person.resize(60, 20)
        await person.see("Terminal too small", "60 x 20", "needed: 80 x 24")
        await person.resize(120, 40)
        await person.see("Discard 1 task?")
        await person.press("escape")
        await person.see_no_more("Discard 1 task?")

    plays(look)


def test_no_picture_is_kept_that_nothing_is_compared_with() -> None:
    names = {f"{view.name}-{state}" for state, (_, views) in STATES.items() for view in views}
    names |= {f"{view.name}-busy" for view in BUSY} | {f"{view.name}-disconnected" for view in FILLED}
    names |= {f"{view.name}-admin" for view in DETAILS} | {f"{name}-viewer" for name in OF_A_VIEWER}
    names |= {f"{name}-disconnected" for name in WITHOUT_CONNECTION} | {"selftest-failed"}
    names |= {f"history-{state}" for state in ("exams", "series", "beside")} | {"tags-queue", "tags-beside"}
    names |= {f"quarantine-{state}" for state in ("full", "target", "forward", "discard")}
    names |= {f"senders-{state}" for state in ("learned", "refused", "large")} | {"sender-detail", "sender-propose"}
    assert {path.name for path in KEPT.iterdir()} == {f"{name}.txt" for name in names}
