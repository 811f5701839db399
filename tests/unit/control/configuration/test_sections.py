"""Sections for forms: every setting of the configuration is in one, none twice, and none is typed as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from appliance.control.api.base import Nothing, Saved
from appliance.control.api.configuration import SaveSection, SectionState
from appliance.control.configuration import sections
from appliance.control.errors import ControlError
from appliance.control.session import Session
from appliance.presentation.setting_fields import Field, fields_of_schema, resolved
from mercure.config import Config
from mercure.model import described_schema
from tests.support.tasks import events_of

SCHEMA = described_schema(Config)


def found(session: Session) -> dict[str, SectionState]:
    fresh = Session(session.root, "x", clock=session.clock)
    return {section.place: section for section in sections.sections(fresh, Nothing()).sections}


def save(session: Session, place: str, values: Any, name: str = "", **more: Any) -> Saved:
    fresh = Session(session.root, "alice", clock=session.clock)
    request = {"place": place, "name": name, "values": values, "edited_from": fresh.loaded.revision, **more}
    return sections.save_section(fresh, SaveSection.model_validate(request))


def fields_of(section: SectionState) -> list[Field]:
    schemas = section.schemas.values()
    return [field for schema in schemas for field in fields_of_schema({"$defs": SCHEMA["$defs"], **schema})]


def leaves(schema: Any, prefix: str = "") -> Iterator[str]:
    """Yield every setting of the schema, told without the code that makes the forms; a table is one."""
    for name, property_ in schema.get("properties", {}).items():
        of = resolved(property_, SCHEMA["$defs"])
        if of.get("properties"):
            yield from leaves(of, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def test_every_setting_has_one_form(session: Session) -> None:
    forms = found(session)
    reached = [
        ".".join(filter(None, (section.place, field.name)))
        for section in forms.values()
        if section.kind == "form"
        for field in fields_of(section)
    ]
    reached += [section.place for section in forms.values() if section.kind == "table"]
    reached += [*sections.OWN_PAGES, "version"]
    assert sorted(reached) == sorted(leaves(SCHEMA))


def test_no_field_of_any_form_is_json_or_a_table_and_each_says_what_it_is(session: Session) -> None:
    for section in found(session).values():
        assert section.title, section.place
        for field in fields_of(section):
            assert field.kind not in {"json", "table"}, (section.place, field.name)
            assert field.text, (section.place, field.name)


def test_a_schema_with_a_setting_that_no_form_can_hold_would_be_found() -> None:
    (field,) = fields_of_schema({"properties": {"x": {"type": "array", "items": {"type": "object"}}}})
    assert field.kind == "rows"
    (odd,) = fields_of_schema({"properties": {"x": {}}})
    assert odd.kind == "json"


def test_a_form_is_saved_and_nothing_else_of_its_section(session: Session) -> None:
    save(session, "completion.senders", {"quiet_seconds": 5}, "CT ONE")
    save(session, "completion", {"quiet_seconds": 30})
    assert found(session)["completion"].values == {"quiet_seconds": 30.0}
    assert found(session)["completion.senders"].values == {"CT ONE": {"quiet_seconds": 5.0}}
    assert found(session)[""].values == {}
    save(session, "alerts.disk", {"kept_percent": 50})
    save(session, "alerts", {"clear_seconds": 5})
    assert found(session)["alerts.disk"].values == {"kept_percent": 50}
    save(session, "", {"name": "ward"})
    assert session.store.mercure.load().value.name == "ward"
    assert "delivered" in session.store.mercure.load().value.targets


def test_it_is_saved_under_the_name_of_the_person_and_audited(session: Session) -> None:
    saved = save(session, "status_page", {"port": 8081})
    assert (saved.revision, saved.restart) == (2, ("page",))
    audit = events_of(session)[1].details
    assert (audit["verb"], audit["object"], audit["by"]) == ("config.section", "status_page", "alice")


def test_an_entry_is_added_renamed_and_removed(session: Session) -> None:
    mail = {"kind": "email", "host": "h", "sender": "a@b.example", "recipients": ["c@d.example"]}
    save(session, "notifications.channels", mail, "mail")
    save(session, "alerts", {"channels": ["mail"]})
    save(session, "notifications.channels", {**mail, "host": "i"}, "post", rename_from="mail")
    assert found(session)["notifications.channels"].values["post"]["host"] == "i"  # type: ignore[index,call-overload]
    assert found(session)["alerts"].values["channels"] == ["post"]
    save(session, "completion.senders", {"quiet_seconds": 5}, "CT")
    save(session, "completion.senders", {"quiet_seconds": 6}, "CT ONE", rename_from="CT")
    assert found(session)["completion.senders"].values == {"CT ONE": {"quiet_seconds": 6.0}}
    save(session, "completion.senders", None, "CT ONE")
    assert found(session)["completion.senders"].values == {}


@pytest.mark.parametrize(
    ("place", "values", "name"),
    [
        ("retention", None, ""),
        ("retention", {"success_seconds": 1}, "x"),
        ("retension", {}, ""),
        ("completion.senders", None, "nowhere"),
        ("completion.senders", {"quiet_seconds": 1}, ""),
        ("retention", {"success_seconds": "soon"}, ""),
        ("receiver", {"access": "listed"}, ""),
    ],
)
def test_what_makes_no_sense_saves_nothing(session: Session, place: str, values: Any, name: str) -> None:
    with pytest.raises(ControlError):
        save(session, place, values, name)
    assert session.store.mercure.revisions() == [1]


def test_two_people_at_the_same_form(session: Session) -> None:
    second = Session(session.root, "bob", clock=session.clock)
    revision = second.loaded.revision
    save(session, "retention", {"success_seconds": 60})
    wanted = SaveSection(place="retention", values={"success_seconds": 61}, edited_from=revision)
    with pytest.raises(ControlError) as caught:
        sections.save_section(second, wanted)
    assert caught.value.kind == "stale"
    assert "changed by alice" in caught.value.text
