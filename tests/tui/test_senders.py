"""The senders page: who sends and who may; a refused one is let in by one key, and all who came by another."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from appliance.control.session import Session
from tests.support.sender_past import CT, ENHANCED_MR, MR, came, refused
from tests.support.terminal_ui import NOW
from tests.tui.views import compare, typed

if TYPE_CHECKING:
    from tests.support.terminal_ui import Plays
    from tests.tui.screenplay import Person


def listed(session: Session, access: str) -> Session:
    """Save a list of two scanners."""
    content = {
        "version": 1,
        **session.config.model_dump(mode="json", exclude_defaults=True),
        "receiver": {"access": access},
        "senders": {
            "ct-east": {"ae_titles": ["CT1"], "addresses": ["10.0.0.7"], "contact": "Ward 3, 4711"},
            "us-old": {"ae_titles": ["US1"], "disabled": True, "comment": "sold in May"},
        },
    }
    value = session.store.parse(content)
    session.store.mercure.save(value, author="bob", comment="", edited_from=1, clock=session.clock)
    return Session(session.root, session.user, clock=session.clock)


@pytest.fixture
def past(session: Session) -> Session:
    """A router to which two scanners have sent for weeks, one of them lately something new, and a third was refused."""
    for days in (20, 10, 1):
        came(session, "CT1", "10.0.0.7", images=3, at=NOW - timedelta(days=days, hours=3))
        came(session, "MR1", "10.0.0.9", sop_class=MR, version="A1", at=NOW - timedelta(days=days, hours=1))
    came(session, "MR1", "10.0.0.9", sop_class=ENHANCED_MR, version="B2", at=NOW - timedelta(hours=4))
    came(session, "CT1", "10.0.0.7", sop_class=CT, images=2, at=NOW - timedelta(minutes=30))
    return session


def test_every_picture_of_it(past: Session, plays: Plays) -> None:
    session = listed(past, "learn")

    async def look(person: Person) -> None:
        await person.see("• live", "disk")
        await person.press(*typed("senders"))
        await person.see("3 senders", "would refuse 1", "since 2026-11-21 08:00:00: it sends Enhanced MR")
        await compare("senders-learned", person, session)
        await person.press("end", "home", "d")
        await person.see("What it uses")
        await compare("sender-detail", person, session)
        await person.press("escape", "p")
        await person.see("Save entries of 1 sender?", "mr1: MR1 at 10.0.0.9")
        await compare("sender-propose", person, session)

    plays(look)


def test_on_a_larger_terminal(past: Session, plays: Plays) -> None:
    session = listed(past, "learn")

    async def look(person: Person) -> None:
        await person.see("• live", "disk")
        await person.press(*typed("senders"))
        await person.see("3 senders", "10.0.0.9")
        await compare("senders-large", person, session)

    plays(look, size=(100, 30))


def test_a_refused_scanner_is_let_in_by_one_key(past: Session, plays: Plays) -> None:
    session = listed(past, "listed")
    refused(session, "XA1", "10.0.0.30", at=NOW - timedelta(minutes=5))

    async def scene(person: Person) -> None:
        await person.see("• live", "disk")
        await person.press(*typed("senders"))
        await person.see("access: listed", "XA1@10.0.0.30", "‼ refused", "3 times, last 5 min ago")
        await compare("senders-refused", person, session)
        await person.press("a")
        await person.see("Allow sender XA1@10.0.0.30?")
        await person.press("tab", "enter")
        await person.see("sender XA1@10.0.0.30 may send: revision 3", "xa1")

    plays(scene)
    entry = Session(session.root, "alice").config.senders["xa1"]
    assert (entry.ae_titles, entry.addresses) == (("XA1",), ("10.0.0.30",))


def test_a_scanner_is_disabled_and_its_series_are_shown(past: Session, plays: Plays) -> None:
    session = listed(past, "open")

    async def scene(person: Person) -> None:
        await person.open("senders")
        await person.see("ct-east")
        await person.press("slash", *"east", "enter", "x")
        await person.see("Disable sender ct-east?")
        await person.press("tab", "enter")
        await person.see("sender ct-east disabled: revision 3", "■ disabled")
        await person.press("enter")
        await person.see("History", "filter: CT1")

    plays(scene)
    assert Session(session.root, "alice").config.senders["ct-east"].disabled


def test_a_viewer_changes_nothing(past: Session, plays: Plays) -> None:
    session = listed(past, "listed")

    async def scene(person: Person) -> None:
        await person.open("senders")
        await person.see("ct-east")
        await person.press("a")
        await person.see("this needs the role admin")

    plays(scene, "viewer", "vera")
    assert Session(session.root, "alice").loaded.revision == 2
