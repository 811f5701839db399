"""Times on the command line: how long ago, or in how long, or a date."""

from __future__ import annotations

from datetime import timedelta

import click
import pytest

from appliance.cli.history import Since, Until
from mercure.clock import wall_now


@pytest.mark.parametrize("text", ["²h", "999999999999w", "9999-99-99", "h", ""])
@pytest.mark.parametrize("kind", [Since, Until])
def test_what_is_no_time_is_named(kind: type[Since], text: str) -> None:
    with pytest.raises(click.BadParameter, match="is no time"):
        kind().convert(text, None, None)


def test_a_beginning_lies_behind_us_and_an_end_before_us() -> None:
    now = wall_now()
    assert Since().convert("2h", None, None) <= now - timedelta(minutes=119)
    assert Until().convert("2h", None, None) >= now + timedelta(minutes=119)
