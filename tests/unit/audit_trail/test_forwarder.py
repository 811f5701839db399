"""The forwarder: from what a real bookkeeper recorded to a real rsyslog over TLS, also when that is away."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from mercure.audit_trail.forwarder import ALERT_SECONDS, AuditForwarder
from mercure.event_details import Warned
from mercure.services.bookkeeper import Bookkeeper
from mercure.spool import notices
from tests.support.audit_repository import Repository, assert_valid, audit_repository
from tests.support.box import Box
from tests.support.certificates import Authority, Certificate, make_authority
from tests.support.polling import eventually
from tests.support.ports import free_port
from tests.support.scripted_router import ScriptedRouter

SERVICE = "110100"
"""The code of what starts and stops."""


@dataclass
class Scene:
    """A router, and where its audit repository is or would be."""

    box: Box
    script: ScriptedRouter
    folder: Path
    authority: Authority
    server: Certificate
    client: Certificate
    port: int = field(default_factory=free_port)
    warned: list[Warned] = field(default_factory=list)
    forwarder: AuditForwarder | None = None

    def configure(self, **settings: Any) -> None:
        """Write the configuration, and start the forwarder anew."""
        tls = {"ca": str(self.authority.file), "certificate": str(self.client.file), "key": str(self.client.key)}
        repository = {"host": "127.0.0.1", "port": self.port, "tls": tls, **settings}
        folder = {"kind": "folder", "path": str(self.box.delivered)}
        rules = {"all": {"rule": "True", "targets": ["archive"]}}
        self.box.configure(targets={"archive": folder}, rules=rules, audit={"repository": repository})
        self.start()

    def start(self) -> None:
        """Start the forwarder anew, as after a restart of the notifier."""
        if self.forwarder is not None:
            self.forwarder._disconnect()
        context = self.box.context("notifier")
        self.forwarder = AuditForwarder(
            context.root, self.box.spool, lambda: context.config, self.box.clock, self.warned.append
        )

    def receive(self, series: str) -> None:
        self.script.receive(series, 1)
        (task,) = self.script.route(self.script.take(series), "archive")
        self.script.deliver(task)

    def look(self, seconds: float = 1) -> None:
        """Record what is in the outbox, and let the forwarder look."""
        bookkeeper = Bookkeeper(self.box.context("bookkeeper"))
        while bookkeeper.run_once().lines:
            pass
        bookkeeper.end()
        self.box.clock.advance(seconds)
        assert self.forwarder is not None
        self.forwarder.turn()

    def repository(self) -> Any:
        return audit_repository(self.folder, self.authority, self.server, self.port)

    def notices(self) -> list[str]:
        return [notice.text for notice in notices.notices(self.box.spool) if notice.kind == "audit"]


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    box = Box(tmp_path / "box")
    authority = make_authority(tmp_path)
    script = ScriptedRouter(box.spool.root, box.clock)
    scene = Scene(box, script, tmp_path / "repository", authority, authority.sign("audit"), authority.sign("router"))
    scene.configure()
    scene.look()
    yield scene
    assert scene.forwarder is not None
    scene.forwarder._disconnect()
    box.close()


def arrived(repository: Repository, count: int) -> list[str]:
    """Wait until so many messages about images have arrived; more is a failure."""
    eventually(lambda: len(about_images(repository)) >= count, what=f"{count} messages")
    found = about_images(repository)
    assert len(found) == count
    return found


def about_images(repository: Repository) -> list[str]:
    return [message for message in repository.messages if codes([message]) != [SERVICE]]


def codes(messages: list[str]) -> list[str]:
    return [message.partition('EventID csd-code="')[2][:6] for message in messages]


def test_what_happened_is_told_once_and_in_the_right_form(scene: Scene, tmp_path: Path) -> None:
    with scene.repository() as repository:
        scene.look()
        scene.receive("1.2.1")
        for _ in range(3):
            scene.look()
        messages = arrived(repository, 3)
        assert codes(messages) == ["110104", "110102", "110104"]
        assert_valid(tmp_path, messages)
        scene.receive("1.2.2")
        scene.look()
        arrived(repository, 6)


def test_a_repository_that_is_away_holds_nothing_up_and_gets_all_of_it_later(scene: Scene) -> None:
    for number in range(5):
        scene.receive(f"1.3.{number}")
        scene.look()
    assert scene.notices() == []
    scene.look(ALERT_SECONDS)
    (text,) = scene.notices()
    assert "cannot be reached" in text
    scene.start()  # a restart in between forgets nothing
    with scene.repository() as repository:
        scene.look()
        assert codes(arrived(repository, 15)) == ["110104", "110102", "110104"] * 5
        assert scene.notices() == []
        assert scene.warned == []


def test_what_was_written_before_a_connection_ended_is_written_again(scene: Scene) -> None:
    with scene.repository() as repository:
        scene.receive("1.4.1")
        scene.look()
        first = arrived(repository, 3)
    scene.receive("1.4.2")
    scene.look()
    with scene.repository() as repository:
        scene.look()
        messages = arrived(repository, 9)
    assert messages[3:6] == first, "twice, with the same content"
    assert codes(messages[6:]) == ["110104", "110102", "110104"]


def test_what_is_too_old_is_left_out_and_told(scene: Scene) -> None:
    scene.configure(keep_days=2)
    scene.look()
    scene.receive("1.5.1")
    scene.look()
    scene.box.clock.advance(timedelta(days=2, hours=1).total_seconds())
    scene.receive("1.5.2")
    with scene.repository() as repository:
        scene.look()
        assert len(arrived(repository, 3)) == 3
    (warned,) = scene.warned
    assert "audit messages for 127.0.0.1" in warned.text
    assert any("are older than 2 days" in text for text in scene.notices())


@pytest.mark.parametrize("wrong", ["unknown authority", "other name", "no certificate of ours"])
def test_a_repository_that_is_not_believed_gets_nothing(scene: Scene, wrong: str, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    tls = {"ca": str(scene.authority.file), "certificate": str(scene.client.file), "key": str(scene.client.key)}
    changes = {
        "unknown authority": {**tls, "ca": str(make_authority(other, "another").file)},
        "other name": {**tls, "server_name": "audit.elsewhere"},
        "no certificate of ours": {"ca": tls["ca"]},
    }
    scene.configure(tls=changes[wrong])
    scene.look()
    with scene.repository() as repository:
        scene.receive("1.6.1")
        for _ in range(3):
            scene.look(ALERT_SECONDS)
        assert repository.lines == []


def test_another_repository_begins_now(scene: Scene) -> None:
    scene.receive("1.7.1")
    scene.look(120)
    scene.port = free_port()
    scene.configure()
    with scene.repository() as repository:
        scene.look()
        scene.look(120)
        scene.receive("1.7.2")
        scene.look()
        arrived(repository, 3)
