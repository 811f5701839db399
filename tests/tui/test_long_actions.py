"""Backup, self-test, test send, dry run: how far they are is seen, and what they came to is not lost."""

from __future__ import annotations

import tarfile
from typing import Any

import pytest

from appliance.control.api.base import Progress
from appliance.control.registry import Asked, find
from appliance.control.rpc.client import ControlError, api
from appliance.control.session import Session
from tests.support.terminal_ui import Plays, Serve
from tests.tui.filling import receive
from tests.tui.holding import Held
from tests.tui.screenplay import Person, play
from tui.screens.long_actions import bar_text


@pytest.mark.parametrize(
    ("progress", "text"),
    [
        (Progress(), "begins …"),
        (Progress(text="the last 100 series"), "the last 100 series"),
        (Progress(done=1, total=3, text="images"), "█" * 7 + "░" * 13 + " 1 of 3 images"),
        (Progress(done=5, total=3), "█" * 20 + " 5 of 3"),
        (Progress(done=1_000_000, total=2_000_000, unit="bytes"), "█" * 10 + "░" * 10 + " 1.0 MB of 2.0 MB"),
    ],
)
def test_a_bar(progress: Progress, text: str) -> None:
    assert bar_text(progress) == text


def test_a_backup_is_written_watched_and_checked(
    session: Session, plays: Plays, monkeypatch: pytest.MonkeyPatch
) -> None:
    writing = Held(monkeypatch, "backup.create", Progress(done=3_000_000, total=6_000_000, text="copied", unit="bytes"))
    checking = Held(monkeypatch, "backup.check", Progress(done=1, total=4, text="read"))

    async def scene(person: Person) -> None:
        await person.open("config")
        await person.press("b")
        await person.see("there is no backup", "n writes one")
        await person.press("n")
        await person.see("What goes into the backup?", "configuration, history, state")
        await person.press("enter")
        await person.see("backup: " + "█" * 10 + "░" * 10 + " 3.0 MB of 6.0 MB copied")
        await person.open("overview")
        await person.open("backups")
        await person.see("3.0 MB of 6.0 MB")
        writing.let.set()
        await person.see("• mercure-", "without images", "1 backup", "mercure restore")
        await person.press("enter")
        await person.see("░ 1 of 4 read")
        checking.let.set()
        await person.see("• mercure-", "as it was", "revision 1, history: none")

    plays(scene)
    (path,) = (session.root.path / "backup").glob("*.tar")
    with tarfile.open(path) as archive:
        assert "config/mercure.json" in archive.getnames()


def test_a_self_test_goes_on_without_the_screen_and_its_result_is_there_afterwards(
    session: Session, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Held(monkeypatch, "selftest.run", Progress(done=2, total=9, text="clock"))

    async def begin(person: Person) -> None:
        await person.open("services")
        await person.press("t")
        await person.see("r runs it")
        await person.press("l")
        await person.see("Self-test · ", "2 of 9 clock")
        await person.press("r")
        await person.see("2 of 9 clock")

    async def look(person: Person) -> None:
        await person.open("selftest")
        await person.see("2 of 9 clock")
        held.let.set()
        await person.see("• all works", "alice", "• ok", "clock")
        assert "2 of 9" not in person.screen

    async def look_once_more(person: Person) -> None:
        await person.open("selftest")
        await person.see("• all works", "alice")

    with serve() as link:
        play(link, begin)
        assert [job.outcome for job in link.call(api.jobs.LIST, api.base.Nothing()).jobs] == ["running"] * 2
        play(link, look)
        play(link, look_once_more)


def test_why_it_failed_is_said(plays: Plays, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(asked: Asked, wanted: Any) -> None:
        raise ControlError("failed", "there is no room", "make some")

    monkeypatch.setitem(vars(find("selftest.run")), "run", fail)
    monkeypatch.setitem(vars(find("backup.create")), "run", fail)

    async def scene(person: Person) -> None:
        await person.open("selftest")
        await person.press("r")
        await person.see("‼ there is no room make some")
        await person.open("backups")
        await person.press("n")
        await person.see("What goes into the backup?")
        await person.press("down", "enter")
        await person.see("‼ there is no room make some")

    plays(scene)


def test_a_viewer_sees_them_and_begins_none(plays: Plays) -> None:
    async def scene(person: Person) -> None:
        await person.open("backups")
        await person.press("n")
        await person.see("new: this needs the role admin, and yours is viewer")
        await person.open("selftest")
        await person.press("r")
        await person.see("run: this needs the role operator, and yours is viewer")

    plays(scene, "viewer", "vera")


def test_test_sends_and_dry_runs_have_bars(session: Session, plays: Plays, monkeypatch: pytest.MonkeyPatch) -> None:
    receive(session)
    sending = Held(monkeypatch, "targets.test_send", Progress(done=2, total=4, text="images answered"))
    trying = Held(monkeypatch, "rules.dry_run", Progress(done=20, total=80, text="series tried"))

    async def scene(person: Person) -> None:
        await person.open("targets")
        await person.press("t")
        await person.see("Test send to delivered")
        await person.press("enter")
        await person.see("█" * 10 + "░" * 10 + " 2 of 4 images answered")
        sending.let.set()
        await person.see("1 of 1 confirmed")
        await person.open("rules")
        await person.press("d")
        await person.see("dry run: ", "20 of 80 series tried")
        trying.let.set()
        await person.see("No change for the last series")
        await person.press("escape")
        await person.see_no_more("20 of 80")

    plays(scene)
