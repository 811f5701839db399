"""A target is unplugged: the alert comes by mail; command, API and screen show it, and all clear by themselves."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from appliance.control.client import Client, api
from tests.support.dcmtk import dcmsend
from tests.support.dcmtk import storescp as run_storescp
from tests.support.mail_server import Mailbox, mail_server
from tests.support.polling import eventually
from tests.support.ports import is_listening
from tests.support.processes import running
from tests.support.series import synthetic_series
from tests.support.web_hook import Hook, web_hook
from tests.tui.screenplay import Person, play
from tui.link import Link

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
    content |= {"receiver": {"port": ports[0]}, "status_page": {"port": ports[1]}}
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

    play(Link(root), look)


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with mail_server() as box:
        yield box


@pytest.mark.timeout(300)
def test_a_target_is_unplugged_and_plugged_in_again(
    mercure_root: Path, tmp_path: Path, mailbox: Mailbox, free_port: Callable[[], int]
) -> None:
    ports, target, root = (free_port(), free_port()), free_port(), mercure_root
    with web_hook() as hook, ExitStack() as plugged:
        plugged.enter_context(run_storescp(tmp_path / "archive", port=target))
        with router(root, configuration(target, mailbox, hook), ports):
            images = synthetic_series(tmp_path / "images", count=2)
            assert call(root, "notifications", "test")["tested"][0]["ok"]
            assert subjects(mailbox) == ["[mercure] a test"]
            assert dcmsend("127.0.0.1", ports[0], images).code == 0
            eventually(lambda: "[mercure] all: done" in subjects(mailbox), seconds=60, what="a mail that all is done")
            occasions = [json.loads(body)["occasion"] for _, _, body in hook.requests]
            assert sorted(occasions) == ["completion", "reception", "test"]
            assert b"PatientID" not in b"".join(bytes(mail) for mail in mailbox.mails)

            plugged.close()
            assert dcmsend("127.0.0.1", ports[0], synthetic_series(tmp_path / "more", count=2, seed=1)).code == 0
            down = "[mercure] CRITICAL: target 'archive' takes nothing"
            eventually(lambda: any(down in item for item in subjects(mailbox)), seconds=60, what="the alert by mail")
            assert "outage:archive" in alerts(root)
            [listed] = [item for item in call(root, "alerts", "list", code=1)["alerts"] if item["kind"] == "outage"]
            assert listed["raised"]
            see(root, "8", "takes nothing")
            known = call(root, "alerts", "acknowledge", "outage:archive", "--comment", "I am plugging")
            assert known["acknowledged"]["comment"] == "I am plugging"

            plugged.enter_context(run_storescp(tmp_path / "archive", port=target))
            over = "[mercure] over: target 'archive' takes nothing"
            eventually(lambda: any(over in item for item in subjects(mailbox)), seconds=60, what="its end by mail")
            assert "outage:archive" not in alerts(root)
            see(root, "8", "all is well")
            told = [item["type"] for item in call(root, "history", "events", "--type", "alert.")["events"]]
            assert sorted(told) == ["alert.cleared", "alert.raised"]
            assert sum(down in item for item in subjects(mailbox)) == 1
            with Client(root) as client:
                found = client.call(api.notifications.LIST)
            assert all(channel.failing_since is None and not channel.waiting for channel in found.channels)
