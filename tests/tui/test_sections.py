"""Settings by section, as a person at the keyboard: every one has a form, and it is said when a change counts."""

from __future__ import annotations

import json
from typing import Any

from appliance.control.rpc.client import api
from appliance.control.session import Session
from appliance.presentation.setting_fields import MISSING
from tests.support.terminal_ui import Plays
from tests.tui.screenplay import Person
from tui.screens.sections import EntryForm, SectionForm
from tui.widgets.fields import widget_of


def content(session: Session) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(session.store.mercure.path.read_text())
    return found


def sections_of(session: Session) -> api.configuration.Sections:
    from appliance.control.configuration.sections import sections  # noqa: PLC0415 - the screens do without
    from appliance.control.rpc.client import Nothing  # noqa: PLC0415

    return sections(session, Nothing())


async def open_section(person: Person, title: str, place: str = "") -> None:
    """Open a section, found by the filter."""
    await person.open("sections")
    await person.press("slash")
    await person.write(place or title)
    await person.press("enter", "enter")
    await person.see("Settings · ", title)


def test_every_section_has_a_form_whose_fields_can_be_typed_in(session: Session) -> None:
    found = sections_of(session)
    for section in found.sections:
        forms: list[Any] = (
            [SectionForm(section, found.definitions, 1)]
            if section.kind == "form"
            else [EntryForm(section, kind, found.definitions, None, 1) for kind in section.schemas]
        )
        for form in forms:
            assert form._fields, section.place
            for field in form._fields:
                assert field.kind not in {"json", "table"}, (section.place, field.name)
                assert widget_of(field, MISSING).can_focus, (section.place, field.name)


def test_retention_is_changed_in_days_and_its_limits_are_told(session: Session, plays: Plays) -> None:
    async def scene(person: Person) -> None:
        await open_section(person, "Retention")
        await person.see("success_seconds               259200 (default)", "How long a task stays in success/")
        await person.write("14 parsecs")
        await person.press("ctrl+s")
        await person.see("is not a number, or one with s, m, h, d, w")
        await person.press("ctrl+u")
        await person.write("14d")
        await person.press("ctrl+s")
        await person.see("saved as revision 2; counts now")

    plays(scene)
    assert content(session)["retention"] == {"success_seconds": 14 * 86400}
    assert session.store.mercure.revision(2).author == "alice"


def test_a_change_that_needs_a_restart_says_so_before_and_after(session: Session, plays: Plays) -> None:
    async def scene(person: Person) -> None:
        await open_section(person, "Status page", "status_page")
        await person.press("tab")
        await person.see("Counts after a restart of the page")
        await person.write("8081")
        await person.press("ctrl+s")
        await person.see("Restart the page now?", "you restart it later")
        await person.press("enter")
        await person.see("saved as revision 2; counts after a restart of the page")

    plays(scene)
    assert content(session)["status_page"] == {"port": 8081}


def test_the_receiver_restarts_by_itself_and_that_is_told(plays: Plays) -> None:
    async def scene(person: Person) -> None:
        await open_section(person, "Receiver")
        await person.see("Counts within seconds: the receiver ends what it has begun, and")

    plays(scene)


def test_a_channel_is_added_changed_and_removed(session: Session, plays: Plays) -> None:
    async def scene(person: Person) -> None:
        await open_section(person, "Channels", "notifications.channels")
        await person.see("there is no entry: n adds one")
        await person.press("n")
        await person.see("Of which kind?", "email", "webhook")
        await person.press("enter")
        await person.see("Channels: new email")
        for text in ("it", "mail.example", "router@h.example", "it@h.example, pacs@h.example"):
            await person.write(text)
            await person.press("tab")
        await person.press("ctrl+s")
        await person.see("saved as revision 2", "1 entry", "it@h.example")
        await person.press("ctrl+d")
        await person.see("Delete entry it?")
        await person.press("shift+tab", "shift+tab", "shift+tab")
        await person.press("escape", "escape")

    plays(scene)
    channel = content(session)["notifications"]["channels"]["it"]
    assert channel == {"kind": "email", "host": "mail.example", "sender": "router@h.example",
                       "recipients": ["it@h.example", "pacs@h.example"]}  # fmt: skip


def test_a_password_is_given_by_its_place_and_never_shown(session: Session, plays: Plays) -> None:
    async def scene(person: Person) -> None:
        await open_section(person, "History")
        await person.press("tab")
        await person.write("hunter2")
        await person.press("ctrl+s")
        await person.see("a secret is never written here: give file:/path, or env:NAME")
        await person.press("ctrl+u")
        await person.write("env:MERCURE_HISTORY")
        await person.press("ctrl+s")
        await person.see("saved as revision 2")

    plays(scene)
    assert content(session)["history"] == {"password": {"env": "MERCURE_HISTORY"}}


def test_two_people_at_one_form_and_the_second_sees_what_the_first_did(session: Session, plays: Plays) -> None:
    async def scene(person: Person) -> None:
        await open_section(person, "Retention")
        value = session.store.mercure.load().value.model_dump(mode="json", exclude_defaults=True)
        bob = session.store.parse({**value, "retention": {"discard_seconds": 60}})
        session.store.mercure.save(bob, author="bob", comment="", edited_from=1)
        await person.write("14d")
        await person.press("ctrl+s")
        await person.see("changed by bob", "discard_seconds", "^s once more")

    plays(scene)
    assert content(session)["retention"] == {"discard_seconds": 60}


def test_a_viewer_sees_all_and_saves_nothing(session: Session, plays: Plays) -> None:
    async def scene(person: Person) -> None:
        await open_section(person, "Retention")
        await person.write("14d")
        await person.press("ctrl+s")
        await person.see("this needs the role admin")

    plays(scene, "viewer")
    assert session.store.mercure.revisions() == [1]


def test_one_change_is_rolled_back_with_its_difference_shown(session: Session, plays: Plays) -> None:
    async def scene(person: Person) -> None:
        await open_section(person, "Off-peak hours", "off_peak")
        await person.press("tab", "tab")
        await person.press("ctrl+u")
        await person.write("Europe/Berlin")
        await person.press("ctrl+s")
        await person.see("saved as revision 2")
        await person.press("9")
        await person.see("2 revisions")
        await person.press("down", "ctrl+b")
        await person.see("Roll mercure.json back to revision 1?", '- off_peak: {"timezone": "Europe/Berlin"}')
        await person.press("right", "enter")
        await person.see("rolled back: revision 3 is in force; counts now")
        await person.press("s")
        await person.see("Settings · ")

    plays(scene)
    assert "off_peak" not in content(session)
