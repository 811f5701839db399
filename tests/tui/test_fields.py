"""Fields made from schemas: nested settings are fields of their own, and what was read is what is saved."""

from __future__ import annotations

import json
from typing import Any

import pytest

from appliance.control.rpc.client import api
from appliance.control.session import Session
from appliance.presentation.setting_fields import MISSING, Field, fields_of_schema, put_at, value_at
from mercure.config import ModuleSettings
from mercure.config.rule import Rule
from mercure.model import described_schema
from mercure.targets import MODELS
from tests.support.terminal_ui import Plays
from tests.tui.screenplay import Person
from tui.format import wrap
from tui.screens.form import HINT_LINES
from tui.screens.rule_form import rule_fields


def by_name(fields: list[Field]) -> dict[str, Field]:
    return {field.name: field for field in fields}


def test_what_is_nested_in_a_target_is_a_field_of_its_own_with_its_own_default() -> None:
    fields = by_name(fields_of_schema(described_schema(MODELS["dicom"])))
    assert "retry" not in fields
    assert (fields["retry.first_seconds"].kind, fields["retry.first_seconds"].default) == ("number", 10)
    assert (fields["retry.max_refusals"].kind, fields["retry.max_refusals"].needed) == ("whole", False)
    assert fields["host"].needed


def test_every_setting_of_every_kind_of_target_has_a_field() -> None:
    for kind, model in MODELS.items():
        first = {name.partition(".")[0] for name in by_name(fields_of_schema(described_schema(model)))}
        set_at_the_members = {"concurrency", "retry", "timeout_seconds"} if kind == "group" else set()
        assert first == set(model.model_fields) - {"kind"} - set_at_the_members, kind


FORMS = {
    **{f"target {kind}": fields_of_schema(described_schema(model)) for kind, model in MODELS.items()},
    "module": fields_of_schema(described_schema(ModuleSettings)),
    "rule": rule_fields((), ()),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_field_of_every_form_says_what_it_is_on_80_columns(form: str) -> None:
    for field in FORMS[form]:
        assert field.text, field.name
        assert "`" not in field.text, field.name
        assert len(wrap(field.text, 78)) <= HINT_LINES, field.name
        unit = field.name.rpartition("_")[2]
        assert unit not in {"seconds", "bytes"} or f"({unit}, " in field.text, field.name


def test_what_a_setting_may_be_is_told_with_what_it_is() -> None:
    schema = {"properties": {
        "a_seconds": {"type": "number", "exclusiveMinimum": 0, "maximum": 31622400, "description": "Wait ``so`` long."},
        "b": {"type": "integer", "minimum": 1, "maximum": 65535, "description": "TCP port."},
        "c_bytes": {"type": "integer", "minimum": 1024},
        "d": {"type": "string"},
    }}  # fmt: skip
    assert [field.text for field in fields_of_schema(schema)] == [
        "Wait so long. (seconds, more than 0, at most 31622400)",
        "TCP port. (1 to 65535)",
        "(bytes, at least 1024)",
        "",
    ]


def test_the_form_of_a_target_tells_what_the_field_under_the_cursor_means(plays: Plays) -> None:
    async def scene(person: Person) -> None:
        await person.open("targets")
        await person.press("m")
        await person.see("Target delivered", "What rules call it")
        await person.press("tab")
        await person.see("The folder; it must exist. It is not made: an empty mount point would")
        while "retry.first_seconds" not in person.screen:
            await person.press("tab")
        while "Wait after the first failure" not in person.screen:
            await person.press("tab")
        await person.see("it doubles with each further one. (seconds, more", "than 0, at most 31622400)")
        await person.see("retry.first_seconds           10 (default)")

    plays(scene)


def test_every_setting_of_a_rule_has_a_field_and_none_of_what_is_nested_in_it_is_json() -> None:
    fields = by_name(rule_fields(("archive",), ()))
    assert {name.partition(".")[0] for name in fields} == {*Rule.model_fields, "name"}
    assert fields["study.force_action"].choices == ("proceed", "discard", "wait")
    assert fields["study.expected_images.number"].kind == "whole"
    assert {name for name, field in fields.items() if field.kind == "pairs"} == {"module_settings"}
    assert fields["step_settings"].kind == "rows"


def test_values_are_read_from_their_place_and_put_back_there() -> None:
    rule = {"rule": "True", "study": {"quiet_seconds": 60, "expected_images": {"tag": "ImagesInAcquisition"}}}
    values: dict[str, Any] = {}
    for field in rule_fields((), ()):
        value = value_at(rule, field.name)
        if value is not MISSING:
            put_at(values, field.name, value)
    assert values == rule


def test_a_choice_that_may_be_left_out_has_a_word_for_it() -> None:
    optional = {"anyOf": [{"enum": ["a", "b"], "type": "string"}, {"type": "null"}], "default": None}
    (field,) = fields_of_schema({"properties": {"how": optional}})
    assert field.choices == ("-", "a", "b")


def test_a_rule_that_is_saved_keeps_what_the_form_does_not_change(session: Session, plays: Plays) -> None:
    path = session.store.mercure.path
    content = json.loads(path.read_text())
    study = {"quiet_seconds": 60, "series": "'T1' and 'T2'", "expected_series": {"number": 2}}
    content["rules"]["everything"] |= {"trigger": "study", "study": study, "tags": ["a", "b"]}
    session.store.mercure.save(session.store.parse(content), author="bob", comment="", edited_from=1)

    async def scene(person: Person) -> None:
        await person.open("rules")
        await person.press("enter")
        await person.see("Rule everything")
        await person.press("shift+tab")
        await person.until(lambda: "study.expected_series.number" in person.screen, "the nested field")
        await person.press("ctrl+s")
        await person.see("saved as revision 3")

    plays(scene)
    saved = json.loads(path.read_text())["rules"]["everything"]
    before = api.rules.RuleState.model_fields["rule"].annotation
    assert before is not None
    assert before.model_validate(saved) == before.model_validate(content["rules"]["everything"])
