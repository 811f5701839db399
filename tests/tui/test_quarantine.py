"""The quarantine page: what could not be read is looked at, read again, forwarded, discarded; each asks before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mercure.spool import Stage
from tests.support.data_sets import ct_image
from tests.support.quarantine import came_at, put_aside, receive, torn_image
from tests.support.tasks import events_of
from tests.tui.views import compare, typed

if TYPE_CHECKING:
    from appliance.control.session import Session
    from tests.support.terminal_ui import Plays
    from tests.tui.screenplay import Person

NAMES = ("20261121T103000000000-00000001", "20261121T113000000000-00000002")


@pytest.fixture
def torn(session: Session) -> Session:
    """A router to which two scanners sent what cannot be read, one of them twice."""
    receive(session.root.path, torn_image(), torn_image())
    receive(session.root.path, torn_image(1), calling=b"OTHER")
    came_at(session.spool, *NAMES)
    events_of(session)
    return session


def told(session: Session) -> list[tuple[str, dict[str, Any]]]:
    return [(event.type, event.details) for event in events_of(session) if event.type.startswith("quarantine.")]


def test_every_picture_of_it(torn: Session, plays: Plays) -> None:
    async def look(person: Person) -> None:
        await person.see("• live", "disk")
        await person.press(*typed("quarantine"))
        await person.see("2 objects", "SCANNER", "OTHER")
        await compare("quarantine-full", person, torn)
        await person.press("enter")
        await person.see("bytes around the fault", "CT Image Storage (1.2.840")
        await person.press("escape", "asterisk", "t")
        await person.see("Forward to which target?", "folder")
        await compare("quarantine-target", person, torn)
        await person.press("enter")
        await person.see("Forward 2 objects to delivered?")
        await compare("quarantine-forward", person, torn)
        await person.press("escape", "ctrl+d")
        await person.see("Discard 2 objects?")
        await compare("quarantine-discard", person, torn)

    plays(look)


def test_it_is_forwarded_as_it_is_to_a_target(torn: Session, plays: Plays) -> None:
    async def scene(person: Person) -> None:
        await person.open("quarantine")
        await person.see("2 objects")
        await person.press("t")
        await person.see("Forward to which target?", "delivered")
        await person.press("enter")
        await person.see("Forward 1 object to delivered?")
        await person.press("enter")  # it stands on Cancel
        await person.see_no_more("Forward 1 object")
        assert len(torn.spool.names(Stage.QUARANTINE)) == 2
        await person.press("t", "enter")
        await person.see("Forward 1 object to delivered?")
        await person.press("tab", "enter")
        await person.see("1 object forwarded to delivered", "1 object ·")

    plays(scene)
    assert len([*(torn.root.path / "delivered").rglob("*.dcm")]) == 1
    assert [(kind, details["target"]) for kind, details in told(torn)] == [("quarantine.sent", "delivered")]


def test_it_is_discarded_only_with_a_reason(torn: Session, plays: Plays) -> None:
    async def scene(person: Person) -> None:
        await person.open("quarantine")
        await person.see("2 objects")
        await person.press("asterisk", "ctrl+d")
        await person.see("Discard 2 objects?", "cannot be undone", "Reason:")
        await person.press("tab", "enter")
        await person.see("A reason is needed")
        assert len(torn.spool.names(Stage.QUARANTINE)) == 2
        await person.write("test pattern")
        await person.press("tab", "right", "enter")
        await person.see("2 objects removed for good", "everything that came could be read")

    plays(scene)
    assert [(kind, details["reason"]) for kind, details in told(torn)] == [
        ("quarantine.discarded", "test pattern"),
        ("quarantine.discarded", "test pattern"),
    ]


def test_what_can_be_read_by_now_is_routed_and_the_rest_says_why_not(session: Session, plays: Plays) -> None:
    receive(session.root.path, ct_image("1.2.3.4", "1.2.3"))
    (image,) = session.spool.stage(Stage.INCOMING).glob("*/*.dcm")
    put_aside(session.spool.root, image, NAMES[0])
    receive(session.root.path, torn_image())

    async def scene(person: Person) -> None:
        await person.open("quarantine")
        await person.see("2 objects")
        await person.press("asterisk", "r")
        await person.see("Read 2 objects again?", "is routed like any other")
        await person.press("tab", "enter")
        await person.see("not readable", "1 object ·")

    plays(scene)
    assert len(session.spool.names(Stage.QUARANTINE)) == 1
    assert [kind for kind, _ in told(session)] == ["quarantine.read"]
    assert len([*session.spool.stage(Stage.INCOMING).glob("*/*.dcm")]) == 1


def test_a_viewer_looks_and_changes_nothing(torn: Session, plays: Plays) -> None:
    async def scene(person: Person) -> None:
        await person.open("quarantine")
        await person.see("2 objects")
        await person.press("ctrl+d")
        await person.see("discard: this needs the role operator, and yours is viewer")
        await person.press("enter")
        await person.see("bytes around the fault")
        await person.press("end")
        await person.see("what can be read", "SOPInstanceUID")

    plays(scene, "viewer")
    assert len(torn.spool.names(Stage.QUARANTINE)) == 2


def test_an_alert_leads_there(torn: Session, plays: Plays) -> None:
    async def scene(person: Person) -> None:
        await person.open("alerts")
        await person.press("slash", *"quarantine", "enter")
        await person.see("1 of 3 alerts")
        await person.press("enter")
        await person.until(lambda: person.app.current_mode == "quarantine", "the page to be open")

    plays(scene)
