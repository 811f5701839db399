"""The queue and the sender: once, in time, bounded, in digests; and a crash at every durable step."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from mercure.clock import ManualClock
from mercure.config import Config
from mercure.config.notifications import ChannelSettings
from mercure.model import Record
from mercure.names import new_id
from mercure.notifications import queue as queue_module
from mercure.notifications.channels import ChannelError, SendResult
from mercure.notifications.message import Message, compose
from mercure.notifications.message_facts import MessageFacts
from mercure.notifications.queue import MessageQueue
from mercure.notifications.send_queue import MessageSender, plan
from mercure.spool import Spool
from tests.support.faults import Crash, counted, crash_at, failing_at


def config(**more: Any) -> Config:
    mail = {"kind": "email", "host": "h", "sender": "a@b.c", "recipients": ["d@e.f"], **more}
    hook = {"kind": "webhook", "url": "https://h/"}
    return Config.model_validate({"notifications": {"channels": {"mail": mail, "hook": hook}}})


@dataclass
class Box:
    """A queue and a sender whose channels do as told."""

    spool: Spool
    clock: ManualClock = field(default_factory=ManualClock)
    sent: list[Message] = field(default_factory=list)
    told: list[Record] = field(default_factory=list)
    refuse: ChannelError | None = None
    config: Config = field(default_factory=config)

    def __post_init__(self) -> None:
        self.queue = MessageQueue(self.spool)
        self.queue.create()
        self.sender = self.new_sender()

    def new_sender(self) -> MessageSender:
        return MessageSender(self.queue, self.clock, lambda details, task: self.told.append(details), send=self.send)

    def send(self, settings: ChannelSettings, message: Message) -> SendResult:
        if self.refuse is not None:
            raise self.refuse
        self.sent.append(message)
        return SendResult()

    def put(self, number: int, channel: str = "mail") -> Message:
        self.clock.advance(0.001)
        settings = self.config.notifications.channels[channel]
        facts = MessageFacts(occasion="error", rule=f"rule{number}")
        of = new_id(self.clock.now())
        message = compose(channel, settings, self.config, facts, now=self.clock.now(), of=of)
        assert self.queue.put(message)
        return message

    def turn(self) -> float:
        """Let the channels do one turn, to its end."""
        wait = self.sender.turn(self.config)
        self.sender.join(30)
        return wait

    def counts(self) -> tuple[int, int, int]:
        return (self.queue.count("queue"), self.queue.count("sent"), self.queue.count("given_up"))


@pytest.fixture
def box(tmp_path: Path) -> Box:
    spool = Spool(tmp_path / "spool")
    spool.create()
    return Box(spool)


def test_what_is_put_twice_is_sent_once(box: Box) -> None:
    message = box.put(1)
    assert not box.queue.put(message)
    box.turn()
    assert not box.queue.put(message), "also after it was sent"
    box.turn()
    assert [item.id for item in box.sent] == [message.id]
    assert box.counts() == (0, 1, 0)
    assert [type(item).__name__ for item in box.told] == ["NotificationSent"]


def test_a_channel_that_fails_is_tried_with_growing_pauses_and_the_message_given_up_in_the_end(box: Box) -> None:
    message = box.put(1)
    box.refuse = ChannelError("h: Connection refused")
    waits = []
    while box.counts()[0]:
        box.turn()
        state = box.queue.channel("mail")
        assert state.failing_since is not None
        assert state.next_attempt is not None
        waits.append((state.next_attempt - box.clock.now()).total_seconds())
        if box.counts()[0]:
            assert box.turn() == pytest.approx(waits[-1]), "it is left alone until then"
        box.clock.advance(waits[-1])
    assert waits[:5] == [10, 20, 40, 80, 160]
    assert max(waits) == 1800
    assert box.counts() == (0, 0, 1)
    assert box.clock.now() - message.created >= timedelta(days=2)
    assert len(waits) < 110, "bounded in number too"
    assert [type(item).__name__ for item in box.told] == ["NotificationGivenUp"]


def test_while_a_channel_fails_one_message_is_tried_and_not_all(box: Box) -> None:
    for number in range(5):
        box.put(number)
    box.refuse = ChannelError("no")
    box.turn()
    assert [message.attempts for message in box.queue.messages("queue")] == [1, 0, 0, 0, 0]
    box.refuse = None
    box.clock.advance(10)
    box.turn()
    assert len(box.sent) == 5
    assert box.queue.channel("mail").failing_since is None


def test_what_is_refused_for_good_is_given_up_at_once_and_the_next_goes_out(box: Box) -> None:
    first, _ = box.put(1), box.put(2)

    def send(settings: ChannelSettings, message: Message) -> SendResult:
        if message.id == first.id:
            raise ChannelError("550 no such user", final=True)
        return SendResult()

    box.sender = MessageSender(box.queue, box.clock, lambda *_: None, send=send)
    box.turn()
    assert box.counts() == (0, 1, 1)
    assert box.queue.channel("mail").failing_since is None, "the channel itself works"


def test_the_other_side_may_ask_for_a_longer_pause(box: Box) -> None:
    box.put(1)
    box.refuse = ChannelError("429", wait=500)
    box.turn()
    assert box.turn() == pytest.approx(500)


def test_many_messages_become_one(box: Box) -> None:
    box.config = config(max_per_hour=5, digest_seconds=600)
    for number in range(7):
        box.put(number)
    box.turn()
    [digest] = box.sent
    assert (digest.occasion, len(digest.members), digest.values["count"]) == ("digest", 7, 7)
    assert "rule0" in digest.text
    assert box.counts() == (0, 8, 0)
    assert {message.digest for message in box.queue.messages("sent")} == {None, digest.id}


def test_a_broken_target_makes_few_mails(box: Box) -> None:
    box.config = config(max_per_hour=2, digest_seconds=300)
    for _ in range(16):
        for number in range(4):
            box.put(number)
        box.turn()
        box.clock.advance(60)
    assert len(box.sent) <= 5
    box.clock.advance(3600)
    box.turn()
    assert box.counts()[0] == 0
    told = sum(len(message.members) or 1 for message in box.sent)
    assert told == 64, "nothing is left untold"


def test_few_messages_go_out_one_by_one_also_after_a_digest(box: Box) -> None:
    box.config = config(max_per_hour=5)
    for number in range(6):
        box.put(number)
    box.turn()
    box.clock.advance(3601)
    box.put(1)
    box.turn()
    assert [message.occasion for message in box.sent] == ["digest", "error"]


def test_a_full_queue_takes_no_more_and_says_how_many(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_module, "MAX_QUEUED", 3)
    for number in range(3):
        box.put(number)
    settings = box.config.notifications.channels["mail"]
    for number in range(4):
        facts = MessageFacts(occasion="error", rule=f"more{number}")
        of = new_id(box.clock.now())
        assert not box.queue.put(compose("mail", settings, box.config, facts, now=box.clock.now(), of=of))
    box.config = config(max_per_hour=1)
    box.turn()
    assert "4 for which there was no room" in box.sent[0].text
    assert box.queue.channel("mail").dropped == 0


def test_a_channel_that_hangs_keeps_no_other_waiting(box: Box) -> None:
    release, hook_done = threading.Event(), threading.Event()

    def send(settings: ChannelSettings, message: Message) -> SendResult:
        if message.channel == "mail":
            release.wait(30)
        else:
            hook_done.set()
        return SendResult()

    box.put(1)
    box.put(2, "hook")
    sender = MessageSender(box.queue, box.clock, lambda *_: None, send=send)
    sender.turn(box.config)
    assert hook_done.wait(30)
    release.set()
    sender.join(30)
    assert box.counts() == (0, 2, 0)


def test_messages_of_a_channel_that_is_gone_are_given_up_and_disabled_ones_wait(box: Box) -> None:
    box.put(1)
    box.config = config(disabled=True)
    box.turn()
    assert box.counts() == (1, 0, 0)
    box.config = Config()
    box.turn()
    assert box.counts() == (0, 0, 1)
    [message] = box.queue.messages("given_up")
    assert "there is no channel 'mail' any more" in message.error


def test_what_was_given_up_can_be_tried_again(box: Box) -> None:
    box.put(1)
    box.refuse = ChannelError("550", final=True)
    box.turn()
    [message] = box.queue.messages("given_up")
    box.refuse = None
    box.queue.again(message, box.clock.now())
    box.turn()
    assert [item.id for item in box.sent] == [message.id]


def test_the_past_is_trimmed(box: Box) -> None:
    box.put(1)
    box.turn()
    box.queue.trim(box.clock.now() - timedelta(days=1))
    assert box.counts() == (0, 1, 0)
    box.queue.trim(box.clock.now() + timedelta(days=1))
    assert box.counts() == (0, 0, 0)


def test_a_clock_set_back_does_not_stop_the_sending(box: Box) -> None:
    box.put(1)
    box.refuse = ChannelError("no")
    box.turn()
    box.clock.step_wall(-86400)
    box.refuse = None
    box.turn()
    assert len(box.sent) == 1
    settings = box.config.notifications.channels["mail"]
    box.clock.step_wall(-86400)
    assert plan(settings, box.queue.channel("mail"), [box.put(2)], box.clock.now()).single


@contextmanager
def in_this_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let channels work in the thread of the test, where a crash can be seen."""

    class Direct(threading.Thread):
        def start(self) -> None:
            self.run()

        def join(self, timeout: float | None = None) -> None:
            return

        def is_alive(self) -> bool:
            return False

    with monkeypatch.context() as patched:
        patched.setattr("mercure.notifications.send_queue.threading.Thread", Direct)
        yield


@pytest.mark.parametrize("many", [1, 2], ids=["single", "digest"])
def test_a_crash_at_any_step_loses_nothing_and_sends_twice_at_most_what_was_under_way(
    many: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = Spool(tmp_path / "prepared")
    prepared.create()
    first = Box(prepared, config=config(max_per_hour=1))
    for item in range(many):
        first.put(item)

    def fresh(number: int) -> Box:
        shutil.copytree(prepared.root, tmp_path / str(number))
        return Box(Spool(tmp_path / str(number)), ManualClock(first.clock.now()), config=first.config)

    with in_this_thread(monkeypatch):
        with counted() as steps:
            fresh(0).turn()
        begun = len(steps)
        assert begun > 5
        crashed = 0
        for number in range(1, begun + 1):
            box = fresh(number)
            try:
                with crash_at(number):
                    box.turn()
            except Crash:
                crashed += 1
            box.sender, box.queue = box.new_sender(), MessageQueue(box.spool)
            box.queue.settle()
            box.sender = box.new_sender()
            for _ in range(2):
                box.turn()
                box.clock.advance(4000)
            waiting, sent, given_up = box.counts()
            assert (waiting, given_up) == (0, 0)
            assert sent == many + (many > 1)
            assert 1 <= len(box.sent) <= 2
            assert len({message.id for message in box.sent}) == 1, "twice the same, which its id tells"
        assert crashed > 3


def test_a_full_disk_keeps_messages_waiting(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    box.put(1)
    with in_this_thread(monkeypatch):
        with failing_at(1, "ENOSPC", onward=True):
            box.turn()
        assert box.counts() == (1, 0, 0)
        box.turn()
    assert box.counts() == (0, 1, 0)
