"""Every text of the page in both languages; which one a reader gets; the time zone by its name."""

from __future__ import annotations

import re
from pathlib import Path
from string import Formatter
from typing import get_args
from zoneinfo import ZoneInfo

import pytest

from appliance.control.api.status import AlertKind
from appliance.status_page.language import Words, language_of
from appliance.status_page.texts import LANGUAGES, TEXTS
from mercure.spool.layout import Stage
from tests.status_page import scene
from tests.support.site import Page

CODE = Path(__file__).resolve().parents[2] / "appliance" / "status_page"
MADE_UP = {
    "alert": get_args(AlertKind),
    "day": tuple(map(str, range(7))),
    "unit": ("s", "min", "h", "d"),
    "health": ("well", "watch", "bad", "stopped"),
    "severity": ("critical", "warning", "watch"),
    "target": ("up", "down", "disabled"),
    "stage": ("incoming", "routing", "studies", "processing", "outgoing", "error", "quarantine"),
    "days": ("well", "short", "bad", "unknown"),
    "place": ("target", "module", "study", "discard", "router"),
}
"""Keys that the code puts together, by their first part."""


def source() -> str:
    files = [path for path in CODE.rglob("*") if path.suffix in {".py", ".html"} and path.name != "texts.py"]
    return "\n".join(path.read_text("utf-8") for path in files)


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("key", TEXTS)
def test_a_text_has_all_languages_with_the_same_values(key: str) -> None:
    texts = TEXTS[key]
    assert len(texts) == len(LANGUAGES)
    assert all(text.strip() for text in texts)
    assert len({frozenset(fields(text)) for text in texts}) == 1


def test_no_text_is_missing() -> None:
    used = set(re.findall(r'(?:say|words)\("([^"]+)"', source()))
    used |= {f"{first}.{rest}" for first, each in MADE_UP.items() for rest in each}
    for plural in re.findall(r'plural\([^()]*(?:\([^()]*\))?[^()]*, "([^"]+)"\)', source()):
        used |= {f"{plural}.one", f"{plural}.many"}
    assert used - set(TEXTS) == set()
    assert len(used) > 150


def test_no_text_is_left_over() -> None:
    code = source()
    made_up = {f"{first}.{rest}" for first, each in MADE_UP.items() for rest in each}
    rest = {key for key in TEXTS if f'"{key}"' not in code and key not in made_up}
    by_part = re.compile(r"(task|error)\..+|.+\.(one|many|critical|text)|exam\.(one|many)")
    assert {key for key in rest if not by_part.fullmatch(key)} == set()


def test_stages_that_are_shown_are_those_of_the_spool() -> None:
    assert set(MADE_UP["stage"]) <= {stage.value for stage in Stage}


@pytest.mark.parametrize("path", ["/", "/wall", "/arrivals", "/targets", "/exam", "/nothing"])
@pytest.mark.parametrize("bad", [False, True])
def test_a_german_page_says_nothing_in_english(page: Page, path: str, bad: bool) -> None:
    page.seen = scene.seen(bad=bad)
    query = "accession=A20261121077" if path == "/exam" else ""
    text = page.get(path, query, HTTP_ACCEPT_LANGUAGE="de-AT,de;q=0.9,en;q=0.5").text
    assert '<html lang="de">' in text
    text = re.sub(r'<p class="quiet" lang="en">.*?</p>', "", text, flags=re.S)
    plain = " ".join(re.sub(r"<[^>]+>", " ", text).split())
    english = {en for en, de in TEXTS.values() if en != de and not fields(en) and len(en) > 6}
    assert {words for words in english if re.search(rf"(?<!\w){re.escape(words)}(?!\w)", plain)} == set()


def test_which_language_was_taken_is_said_to_caches_and_kept_in_links(page: Page) -> None:
    answer = page.get("/", "lang=de", HTTP_ACCEPT_LANGUAGE="en")
    assert answer.headers["Vary"] == "Accept-Language"
    assert 'href="targets?lang=de"' in answer.text
    assert 'name="lang" value="de"' in answer.text
    assert "?lang=" not in page.get("/", HTTP_ACCEPT_LANGUAGE="de").text.replace("./?lang=", "")
    assert '<html lang="en">' in page.get("/", "lang=xx").text


def test_two_readers_of_one_snapshot_get_each_his_language(page: Page) -> None:
    for _ in range(2):
        assert "The router is well" in page.get("/", HTTP_ACCEPT_LANGUAGE="en").text
        assert "Der Router arbeitet" in page.get("/", HTTP_ACCEPT_LANGUAGE="de").text


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_who_is_turned_away_reads_it_in_his_language(page: Page, method: str) -> None:
    page.settings = scene.settings(allowed_networks=("10.1.0.0/16",))
    text = page.get("/", method=method, REMOTE_ADDR="10.2.0.1", HTTP_ACCEPT_LANGUAGE="de").text
    assert '<html lang="de">' in text
    assert "nicht erlaubt" in text


@pytest.mark.parametrize(
    ("chosen", "accepted", "language"),
    [
        ("", "", "en"),
        ("", "de", "de"),
        ("", "de-DE,de;q=0.9,en;q=0.8", "de"),
        ("", "en-GB,en;q=0.9,de;q=0.8", "en"),
        ("", "fr,de;q=0.3,en;q=0.2", "de"),
        ("", "fr, it", "en"),
        ("", "de;q=0", "en"),
        ("", "DE", "de"),
        ("", "de;q=x", "de"),
        ("", "," * 10_000 + "de", "en"),
        ("", "\x00;q=;;,=", "en"),
        ("de", "en", "de"),
        ("en", "de", "en"),
        ("fr", "de", "de"),
    ],
)
def test_a_reader_gets_the_language_of_the_link_or_of_the_browser(chosen: str, accepted: str, language: str) -> None:
    assert language_of(chosen, accepted) == language


@pytest.mark.parametrize(
    ("chosen", "accepted", "usual", "language"),
    [("", "en-US,en", "de", "de"), ("en", "de", "de", "en"), ("", "de", "en", "en"), ("", "de", None, "de")],
)
def test_the_language_of_the_site_goes_before_that_of_the_browser(
    chosen: str, accepted: str, usual: str | None, language: str
) -> None:
    assert language_of(chosen, accepted, usual) == language


@pytest.mark.parametrize("path", ["/", "/exam", "/nothing"])
def test_a_site_has_its_language_until_somebody_chooses_another(page: Page, path: str) -> None:
    page.seen = scene.at_site(page.seen, language="de")
    assert '<html lang="de">' in page.get(path, HTTP_ACCEPT_LANGUAGE="en").text
    assert '<html lang="en">' in page.get(path, "lang=en", HTTP_ACCEPT_LANGUAGE="de").text
    page = Page(seen=page.seen, settings=scene.settings(allowed_networks=("10.1.0.0/16",)))
    assert '<html lang="de">' in page.get(path, REMOTE_ADDR="10.2.0.1", HTTP_ACCEPT_LANGUAGE="en").text


def test_numbers_and_times_in_both() -> None:
    words, german = Words(), Words("de")
    assert words.plural(1, "image") == "1 image"
    assert german.plural(2015, "image") == "2\u202f015 Bilder"
    assert german.duration(7200) == "2 Std."
    assert german.moment(scene.NOW, scene.NOW).ago == "vor 0 s"  # type: ignore[union-attr]
    assert [Words(tag).weekday(scene.NOW) for tag in LANGUAGES] == ["Sat", "Sa"]


def test_times_are_by_the_clock_of_the_site(page: Page) -> None:
    """The scene is at 14:37:12 UTC, and its target is down since 13:02."""
    text = page.get("/").text
    assert "As of 14:37:12 (UTC)." in text
    page.seen = scene.at_site(scene.seen(bad=True), timezone="Asia/Kolkata")
    page.clock.advance(60)
    text = page.get("/").text
    assert "As of 20:08:12 (Asia/Kolkata, IST)." in text
    assert "since 18:32" in text
    assert "13:02" not in text
    assert re.search(r">(\w+ )?\d\d:30</text>", text), "the hours of the chart"
    exam = page.get("/exam", "accession=A20261121077").text
    assert "since 18:32" in exam
    page.seen = scene.at_site(scene.seen(bad=True), timezone="Europe/Berlin")
    page.clock.advance(60)
    assert "Stand 15:39:12 (Europe/Berlin, CET)." in page.get("/", "lang=de").text


def test_a_day_and_its_name_are_those_of_the_site() -> None:
    words = Words("de", ZoneInfo("Pacific/Auckland"))  # there it is 3:37 on Sunday
    assert words.weekday(scene.NOW) == "So"
    assert words.day(scene.NOW) == "22.11."
    assert words.clock(scene.NOW, scene.NOW) == "03:37"
