"""The page in a real browser, as clinicians have it: phone, desk, wall; light and dark; keyboard and screen reader."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]

from appliance.control.rpc.client import DisconnectedError
from tests.status_page import scene
from tests.support.browser import SIZES, tab_of
from tests.support.site import Page, served

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PAGES = ("", "arrivals", "targets", "exam", "exam?accession=A20261121077", "exam?accession=none", "wall", "nothing",
         "?lang=de", "exam?lang=de&accession=A20261121077")  # fmt: skip
FINGER = 30
"""Pixels that a finger hits."""


@pytest.mark.parametrize("dark", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["light", "dark"])
def test_no_barriers_and_nothing_sticks_out(browser: Browser, dark: bool) -> None:
    site = {"name": "St. Example, Radiology", "contact": "IT service desk", "telephone": "+49 30 4711-12"}
    seen = scene.at_site(scene.seen(bad=True), timezone="Europe/Berlin", **site)
    page = Page(seen=seen, settings=scene.settings(refresh_seconds=3600))
    with served(page) as address:
        for size in SIZES:
            with tab_of(browser, address, size=size, dark=dark) as tab:
                for path in PAGES if size == "desk" else ("", PAGES[4]):
                    tab.goto(f"{address}/{path}")
                    found = Axe().run(tab)
                    assert found.violations_count == 0, f"{size} /{path}: {found.generate_report()}"
                    width, room = tab.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
                    assert width <= room, f"{size} /{path} is wider than the window"


def test_the_page_that_says_that_nobody_answers_has_no_barriers(browser: Browser) -> None:
    page = Page(broken=DisconnectedError("no control service answers"))
    with served(page) as address, tab_of(browser, address) as tab:
        tab.goto(address)
        assert Axe().run(tab).violations_count == 0
        assert tab.get_by_role("heading", level=1).inner_text() == "The router does not answer"


def test_a_clinician_looks_for_an_exam_with_the_keyboard(browser: Browser) -> None:
    page = Page()
    with served(page) as address, tab_of(browser, address, size="phone", scripts=False) as tab:
        tab.goto(address)
        assert tab.get_by_role("heading", level=1).inner_text() == "The router is well"
        tab.keyboard.press("Tab")
        assert tab.locator(":focus").inner_text() == "Skip to the content"
        for _ in range(20):
            tab.keyboard.press("Tab")
            if tab.locator(":focus").get_attribute("id") == "accession":
                break
        tab.keyboard.type("A20261121077")
        tab.keyboard.press("Enter")
        tab.wait_for_url("**/exam?accession=A20261121077")
        assert tab.get_by_role("heading", name="Where it is delivered to").is_visible()
        assert tab.get_by_role("heading", level=2, name="2 series, 216 images: on the way").is_visible()
        assert tab.get_by_text("to research-archive").is_visible()
        assert tab.get_by_text("0 of 192 images delivered").is_visible()
        assert tab.get_by_label("Accession number").input_value() == ""
        tab.get_by_label("Accession number").fill("A2026112107")
        tab.get_by_role("button", name="Look").click()
        assert tab.get_by_text("No image of this exam has arrived here").is_visible()


def test_only_the_wall_view_renews_itself_and_what_is_typed_elsewhere_stays(browser: Browser) -> None:
    page = Page(settings=scene.settings(refresh_seconds=2))
    with (
        served(page) as address,
        tab_of(browser, address, scripts=False) as typed_in,
        tab_of(browser, address, scripts=False) as wall,
    ):
        typed_in.goto(address)
        typed_in.get_by_label("Accession number").fill("A2026-08")
        typed_in.get_by_label("Accession number").focus()
        wall.goto(address)
        wall.get_by_role("link", name="Wall view").click()
        wall.wait_for_url("**/wall")
        assert wall.get_by_text("Renewed every 2 seconds").is_visible()
        assert wall.locator("input").count() == 0
        page.seen = scene.seen(bad=True)
        page.clock.advance(60)
        wall.get_by_role("heading", level=1, name="The router needs help").wait_for(timeout=20_000)
        # The other one was open for as long, and would have been loaded anew by now.
        assert typed_in.get_by_label("Accession number").input_value() == "A2026-08"
        assert typed_in.locator(":focus").get_attribute("id") == "accession"
        assert typed_in.get_by_role("heading", level=1).inner_text() == "The router is well"
        typed_in.get_by_role("link", name="Load it again").click()
        assert typed_in.get_by_role("heading", level=1).inner_text() == "The router needs help"
        wall.get_by_role("link", name="Let it stand still").click()
        assert wall.get_by_text("This page stands still").is_visible()


def test_a_reader_of_german_stays_in_it(browser: Browser) -> None:
    with served(Page(seen=scene.seen(bad=True))) as address, tab_of(browser, address, scripts=False) as tab:
        tab.goto(address)
        tab.get_by_role("link", name="Deutsch").click()
        assert tab.get_by_role("heading", level=1).inner_text() == "Der Router braucht Hilfe"
        tab.get_by_role("link", name="Ziele").click()
        assert tab.get_by_role("heading", level=1).inner_text() == "Ziele"
        tab.get_by_role("link", name="Wo ist meine Untersuchung?").click()
        tab.get_by_label("Accession-Nummer").fill("A20261121077")
        tab.get_by_role("button", name="Suchen").click()
        assert tab.get_by_text("2 Serien, 216 Bilder: unterwegs").is_visible()
        tab.get_by_role("link", name="English").click()
        assert tab.get_by_role("heading", level=1).inner_text() == "Where is my exam?"


def test_texts_from_strangers_stay_texts(browser: Browser) -> None:
    page = Page(seen=scene.hostile(), settings=scene.settings(masked=False))
    with served(page) as address, tab_of(browser, address) as tab:
        for path in (*PAGES, "exam?accession=BAD", "exam?accession=%3Cscript%3Ealert(1)%3C/script%3E"):
            tab.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
            tab.goto(f"{address}/{path}")
            assert tab.locator("script").count() == 0
        tab.goto(f"{address}/arrivals")
        assert tab.get_by_text("<script>alert(1)</script>").first.is_visible()


def test_what_can_be_pressed_is_large_enough_for_a_finger(browser: Browser) -> None:
    with served(Page()) as address, tab_of(browser, address, size="phone") as tab:
        tab.goto(address)
        for place in tab.locator("nav a, button, input").all():
            box = place.bounding_box()
            assert box is not None
            assert box["height"] >= FINGER
