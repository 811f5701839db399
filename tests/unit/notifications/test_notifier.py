"""The notifier: from what a real bookkeeper recorded to messages in the queue, each once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mercure.event_details import NotificationRequested
from mercure.notifications.message import Message
from mercure.notifications.queue import MessageQueue
from mercure.notifications.send_queue import MessageSender
from mercure.services.bookkeeper import Bookkeeper
from mercure.services.notifier import Notifier
from mercure.spool import Task
from tests.support.box import Box
from tests.support.scripted_router import ScriptedRouter

MAIL = {"kind": "email", "host": "h", "sender": "a@b.c", "recipients": ["d@e.f"]}
CHANNELS = {"mail": MAIL, "open": {**MAIL, "patient_data": True}, "off": {**MAIL, "disabled": True}}
EACH = {occasion: ["mail", "off"] for occasion in ("reception", "completion", "error", "request")}


@dataclass
class Scene:
    """A router of which everything is told, recorded and looked at."""

    box: Box
    script: ScriptedRouter
    notifier: Notifier

    def look(self) -> None:
        bookkeeper = Bookkeeper(self.box.context("bookkeeper"))
        while bookkeeper.run_once().lines:
            pass
        bookkeeper.end()
        self.box.clock.advance(2)
        self.notifier.turn(None)  # type: ignore[arg-type]  # it does not care

    def told(self, channel: str = "mail") -> list[tuple[str, str]]:
        return [(message.occasion, message.values["rule"]) for message in self.messages() if message.channel == channel]

    def messages(self) -> list[Message]:
        return sorted(MessageQueue(self.box.spool).messages("queue"), key=lambda message: message.created)

    def receive(self, series: str = "1.2.3") -> Task:
        self.script.receive(series, 1)
        self.script.receive(series, 2)
        return self.script.take(series)

    def again(self) -> Notifier:
        """Start the notifier anew, as after a crash."""
        if self.notifier._claim is not None:
            self.notifier._claim.release()
        self.notifier = Notifier(self.box.context("notifier"))
        return self.notifier


def rules(**notifications: Any) -> dict[str, Any]:
    rule = {"rule": "True", "action": "both", "targets": ["a", "b"], "modules": ["m"], "contact": "Ann"}
    return {"all": {**rule, "notifications": notifications or EACH}}


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    monkeypatch.setattr(MessageSender, "turn", lambda self, config: 3600.0)
    box = Box(tmp_path)
    folder = {"kind": "folder", "path": str(box.delivered)}
    modules = {"m": {"runner": "command", "image": "/bin/true"}}
    box.configure(
        rules=rules(), targets={"a": folder, "b": folder}, modules=modules, notifications={"channels": CHANNELS}
    )
    scene = Scene(box, ScriptedRouter(box.spool.root, box.clock), Notifier(box.context("notifier")))
    scene.look()
    yield scene
    box.close()


def test_reception_completion_and_error_are_told_once(scene: Scene) -> None:
    first, second = scene.script.route(scene.receive(), "a", "b")
    scene.look()
    assert scene.told() == [("reception", "all")]
    scene.script.deliver(first)
    scene.look()
    assert scene.told() == [("reception", "all")], "one target is not all"
    scene.script.fail(second)
    scene.look()
    assert sorted(scene.told()) == [("error", "all"), ("reception", "all")]
    scene.script.deliver(scene.script.route(scene.receive("1.2.4"), "a")[0])
    scene.look()
    assert sorted(scene.told()[2:]) == [("completion", "all"), ("reception", "all")]
    for _ in range(3):
        scene.look()
        scene.again()
    scene.look()
    assert len(scene.told()) == 4
    assert scene.told("off") == [], "a disabled channel gets nothing into its queue"


def test_patient_data_is_told_where_it_may_be(scene: Scene) -> None:
    folder = {"kind": "folder", "path": str(scene.box.delivered)}
    rule = {"rule": "True", "targets": ["a"], "contact": "Ann", "notifications": {"reception": ["mail", "open"]}}
    scene.box.configure(rules={"all": rule}, targets={"a": folder}, notifications={"channels": CHANNELS})
    scene.again()
    scene.look()
    scene.script.route(scene.receive(), "a")
    scene.look()
    found = {message.channel: message for message in scene.messages()}
    assert found["open"].values["patient_id"] == "P1"
    assert "P1" in found["open"].text
    assert "P1" not in found["mail"].model_dump_json()
    assert "1.2.3" not in found["mail"].model_dump_json()
    assert found["mail"].values["contact"] == "Ann"


@pytest.mark.parametrize("requested", [True, False])
def test_a_module_asks_for_a_message_or_adds_to_one(scene: Scene, requested: bool) -> None:
    folder = {"kind": "folder", "path": str(scene.box.delivered)}
    both = {"completion": ["open"], "request": ["open"]}
    rule = {"rule": "True", "targets": ["a"], "notifications": both}
    modules = {"m": {"runner": "command", "image": "/bin/true"}}
    rule = {**rule, "action": "both", "modules": ["m"]}
    scene.box.configure(
        rules={"all": rule}, targets={"a": folder}, modules=modules, notifications={"channels": CHANNELS}
    )
    scene.again()
    scene.look()
    (task,) = scene.script.route(scene.receive(), "a")
    details = NotificationRequested(module="m", rules=("all",), text="a bleed\nis likely", requested=requested)
    scene.script.events.emit(details, task=task.id, key="notification.requested")
    scene.script.deliver(task)
    scene.look()
    occasions = [message.occasion for message in scene.messages()]
    assert sorted(occasions) == (["completion", "request"] if requested else ["completion"])
    asked = [message for message in scene.messages() if message.occasion == "request"]
    assert all("a bleed\nis likely" in message.text for message in asked)


def test_what_happened_before_anybody_asked_is_not_told(scene: Scene) -> None:
    folder = {"kind": "folder", "path": str(scene.box.delivered)}
    quiet = {"all": {"rule": "True", "targets": ["a"]}}
    scene.box.configure(rules=quiet, targets={"a": folder}, notifications={"channels": CHANNELS})
    scene.again()
    scene.script.route(scene.receive(), "a")
    scene.look()
    scene.box.clock.advance(600)
    scene.look()
    told = {"all": {"rule": "True", "targets": ["a"], "notifications": {"reception": ["mail"]}}}
    scene.box.configure(rules=told, targets={"a": folder}, notifications={"channels": CHANNELS})
    scene.notifier._context.live.refresh()
    scene.look()
    assert scene.told() == []
    scene.script.route(scene.receive("1.2.4"), "a")
    scene.look()
    assert scene.told() == [("reception", "all")]


def test_what_is_recorded_late_is_told_all_the_same(scene: Scene) -> None:
    """The bookkeeper reads file by file: what happened first may be recorded last, hours later after an outage."""
    (task,) = scene.script.route(scene.receive(), "a")
    scene.script.fail(task)
    for _ in range(3):
        scene.box.clock.advance(3600)
        scene.notifier._recorded = None  # as when another file was recorded
        scene.notifier.turn(None)  # type: ignore[arg-type]  # it does not care
    assert scene.told() == []
    scene.look()
    assert sorted(scene.told()) == [("error", "all"), ("reception", "all")]
