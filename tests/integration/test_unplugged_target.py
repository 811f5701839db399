"""A target is unplugged: mail, command, API, terminal and page tell it, and all clear by themselves."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from appliance.control.rpc.client import Client, api
from tests.support.browser import chromium, tab_of
from tests.support.dcmtk import dcmsend
from tests.support.dcmtk import storescp as run_storescp
from tests.support.mail_server import Mailbox, mail_server
from tests.support.polling import eventually
from tests.support.ports import is_listening
from tests.support.processes import running
from tests.support.series import DEFAULTS, synthetic_series
from tests.support.web_hook import Hook, web_hook
from tests.tui.screenplay import Person, play
from tui.router_client import RouterClient

if TYPE_CHECKING:
    from playwright.sync_api import Page as Tab

EXAM = str(DEFAULTS["AccessionNumber"])
DOWN = "[mercure] CRITICAL: target 'archive' is not accepting images"
OVER = "[mercure] over: target 'archive' is not accepting images"
MERCURE = (sys.executable, "-m", "appliance.cli")


def call(root: Path, *arguments: str, code: int = 0) -> Any:
    """Run a command that prints JSON."""
    command = [*MERCURE, *arguments, "--root", str(root), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == code, done
    return json.loads(done.stdout)


@contextmanager
def router(root: Path, content: dict[str, Any], ports: tuple[int, int]) -> Iterator[None]:
    subprocess.run([*MERCURE, "init", "--root", str(root)], capture_output=True, timeout=60, check=True)
    content |= {"receiver": {"port": ports[0]}, "status_page": {"port": ports[1], "refresh_seconds": 2}}
    (root / "config" / "mercure.json").write_text(json.dumps(content))
    command: list[str | Path] = [*MERCURE, "run", "--root", root]
    with running(command, ready=lambda _: is_listening(ports[0]), seconds=60, grace=60):
        yield


def configuration(target: int, mailbox: Mailbox, hook: Hook) -> dict[str, Any]:
    mail = {
        "kind": "email",
        "host": "127.0.0.1",
        "port": mailbox.port,
        "security": "none",
        "sender": "router@box.example",
        "recipients": ["pacs@hospital.example"],
    }
    retry = {"first_seconds": 1, "cap_seconds": 2}
    archive = {"kind": "dicom", "host": "127.0.0.1", "port": target, "called_aet": "STORESCP", "retry": retry}
    told = {"reception": ["hook"], "completion": ["mail", "hook"]}
    return {
        "version": 1,
        "completion": {"quiet_seconds": 2, "after_release_seconds": 1},
        "targets": {"archive": archive},
        "rules": {"all": {"rule": "True", "targets": ["archive"], "notifications": told}},
        "alerts": {"channels": ["mail"], "clear_seconds": 1, "target_down": {"after_seconds": 1}},
        "notifications": {"channels": {"mail": mail, "hook": {"kind": "webhook", "url": hook.url}}},
    }


def subjects(mailbox: Mailbox) -> list[str]:
    return [str(mail["Subject"]) for mail in mailbox.mails]


def alerts(root: Path) -> list[str]:
    with Client(root) as client:
        return [alert.key for alert in client.alerts()]


def see(root: Path, key: str, *texts: str) -> None:
    """Open a page of the terminal UI and wait for texts on it."""

    async def look(person: Person) -> None:
        await person.see("• live")
        await person.press(key)
        await person.see(*texts)

    # In a thread of its own: the one of the test has the browser's loop.
    with ThreadPoolExecutor(1) as pool:
        pool.submit(play, RouterClient(root), look).result()


def turns_to(tab: Tab, headline: str, *texts: str) -> None:
    """Wait until an open page, which nobody touches, tells something else."""
    tab.get_by_role("heading", level=1, name=headline).wait_for(timeout=60_000)
    for text in texts:
        tab.get_by_text(text).first.wait_for(timeout=60_000)


def look_for_exam(tab: Tab, accession: str, *texts: str) -> None:
    """Search as a clinician does, beginning on the first page."""
    tab.get_by_role("link", name="Where is my exam?").click()
    tab.get_by_label("Accession number").fill(accession)
    tab.get_by_role("button", name="Look").click()
    for text in texts:
        tab.get_by_text(text).first.wait_for(timeout=60_000)


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with mail_server() as box:
        yield box


@dataclass(frozen=True)
class Day:
    """A router at work, and who looks at it: a page on the wall that nobody touches, and a clinician's phone."""

    root: Path
    port: int
    mailbox: Mailbox
    hook: Hook
    wall: Tab
    phone: Tab

    def goes_well(self, images: list[Path]) -> None:
        assert call(self.root, "notifications", "test")["tested"][0]["ok"]
        assert subjects(self.mailbox) == ["[mercure] a test"]
        assert dcmsend("127.0.0.1", self.port, images).code == 0
        eventually(lambda: "[mercure] all: done" in subjects(self.mailbox), seconds=60, what="a mail that all is done")
        occasions = [json.loads(body)["occasion"] for _, _, body in self.hook.requests]
        assert sorted(occasions) == ["completion", "reception", "test"]
        assert b"PatientID" not in b"".join(bytes(mail) for mail in self.mailbox.mails)
        turns_to(self.wall, "The router is well")
        look_for_exam(self.phone, EXAM, "1 series, 2 images: delivered", "to archive")
        look_for_exam(self.phone, f"{EXAM}9", "No image of this exam has arrived here")

    def is_unplugged(self, images: list[Path]) -> None:
        assert dcmsend("127.0.0.1", self.port, images).code == 0
        eventually(lambda: self.mails(DOWN), seconds=60, what="the alert by mail")
        assert "outage:archive" in alerts(self.root)
        found = call(self.root, "alerts", "list", code=1)["alerts"]
        [listed] = [item for item in found if item["kind"] == "outage"]
        assert listed["raised"]
        see(self.root, "8", "is not accepting")
        turns_to(self.wall, "The router needs help", "archive has not accepted images since")
        look_for_exam(self.phone, EXAM, "2 series, 4 images: on the way")
        known = call(self.root, "alerts", "acknowledge", "outage:archive", "--comment", "I am plugging")
        assert known["acknowledged"]["comment"] == "I am plugging"
        turns_to(self.wall, "The router needs help", "IT knows")

    def is_plugged_in(self) -> None:
        eventually(lambda: self.mails(OVER), seconds=60, what="its end by mail")
        assert "outage:archive" not in alerts(self.root)
        see(self.root, "8", "all is well")
        turns_to(self.wall, "The router is well")
        look_for_exam(self.phone, EXAM, "2 series, 4 images: delivered")
        assert "SYNTH" not in self.phone.content()
        told = [item["type"] for item in call(self.root, "history", "events", "--type", "alert.")["events"]]
        assert sorted(told) == ["alert.cleared", "alert.raised"]
        assert self.mails(DOWN) == 1
        with Client(self.root) as client:
            found = client.call(api.notifications.LIST)
        assert all(channel.failing_since is None and not channel.waiting for channel in found.channels)

    def mails(self, subject: str) -> int:
        return sum(subject in item for item in subjects(self.mailbox))


@pytest.mark.timeout(300)
def test_a_target_is_unplugged_and_plugged_in_again(
    mercure_root: Path, tmp_path: Path, mailbox: Mailbox, free_port: Callable[[], int]
) -> None:
    ports, target, root = (free_port(), free_port()), free_port(), mercure_root
    page = f"http://127.0.0.1:{ports[1]}"
    with web_hook() as hook, ExitStack() as plugged:
        plugged.enter_context(run_storescp(tmp_path / "archive", port=target))
        with (
            router(root, configuration(target, mailbox, hook), ports),
            chromium() as browser,
            tab_of(browser, page, scripts=False) as wall,
            tab_of(browser, page, size="phone") as phone,
        ):
            eventually(lambda: is_listening(ports[1]), seconds=60, what="the page is there")
            wall.goto(f"{page}/wall")
            phone.goto(page)
            day = Day(root, ports[0], mailbox, hook, wall, phone)
            day.goes_well(synthetic_series(tmp_path / "images", count=2))
            plugged.close()
            day.is_unplugged(synthetic_series(tmp_path / "more", count=2, seed=1))
            plugged.enter_context(run_storescp(tmp_path / "archive", port=target))
            day.is_plugged_in()
