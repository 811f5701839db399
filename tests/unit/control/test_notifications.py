"""Messages over the control API: a test by a real mail server, what waits, retried and discarded."""

from __future__ import annotations

from typing import Any

import pytest

from appliance.control.api.notifications import DISCARD, LIST, RETRY, TEST, ListNotifications, SomeMessages, TestChannel
from appliance.control.rpc.client import Client, ControlError
from appliance.control.session import Session
from mercure.clock import Clock
from mercure.names import new_id
from mercure.notifications.message import Message, compose
from mercure.notifications.message_facts import MessageFacts
from mercure.notifications.queue import MessageQueue
from tests.support.mail_server import mail_server
from tests.support.ports import free_port
from tests.support.tasks import events_of


def mail(port: int) -> dict[str, Any]:
    to = {"sender": "a@b.example", "recipients": ["d@e.example"]}
    return {"kind": "email", "host": "127.0.0.1", "port": port, "security": "none", "timeout_seconds": 5, **to}


def configure(session: Session, port: int) -> Session:
    content = session.config.model_dump(mode="json", exclude_defaults=True)
    content["notifications"] = {"channels": {"mail": mail(port)}}
    parsed = session.store.parse(content)
    session.store.mercure.save(parsed, author="t", comment="", edited_from=session.loaded.revision)
    return Session(session.root, "alice")


def given_up(session: Session, number: int) -> Message:
    now = Clock().now()
    queue, config = MessageQueue(session.spool), session.config
    settings = config.notifications.channels["mail"]
    facts = MessageFacts(occasion="error", rule=f"rule{number}")
    message = compose("mail", settings, config, facts, now=now, of=new_id(now))
    assert queue.put(message)
    queue.finish(message, "given_up", now, "550 no")
    return message


def test_a_test_tells_what_came_of_it_and_is_audited(session: Session, client: Client) -> None:
    with mail_server() as box:
        session = configure(session, box.port)
        events_of(session)
        tested = client.call(TEST, TestChannel(channel="mail"))
        assert (tested.ok, tested.text) == (True, "d@e.example: taken")
        assert "asked for by" in box.mails[0].get_content()
        assert "(UTC)" in box.mails[0].get_content()
        assert "Questions?" not in box.mails[0].get_content()
        box.refuse_data = "552 too large"
        assert "552 too large" in client.call(TEST, TestChannel(channel="mail")).text
    unsaved = client.call(TEST, TestChannel(channel="new", settings=mail(free_port())))
    assert (unsaved.ok, "Connection refused" in unsaved.text) == (False, True)
    with pytest.raises(ControlError, match="there is no channel 'mial'"):
        client.call(TEST, TestChannel(channel="mial"))
    audits = [event.details for event in events_of(session) if event.type == "audit"]
    assert [audit["after"]["ok"] for audit in audits] == [True, False, False]


def test_what_was_given_up_is_seen_retried_and_discarded(session: Session, client: Client) -> None:
    session = configure(session, free_port())
    first, second = given_up(session, 1), given_up(session, 2)
    events_of(session)
    found = client.call(LIST, ListNotifications(state="given_up"))
    assert [(item.id, item.error, item.state) for item in found.messages] == [
        (second.id, "550 no", "given_up"),
        (first.id, "550 no", "given_up"),
    ]
    assert (found.channels[0].given_up, found.channels[0].waiting) == (2, 0)
    assert client.call(RETRY, SomeMessages(message=first.id)).messages == (first.id,)
    assert client.call(DISCARD, SomeMessages(channel="mail")).messages == (second.id,)
    [left] = client.call(LIST).messages
    assert (left.id, left.state, left.attempts) == (first.id, "queue", 0)
    with pytest.raises(ControlError, match="there is no message"):
        client.call(RETRY, SomeMessages(message=second.id))
    verbs = [(event.details["verb"], event.details["object"]) for event in events_of(session)]
    assert verbs == [("notifications.retry", first.id), ("notifications.discard", second.id)]
