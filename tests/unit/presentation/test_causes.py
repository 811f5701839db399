from __future__ import annotations

from typing import get_args

from appliance.presentation.causes import CAUSE, Cause, with_cause
from mercure.event_details import FailureKind

COLUMN = 24
"""Columns of the error at a terminal of 80 columns, before what is cut."""


def test_every_cause_has_words_that_the_narrowest_column_shows() -> None:
    assert {*CAUSE} == {*get_args(Cause)} > {*get_args(FailureKind)}
    assert not [words for words in CAUSE.values() if not words.what or not words.to_do or len(words.what) > COLUMN]


def test_the_cause_stands_before_the_error() -> None:
    assert with_cause("refused", "status 0xC000 (no)") == (
        "target refuses images: look at its log · status 0xC000 (no)"
    )
    assert with_cause("unable", "") == "target out of resources: make room there"
    assert with_cause(None, "some error") == "some error"
