"""Settings as fields: every one of the configuration can be typed as text, and none of them as JSON."""

from __future__ import annotations

from typing import Any

import pytest

from appliance.presentation.setting_fields import Field, FieldError, Kind, fields_of_schema, read_value, text_of
from mercure.config import Config, ModuleSettings, Rule
from mercure.config.notifications import CHANNELS
from mercure.model import described_schema
from mercure.targets import MODELS

FORMS = {
    "config": Config,
    "module": ModuleSettings,
    "rule": Rule,
    **{f"target {kind}": model for kind, model in MODELS.items()},
    **{f"channel {kind}": model for kind, model in CHANNELS.items()},
}


@pytest.mark.parametrize("form", FORMS)
def test_no_setting_is_typed_as_json(form: str) -> None:
    assert not [field.name for field in fields_of_schema(described_schema(FORMS[form])) if field.kind == "json"]


def test_a_setting_that_nobody_knows_how_to_type_would_be_found() -> None:
    (field,) = fields_of_schema({"properties": {"odd": {"anyOf": [{"type": "string"}, {"type": "integer"}]}}})
    assert field.kind == "json"


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        ("words", ["CT ONE", "CT2"], "CT ONE, CT2"),
        ("words", ["A,B", 'say "x"'], '"A,B", "say \\"x\\""'),
        ("secret", {"file": "/etc/key: one"}, "file:/etc/key: one"),
        ("secret", {"env": "SMTP"}, "env:SMTP"),
        ("pairs", {"a": 1, "b": "two words", "c": "1", "d": [1, {"e": None}]}, None),
        ("pairs", {"it's": "x=y", "empty": "", "nan": "NaN", "text": '"quoted"'}, None),
        ("rows", [{"source": "/a b", "target": "/c", "writable": True}, {}, {"x": ";"}], None),
        ("number", 14.0, "14"),
        ("number", 0.5, "0.5"),
        ("whole", 7, "7"),
    ],
)
def test_what_is_written_for_editing_is_read_as_it_was(kind: Kind, value: object, text: str | None) -> None:
    field = Field("x", kind)
    written = text_of(field, value)
    assert text is None or written == text
    assert read_value(field, written) == value


def test_values_that_are_text_stay_text() -> None:
    plain = next(field for field in fields_of_schema(described_schema(ModuleSettings)) if field.name == "environment")
    assert read_value(plain, "PORT=8080 'NAME=a b'") == {"PORT": "8080", "NAME": "a b"}
    assert read_value(plain, text_of(plain, {"A": '"1"', "B": ""})) == {"A": '"1"', "B": ""}


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("success_seconds", "14d", 14 * 86400),
        ("success_seconds", "1.5 h", 5400),
        ("success_seconds", "90m", 5400),
        ("min_free_bytes", "20GB", 20_000_000_000),
        ("min_free_bytes", "4 GiB", 4 * 2**30),
        ("success_seconds", "60", 60),
    ],
)
def test_a_number_may_have_a_unit_where_the_setting_has_one(name: str, text: str, value: float) -> None:
    assert read_value(Field(name, "number"), text) == value


@pytest.mark.parametrize(
    ("field", "text", "said"),
    [
        (Field("port", "whole"), "abc", "'abc' is not a whole number"),
        (Field("port", "whole"), "1.5", "'1.5' is not a whole number"),
        (Field("port", "whole"), "14d", "'14d' is not a whole number"),
        (Field("x_seconds", "number"), "14 GB", "is not a number, or one with s, m, h, d, w behind it"),
        (Field("x", "number"), "NaN", "'NaN' is not a number"),
        (Field("on", "choice", choices=("no", "yes")), "maybe", "'maybe' is none of no, yes"),
        (Field("access", "choice", choices=("open", "listed")), "opne", "'opne' is none of open, listed"),
        (Field("x", "pairs"), "novalue", "word 1 is not KEY=VALUE"),
        (Field("x", "pairs"), "a='b", "No closing quotation"),
        (Field("x", "rows"), "a='b", "No closing quotation"),
    ],
)
def test_what_cannot_be_read_is_told(field: Field, text: str, said: str) -> None:
    with pytest.raises(FieldError, match=said.replace("(", r"\(")):
        read_value(field, text)


@pytest.mark.parametrize("text", ["hunter2", "file:", ":x", "password:hunter2"])
def test_a_secret_that_is_typed_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(FieldError) as caught:
        read_value(Field("password", "secret"), text)
    assert "hunter2" not in str(caught.value)
    assert "file:/path" in str(caught.value)


@pytest.mark.parametrize(("text", "value"), [("yes", True), ("on", True), ("false", False), ("No", False)])
def test_yes_and_no_have_several_words(text: str, value: bool) -> None:
    field: Any = Field("on", "choice", choices=("no", "yes"))
    assert read_value(field, text) is value
