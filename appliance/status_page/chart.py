"""Chart of the last hours: SVG made here, coloured by the style sheet, with its numbers in a table beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from markupsafe import Markup, escape

from appliance.presentation.phrases import count

WIDTH: Final = 720
HEIGHT: Final = 200
_LEFT, _RIGHT, _TOP, _BOTTOM = 66, 24, 12, 26
_STEPS: Final = (1, 2, 5)
_LINES: Final = 4
_MOST_LABELS: Final = 8


@dataclass(frozen=True)
class Bar:
    """Images received and delivered in one step of time."""

    begin: datetime
    received: int
    delivered: int


def svg(bars: Sequence[Bar], title: str) -> Markup:
    """Draw bars of what was received, and a line of what was delivered.

    Parameters
    ----------
    bars : sequence of Bar
        In the order of time.
    title : str
        What the picture shows, for who does not see it.
    """
    top = _round_up(max((max(bar.received, bar.delivered) for bar in bars), default=0))
    parts = [
        Markup(
            '<svg class="chart" viewBox="0 0 {} {}" role="img" aria-labelledby="chart-title" '
            'preserveAspectRatio="xMidYMid meet"><title id="chart-title">{}</title>'
        ).format(WIDTH, HEIGHT, title),
        *_grid(top),
        *_bars(bars, top),
        _line(bars, top),
        *_hours(bars),
        Markup("</svg>"),
    ]
    return Markup("").join(parts)


def _round_up(most: int) -> int:
    """Return the end of the scale: the next 1, 2 or 5 times a power of ten, and at least 10."""
    power = 10
    while True:
        for step in _STEPS:
            if most <= step * power:
                return step * power
        power *= 10


def _y(value: float, top: int) -> float:
    return _TOP + (HEIGHT - _TOP - _BOTTOM) * (1 - value / top)


def _width(bars: Sequence[Bar]) -> float:
    return (WIDTH - _LEFT - _RIGHT) / max(1, len(bars))


def _grid(top: int) -> list[Markup]:
    lines = []
    for part in range(_LINES + 1):
        value = top * part / _LINES
        y = _y(value, top)
        line = Markup('<line class="grid" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/>').format(
            _LEFT, WIDTH - _RIGHT, y, y
        )
        text = Markup('<text class="axis" x="{}" y="{:.1f}" text-anchor="end">{}</text>').format(
            _LEFT - 6, y + 4, count(value)
        )
        lines += [line, text] if part % 2 == 0 else [line]
    return lines


def _bars(bars: Sequence[Bar], top: int) -> list[Markup]:
    width = _width(bars)
    drawn = []
    for place, bar in enumerate(bars):
        if bar.received:
            y = min(_y(bar.received, top), HEIGHT - _BOTTOM - 1.5)  # what came is seen, however little
            drawn.append(
                Markup('<rect class="received" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" rx="1.5"/>').format(
                    _LEFT + place * width + width * 0.14, y, width * 0.72, HEIGHT - _BOTTOM - y
                )
            )
    return drawn


def _line(bars: Sequence[Bar], top: int) -> Markup:
    width = _width(bars)
    points = " ".join(
        f"{_LEFT + (place + 0.5) * width:.1f},{_y(bar.delivered, top):.1f}" for place, bar in enumerate(bars)
    )
    return Markup('<polyline class="delivered" points="{}"/>').format(escape(points))


def _hours(bars: Sequence[Bar]) -> list[Markup]:
    width, every = _width(bars), max(1, -(-len(bars) // _MOST_LABELS))
    last = len(bars) - 1
    form = "%H:%M" if len({bar.begin.astimezone().date() for bar in bars}) <= 2 else "%a %H:%M"  # noqa: PLR2004 - a night between
    return [
        Markup('<text class="axis" x="{:.1f}" y="{}" text-anchor="middle">{}</text>').format(
            _LEFT + (place + 0.5) * width, HEIGHT - 6, f"{bars[place].begin.astimezone():{form}}"
        )
        for place in range(last % every, last + 1, every)
    ]
