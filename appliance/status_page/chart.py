"""Charts: SVG made here, coloured by the style sheet, with its numbers in a table or in words beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Final

from markupsafe import Markup, escape

from appliance.presentation.phrases import count

WIDTH: Final = 720
HEIGHT: Final = 200
_LEFT, _RIGHT, _TOP, _BOTTOM = 66, 24, 12, 26
_STEPS: Final = (1, 2, 5)
_LINES: Final = 4
_MOST_LABELS: Final = 8
SPARK_WIDTH: Final = 96
SPARK_HEIGHT: Final = 20
DAYS_HEIGHT: Final = 36
_LEAST_SPARK: Final = 2.0
"""A single image is seen, however many came in another hour."""

_SHARES: Final = {"well": 0.62, "short": 0.8, "bad": 1.0, "unknown": 0.3}
"""Heights of the bars of days."""


@dataclass(frozen=True)
class Bar:
    """Images received and delivered in one step of time."""

    begin: datetime
    received: int
    delivered: int


def svg(bars: Sequence[Bar], title: str, weekday: Callable[[datetime], str], zone: tzinfo) -> Markup:
    """Draw bars of what was received, and a line of what was delivered.

    Parameters
    ----------
    bars : sequence of Bar
        In the order of time.
    title : str
        What the picture shows, for who does not see it.
    weekday : callable
        Names the day of an instant.
    zone : tzinfo
        By which hours are written.
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
        *_hours(bars, weekday, zone),
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


def _hours(bars: Sequence[Bar], weekday: Callable[[datetime], str], zone: tzinfo) -> list[Markup]:
    width, every = _width(bars), max(1, -(-len(bars) // _MOST_LABELS))
    begins = [bar.begin.astimezone(zone) for bar in bars]
    last = len(bars) - 1
    with_day = len({begin.date() for begin in begins}) > 2  # noqa: PLR2004 - a night between
    return [
        Markup('<text class="axis" x="{:.1f}" y="{}" text-anchor="middle">{}</text>').format(
            _LEFT + (place + 0.5) * width,
            HEIGHT - 6,
            f"{weekday(begins[place])} {begins[place]:%H:%M}" if with_day else f"{begins[place]:%H:%M}",
        )
        for place in range(last % every, last + 1, every)
    ]


def sparkline(values: Sequence[int], title: str) -> Markup:
    """Draw little bars, the last one at the right; an hour without anything has a mark on the base line.

    Parameters
    ----------
    values : sequence of int
        In the order of time.
    title : str
        What the picture shows, for who does not see it.
    """
    top, width = max(max(values, default=0), 1), SPARK_WIDTH / max(1, len(values))
    parts = [
        Markup('<svg class="spark" viewBox="0 0 {} {}" role="img" preserveAspectRatio="none"><title>{}</title>').format(
            SPARK_WIDTH, SPARK_HEIGHT, title
        )
    ]
    for place, value in enumerate(values):
        height = max(_LEAST_SPARK, SPARK_HEIGHT * value / top) if value else 1.0
        parts.append(
            Markup('<rect class="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>').format(
                "received" if value else "nothing", place * width, SPARK_HEIGHT - height, width * 0.8, height
            )
        )
    return Markup("").join([*parts, Markup("</svg>")])


def calendar(days: Sequence[tuple[str, str]], title: str) -> Markup:
    """Draw a bar for each day, coloured by its state; bad ones are taller, so colour is not alone.

    Parameters
    ----------
    days : sequence of tuple of str
        What is said of a day, and its state (``well``, ``short``, ``bad``, ``unknown``).
    title : str
        What the picture shows, for who does not see it.
    """
    width = WIDTH / max(1, len(days))
    parts = [
        Markup('<svg class="days" viewBox="0 0 {} {}" role="img" preserveAspectRatio="none"><title>{}</title>').format(
            WIDTH, DAYS_HEIGHT, title
        )
    ]
    for place, (text, state) in enumerate(days):
        share = _SHARES.get(state, 1.0)
        parts.append(
            Markup(
                '<rect class="day {}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"><title>{}</title></rect>'
            ).format(state, place * width, DAYS_HEIGHT * (1 - share), width * 0.72, DAYS_HEIGHT * share, text)
        )
    return Markup("").join([*parts, Markup("</svg>")])
