"""What stands on the borders of the Overview has room there."""

from __future__ import annotations

import pytest

from appliance.control.rpc.client import api
from tests.support.terminal_ui import NOW
from tui.format import width
from tui.screens.overview import graph_title


def delays(*targets: str) -> api.traffic.Delays:
    """Say how long deliveries to some targets took."""
    quick, slow = api.traffic.Percentiles(p50=4.1, p95=11), api.traffic.Percentiles(p50=70, p95=4000)
    each = [api.traffic.TargetDelays(name=name, tasks=9, whole=slow, waiting=quick, sending=quick) for name in targets]
    of_all = api.traffic.TargetDelays(name="", tasks=9, whole=slow, waiting=quick, sending=quick)
    return api.traffic.Delays(time=NOW, hours=1, all=of_all, targets=tuple(each))


@pytest.mark.parametrize("columns", [38, 48, 58, 78, 98])
def test_the_title_of_a_graph_is_never_cut(columns: int) -> None:
    for told in (None, delays("pacs"), delays("pacs", "a-target-with-a-long-name")):
        text = "".join(text for text, _ in graph_title("Last hour", told, columns))
        assert width(text) <= columns - 4
        assert text.startswith("Last hour · ▀ ")


@pytest.mark.parametrize(
    ("columns", "title"),
    [
        (38, "Last hour · ▀ in  ▄ out"),
        (48, "Last hour · ▀ in  ▄ out · p95 66 min"),
        (58, "Last hour · ▀ in  ▄ out · p50 70 s  p95 66 min"),
        (78, "Last hour · ▀ received  ▄ delivered · p50 70 s  p95 66 min  slowest: pacs"),
        (98, "Last hour · ▀ received  ▄ delivered · p50 70 s  p95 66 min  slowest: pacs"),
    ],
)
def test_it_says_as_much_as_there_is_room_for(columns: int, title: str) -> None:
    assert "".join(text for text, _ in graph_title("Last hour", delays("pacs", "cloud"), columns)) == title
