"""Texts and numbers from the network, cut to what a database holds."""

from __future__ import annotations

import json
import math

from hypothesis import given
from hypothesis import strategies as st

from mercure.history.identifiers import folded, name_parts
from mercure.history.instants import LATEST, instant, micros
from mercure.history.text import JSON_CHARS, cleaned, clip, count_of, finite, json_text, storable

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(st.text())
def test_what_is_storable_can_be_encoded_and_holds_no_nul(text: str) -> None:
    assert "\0" not in storable(text)
    storable(text).encode()


def test_lone_surrogates_are_replaced_in_keys_too() -> None:
    assert cleaned({"a\ud800": ["\0", {"b": "\udfff"}]}) == {"a\ufffd": ["\ufffd", {"b": "\ufffd"}]}


@given(JSON)
def test_every_value_becomes_json_that_strict_readers_take(value: object) -> None:
    text = json_text(cleaned(value))
    json.loads(text, parse_constant=_is_no_json)
    assert len(text) <= JSON_CHARS * 2


def _is_no_json(name: str) -> None:
    raise AssertionError(f"{name} is no JSON")


def test_long_details_keep_their_shape() -> None:
    long = {"text": "x" * 200_000, "list": list(range(10_000)), "deep": {"a": {"b": "y" * 100_000}}, "n": 10**400}
    kept = json.loads(json_text(long))
    assert len(kept["text"]) == 500
    assert kept["list"][-1] == "and 9980 more"
    assert kept["deep"]["a"]["b"].endswith("\N{HORIZONTAL ELLIPSIS}")
    assert kept["n"] is None


def test_what_cannot_be_shortened_by_shape_is_cut() -> None:
    wide = {str(outer): {str(inner): "x" * 400 for inner in range(20)} for outer in range(20)}
    assert "shortened" in json.loads(json_text(wide))


def test_numbers_are_cut_to_what_can_be_true() -> None:
    assert count_of(10**30) == 2**31 - 1
    assert count_of(-4) == 0
    assert finite(math.nan) == 0.0
    assert finite(math.inf) == 1e18


def test_clip_marks_what_it_cut() -> None:
    assert clip("abcdef", 4) == "abc\N{HORIZONTAL ELLIPSIS}"
    assert clip("abcd", 4) == "abcd"


@given(st.datetimes(timezones=st.timezones()))
def test_instants_come_back_to_the_microsecond(moment: object) -> None:
    value = micros(moment)  # type: ignore[arg-type]  # hypothesis' datetimes
    assert 0 <= value <= LATEST
    assert micros(instant(value)) == value


def test_names_are_folded_for_search() -> None:
    assert folded("  Müller^HANS ") == "müller^hans"
    assert folded("\uff39amada") == "yamada"
    assert folded("STRASSE") == folded("straße")


def test_a_name_is_found_without_its_accents_and_another_script_is_left_as_it_is() -> None:
    assert name_parts("Sørensen^Zoë") == {
        "sørensen^zoë", "sørensen", "zoë", "sorensen^zoe", "sorensen", "zoe", "soerensen^zoe", "soerensen",
    }  # fmt: skip
    assert name_parts("Doe^Jane") == {"doe^jane", "doe", "jane"}
    assert name_parts("がとう") == {"がとう"}
    assert name_parts("Muller") & name_parts("Müller") == {"muller"}
