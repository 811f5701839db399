"""Cleaning, masking, addresses, allowances, asking and the words for numbers."""

from __future__ import annotations

import re
import threading
import unicodedata
from datetime import UTC, timedelta
from ipaddress import IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.control.rpc.client import DisconnectedError
from appliance.presentation.figures import duration, size
from appliance.status_page.chart import Bar, calendar, sparkline, svg
from appliance.status_page.guard import ALL_TOGETHER, BY_SOCKET, KNOWN_ADDRESSES, Limiter, client_of
from appliance.status_page.language import Words
from appliance.status_page.redaction import Masking
from appliance.status_page.sanitize import MOST_CHARACTERS, clean
from appliance.status_page.source import STALE_SECONDS, PageSnapshot, SnapshotSource
from mercure.clock import ManualClock
from mercure.config.status_page import StatusPage
from tests.status_page import scene


@given(st.text(st.characters()))
def test_a_cleaned_text_is_one_short_line_of_what_can_be_seen(text: str) -> None:
    shown = clean(text)
    assert len(shown) <= MOST_CHARACTERS
    assert not any(unicodedata.category(character) in {"Cc", "Cf", "Cs"} for character in shown)
    assert clean(shown) == shown


def test_a_plain_text_stays_as_it_is() -> None:
    assert clean("Schädel MRT – 頭部 T1") == "Schädel MRT – 頭部 T1"  # noqa: RUF001 - a dash as radiographers type it
    assert clean("a\r\nb\tc") == "a  b c"
    assert clean("x" * 400) == "x" * 299 + "…"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("connection to 10.20.9.80:104 refused", "connection to …80:104 refused"),
        ("no route to fd00:20::5", "no route to …5"),
        ("series 1.2.840.113619.2.55.3 waits", "series …3 waits"),
        ("since 14:37:12, version 1.2.3", "since 14:37:12, version 1.2.3"),
        ("2 tasks have failed", "2 tasks have failed"),
    ],
)
def test_sentences_are_masked(text: str, masked: str) -> None:
    assert Masking(True).text(text) == masked
    assert Masking(False).text(text) == text


def test_a_short_number_is_hidden_whole() -> None:
    assert [Masking().accession(number) for number in ("A77", "A12345", "A123456")] == ["…", "…", "…456"]
    assert Masking(False).accession("A77") == "A77"
    assert Masking().address("CT-host") == "…"


@pytest.mark.parametrize(
    ("remote", "forwarded", "client"),
    [
        ("10.0.0.1", None, "10.0.0.1"),
        ("10.0.0.1", "1.2.3.4", "10.0.0.1"),
        ("127.0.0.1", "1.2.3.4", "1.2.3.4"),
        ("127.0.0.1", "9.9.9.9, 1.2.3.4", "1.2.3.4"),
        ("127.0.0.1", "1.2.3.4, 127.0.0.2", "1.2.3.4"),
        ("::ffff:127.0.0.1", "::ffff:1.2.3.4", "1.2.3.4"),
        ("fe80::1%eth0", None, "fe80::1"),
        ("127.0.0.1", "", None),
        ("127.0.0.1", "1.2.3.4, garbage", None),
        ("", None, None),
        (BY_SOCKET, "1.2.3.4", "1.2.3.4"),
        (BY_SOCKET, "9.9.9.9, 1.2.3.4", "1.2.3.4"),
        (BY_SOCKET, "1.2.3.4, 127.0.0.2", "1.2.3.4"),
        (BY_SOCKET, None, None),
        (BY_SOCKET, "localhost", None),
        ("127.0.0.1", "1.2.3.4, localhost", None),
    ],
)
def test_the_address_behind_proxies(remote: str, forwarded: str | None, client: str | None) -> None:
    environ = {"REMOTE_ADDR": remote} | ({} if forwarded is None else {"HTTP_X_FORWARDED_FOR": forwarded})
    found = client_of(environ, [ip_network("127.0.0.0/8")])
    assert found == (ip_address(client) if client else None)


class TestLimiter:
    def test_an_allowance_fills_up_again(self) -> None:
        clock = ManualClock()
        limiter, address = Limiter(clock), ip_address("10.0.0.1")
        assert [limiter.wait(address, 6) > 0 for _ in range(7)] == [False] * 6 + [True]
        clock.advance(10)
        assert limiter.wait(address, 6) == 0
        assert 9 <= limiter.wait(address, 6) <= 11

    def test_a_network_of_addresses_is_one(self) -> None:
        limiter = Limiter(ManualClock())
        waits = [limiter.wait(IPv6Address(f"fd00::{number}"), 2) for number in range(1, 4)]
        assert [wait > 0 for wait in waits] == [False, False, True]

    def test_all_together_have_a_bound_too(self) -> None:
        limiter = Limiter(ManualClock())
        allowed = [limiter.wait(ip_address(number), 2) == 0 for number in range(100)]
        assert sum(allowed) == 2 * ALL_TOGETHER

    def test_it_remembers_so_many_and_no_more(self) -> None:
        limiter = Limiter(ManualClock())
        for number in range(KNOWN_ADDRESSES + 100):
            limiter.wait(ip_address(number), 600)
        assert len(limiter._buckets) == KNOWN_ADDRESSES


class TestSource:
    def test_who_comes_while_another_asks_gets_what_is_known(self) -> None:
        clock, asked, answer = scene.clock(), threading.Event(), threading.Event()
        first = True

        def look() -> tuple[StatusPage, PageSnapshot]:
            nonlocal first
            if not first:
                asked.set()
                assert answer.wait(30)
            first = False
            return StatusPage(), scene.seen()

        source = SnapshotSource(look, clock)
        known = source.snapshot()
        clock.advance(20)
        thread = threading.Thread(target=source.snapshot)
        thread.start()
        assert asked.wait(30)
        assert source.snapshot() is known
        clock.advance(STALE_SECONDS)
        stale = source.snapshot()
        assert stale.seen is None
        assert "has not answered for 80 seconds" in stale.problem
        answer.set()
        thread.join(30)
        assert source.snapshot().seen is not None

    def test_a_router_that_answers_slowly_is_asked_less_often(self) -> None:
        clock, looks = scene.clock(), 0

        def look() -> tuple[StatusPage, PageSnapshot]:
            nonlocal looks
            looks += 1
            clock.advance(3)
            return StatusPage(), scene.seen()

        source = SnapshotSource(look, clock)
        for _ in range(60):
            source.snapshot()
            clock.advance(1)
        assert looks == 2

    def test_the_settings_outlive_an_outage(self) -> None:
        clock, broken = scene.clock(), False

        def look() -> tuple[StatusPage, PageSnapshot]:
            if broken:
                raise DisconnectedError("gone")
            return StatusPage(allowed_networks=("10.0.0.0/8",)), scene.seen()

        source = SnapshotSource(look, clock)
        source.snapshot()
        broken = True
        clock.advance(60)
        snapshot = source.snapshot()
        assert snapshot.seen is None
        assert snapshot.settings is not None
        assert snapshot.settings.allowed_networks == (ip_network("10.0.0.0/8"),)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (59, "59 s"),
        (100, "100 s"),
        (121, "2 min"),
        (3599, "59 min"),
        (3600, "60 min"),
        (90_000, "25 h"),
        (-5, "0 s"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_sizes_and_moments() -> None:
    assert [size(value) for value in (0, 999, 1500, 12_345_678, 3e15)] == [
        "0 B",
        "999 B",
        "1.5 kB",
        "12 MB",
        "3.0 PB",
    ]
    later = Words().moment(scene.NOW + timedelta(minutes=5), scene.NOW)
    assert later is not None
    assert later.ago == "in 5 min"
    assert Words().moment(None, scene.NOW) is None


@given(st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 10**9)), max_size=168))
def test_the_picture_stays_within_its_frame(values: list[tuple[int, int]]) -> None:
    bars = [Bar(scene.NOW + timedelta(hours=place), *pair) for place, pair in enumerate(values)]
    text = str(svg(bars, "<title>", Words().weekday, UTC))
    assert text.startswith("<svg")
    assert "&lt;title&gt;</title>" in text
    assert 'height="-' not in text
    assert "nan" not in text


@given(st.lists(st.integers(0, 10**9), max_size=168))
def test_a_sparkline_has_a_mark_for_each_hour(values: list[int]) -> None:
    text = str(sparkline(values, "<title>"))
    assert text.count("<rect") == len(values)
    assert "&lt;title&gt;</title>" in text
    assert 'height="-' not in text
    assert 'y="-' not in text


def test_a_bar_of_a_day_tells_its_state_by_more_than_colour() -> None:
    text = str(calendar([("21 Nov: no outage", "well"), ("22 Nov: <outage>", "bad")], "2 days"))
    heights = re.findall(r'class="day (\w+)".*? height="([\d.]+)"', text)
    assert heights[0][0] == "well"
    assert heights[1][0] == "bad"
    assert float(heights[0][1]) < float(heights[1][1])
    assert "&lt;outage&gt;" in text
