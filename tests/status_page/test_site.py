"""What each address answers, and what every answer has in common."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from urllib.parse import urlencode

import pytest

from appliance.control.rpc.client import ControlError, DisconnectedError, api
from appliance.status_page.guard import HEADERS
from mercure.config.status_page import StatusPage
from tests.status_page import scene
from tests.support.site import Page

PAGES = ("/", "/wall", "/arrivals", "/targets", "/exam")
ALL = (*PAGES, "/healthz", "/metrics", "/style.css", "/icon.svg")
DOWN = DisconnectedError("no control service answers in /srv/mercure/run: Connection refused")


class Reader(HTMLParser):
    """Collects tags, attributes and texts of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"[ \n]+", " ", " ".join(self.words))


def read(page: Page, path: str = "/", query: str = "") -> Reader:
    answer = page.get(path, query)
    assert answer.status == 200
    return Reader(answer.text)


class TestEveryAnswer:
    @pytest.mark.parametrize("path", [*ALL, "/nothing", "/../etc/passwd", "/exam/"])
    def test_has_the_headers(self, page: Page, path: str) -> None:
        for method in ("GET", "HEAD", "POST"):
            self.check_headers(page, path, method)

    def check_headers(self, page: Page, path: str, method: str) -> None:
        answer = page.get(path, method=method)
        for name, value in HEADERS:
            assert answer.headers[name] == value
        assert "Set-Cookie" not in answer.headers
        assert ("max-age" in answer.headers["Cache-Control"]) == (path in ALL[-2:] and method != "POST")

    def test_the_policy_lets_no_script_run_and_nothing_be_framed(self) -> None:
        policy = dict(HEADERS)["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "script-src" not in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy

    @pytest.mark.parametrize(
        "method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "get", "", "X"]
    )
    def test_other_methods_are_refused(self, page: Page, method: str) -> None:
        for path in (*ALL, "/nothing"):
            answer = page.get(path, method=method)
            assert answer.status == 405
            assert answer.headers["Allow"] == "GET, HEAD"
        assert page.looks == 0

    @pytest.mark.parametrize("path", ALL)
    def test_head_is_get_without_a_body(self, page: Page, path: str) -> None:
        got, head = page.get(path), page.get(path, method="HEAD")
        assert (head.status, head.body) == (got.status, b"")
        assert head.headers["Content-Type"] == got.headers["Content-Type"]

    def test_no_page_holds_script_or_style_or_leads_elsewhere(self, page: Page) -> None:
        page.seen = scene.hostile()
        for path in PAGES:
            found = read(page, path)
            assert "script" not in found.tags
            assert "style" not in found.tags
            for name, value in found.attributes:
                assert not name.startswith("on")
                assert name != "style"
                if name in {"href", "src", "action"}:
                    telephones = re.fullmatch(r"tel:[+0-9]+", value)
                    assert telephones or not re.match(r"[a-z]+:|//", value), value

    def test_a_page_that_does_not_exist(self, page: Page) -> None:
        answer = page.get("/nothing")
        assert answer.status == 404
        assert "There is no such page." in answer.text
        assert 'href="/exam"' in answer.text

    def test_a_fault_is_told_plainly(self, page: Page, caplog: pytest.LogCaptureFixture) -> None:
        page.seen = replace(page.seen, status=None)  # type: ignore[arg-type]
        answer = page.get("/")
        assert answer.status == 500
        assert "Traceback" not in answer.text
        assert "a page failed" in caplog.text


class TestOverview:
    def test_a_good_day(self, page: Page) -> None:
        found = read(page)
        for text in ("The router is well", "2\u202f015 images in the last hour", "MR_SKYRA_1", "research-archive"):
            assert text in found.text
        assert "What needs attention" not in found.text
        assert "78 of 80 days without an outage" in found.text

    def test_a_bad_day(self, page: Page) -> None:
        page.seen = scene.seen(bad=True)
        found = read(page)
        for text in ("The router needs help", "What needs attention", "not accepting images", "2 tasks have failed"):
            assert text in found.text

    def test_an_alert_says_in_plain_words_what_is_wrong_what_waits_and_who_knows(self, page: Page) -> None:
        page.seen = scene.seen(bad=True)
        said = "research-archive has not accepted images since 13:02. 141 series wait and will be sent by themselves."
        assert f"{said} IT knows, 13:09 (anna)." in read(page).text
        assert "Some images could not be delivered. They are kept, and IT must look at them. IT has not confirmed" in (
            read(page).text
        )
        assert "10.20.9.80" not in read(page).text
        assert "connection to …80:104 refused" in read(page).text, "what it is for IT"
        assert "refused" not in read(page, "/wall").text

    def test_what_is_watched_and_what_is_over_are_said(self, page: Page) -> None:
        outage = scene.alerts()[0].model_copy(update={"severity": "watch", "acknowledged": None})
        page.seen = replace(scene.seen(bad=True), alerts=(outage,))
        assert "It has just been noticed, and may pass." in read(page).text
        page.clock.advance(10)
        page.seen = replace(page.seen, alerts=(outage.model_copy(update={"over": scene.NOW}),))
        assert "It seems to be over." in read(page).text

    def test_a_silent_sender_is_marked(self, page: Page) -> None:
        page.seen = scene.seen(bad=True)
        row = re.search(r"ANGIO_A.*?</tr>", page.get("/arrivals").text, re.S)
        assert row is not None
        assert "silent for unusually long" in row[0]
        assert read(page, "/arrivals").text.count("silent for unusually long") == 1
        assert page.get("/arrivals").text.count('class="spark"') == len(scene.SENDERS)

    def test_a_router_that_does_not_run(self, page: Page) -> None:
        page.seen = replace(page.seen, status=page.seen.status.model_copy(update={"running": False}))
        assert "The router does not run" in read(page).text

    def test_without_the_history_the_rest_is_shown(self, page: Page) -> None:
        page.seen = replace(page.seen, flow=None)
        for path in PAGES[:4]:
            found = read(page, path)
            assert ("the history does not answer" in found.text) == (path != "/targets")
        assert "On the way to targets" in read(page).text

    def test_the_picture_has_its_numbers_beside_it(self, page: Page) -> None:
        found = read(page)
        assert page.get("/").text.partition("</figure>")[0].count('<rect class="received" x="6') >= 1
        assert len(re.findall(r'<rect class="received"[^>]* rx="1.5"', page.get("/").text)) == 24
        table = found.text[found.text.index("Hour from") :]
        assert re.search(r"Sat 14:00 [\d\u202f]+ [\d\u202f]+ Sat 13:00", table)

    def test_only_the_wall_view_renews_itself(self, page: Page) -> None:
        page.settings = StatusPage(refresh_seconds=30)
        wall = page.get("/wall")
        assert wall.headers["Refresh"] == "30"
        assert "<form" not in wall.text
        for path in ("/", "/arrivals", "/targets", "/exam"):
            still = page.get(path)
            assert "Refresh" not in still.headers
            assert 'http-equiv="refresh"' not in still.text
            assert "This page stands still" in still.text
        assert "Refresh" not in page.get("/", "refresh=on").headers

    def test_the_key_of_receipts_stands_at_the_foot_once_there_is_one(self, page: Page) -> None:
        assert "Receipts are signed" not in read(page).text
        page.seen = replace(page.seen, fingerprint="0123456789abcdef" * 4)
        page.clock.advance(60)
        assert "signed with the key 0123 4567 89ab cdef 0123" in read(page, "/targets").text


class TestNotAnswering:
    @pytest.mark.parametrize("error", [DOWN, ControlError("not-allowed", "you may not"), OSError(5, "io")])
    @pytest.mark.parametrize("path", PAGES)
    def test_the_page_says_so_and_what_to_do(self, page: Page, path: str, error: Exception) -> None:
        page.broken = error
        answer = page.get(path)
        assert answer.status == 503
        assert "The router does not answer" in answer.text
        assert "tell the administrator" in answer.text
        assert ("Refresh" in answer.headers) == (path == "/wall" and page.site.source.snapshot().settings is not None)

    def test_it_comes_back_by_itself(self, page: Page) -> None:
        page.get("/")
        page.broken = DOWN
        page.clock.advance(10)
        assert page.get("/").status == 503
        assert page.get("/wall").headers["Refresh"] == "10", "the settings are remembered"
        page.broken = None
        page.clock.advance(3)
        assert page.get("/").status == 200

    def test_health(self, page: Page) -> None:
        told = {"well": True, "health": "well", "reasons": [], "time": scene.NOW.isoformat()}
        assert json.loads(page.get("/healthz").body) == told
        page.seen = scene.seen(bad=True)
        page.clock.advance(10)
        answer = page.get("/healthz")
        assert answer.status == 503
        assert len(json.loads(answer.body)["reasons"]) == 2, "the critical ones; a warning is none"
        watched = tuple(alert.model_copy(update={"severity": "watch"}) for alert in page.seen.alerts[:1])
        page.seen = replace(page.seen, alerts=watched)
        page.clock.advance(10)
        answer = page.get("/healthz")
        assert answer.status == 200, "it sent no message either"
        assert json.loads(answer.body)["health"] == "watch"
        assert len(json.loads(answer.body)["reasons"]) == 1
        assert "The router works, and something is being watched" in read(page, "/").text
        page.broken = DOWN
        page.clock.advance(10)
        answer = page.get("/healthz")
        assert answer.status == 503
        assert "no control service answers" in json.loads(answer.body)["reasons"][0]


class TestSite:
    def test_its_name_and_whom_to_call_are_on_every_page(self, page: Page) -> None:
        site = {"name": "St. Example", "contact": "IT service desk", "telephone": "+49 30 4711-12"}
        page.seen = scene.at_site(page.seen, **site)
        for path in PAGES:
            text = page.get(path).text
            assert "<bdi>St. Example</bdi>" in text, path
            assert "Questions? Call IT service desk, +49 30 4711-12" in Reader(text).text.replace(" ,", ","), path
            assert 'href="tel:+4930471112"' in text, path
        assert "Fragen? Rufen Sie an: IT service desk" in read(page, "/", "lang=de").text
        assert "+49 30 4711-12" in page.get("/nothing").text

    def test_without_a_contact_there_is_no_call(self, page: Page) -> None:
        assert "Questions?" not in page.get("/").text
        page.seen = scene.at_site(page.seen, telephone="ask at the desk")
        page.clock.advance(10)
        text = page.get("/").text
        assert "ask at the desk" in text
        assert "tel:" not in text

    def test_whom_to_call_is_known_when_the_router_is_away(self, page: Page) -> None:
        page.seen = scene.at_site(page.seen, contact="IT", telephone="4711", timezone="Europe/Berlin", language="de")
        page.get("/")
        page.broken = DOWN
        page.clock.advance(10)
        answer = page.get("/")
        assert answer.status == 503
        assert "Der Router antwortet nicht" in answer.text
        assert 'href="tel:4711"' in answer.text
        assert "Europe/Berlin" in answer.text
        told = json.loads(page.get("/healthz").body)
        assert told["contact"] == "IT, 4711"
        assert "site" not in told


class TestExam:
    def test_the_question(self, page: Page) -> None:
        found = read(page, "/exam")
        assert "Accession number" in found.text
        assert page.searched == []

    def test_the_answer(self, page: Page) -> None:
        found = read(page, "/exam", "accession=+A20261121077+")
        assert page.searched == ["A20261121077"]
        for text in ("2 series, 216 images: on the way", "Series 1 · MR", "delivered", "to research-archive"):
            assert text in found.text

    def test_delivered(self, page: Page) -> None:
        assert "1 series, 192 images: delivered" in read(page, "/exam", "accession=DONE").text

    def test_a_line_for_each_target_says_why_it_waits(self, page: Page) -> None:
        query = "accession=A20261121077"
        found = read(page, "/exam", query).text
        assert "delivered pacs 192 of 192 images delivered" in found
        assert "on its way research-archive 0 of 192 images delivered next try in 2 min" in found
        page.seen = scene.seen(bad=True)
        page.clock.advance(10)
        found = read(page, "/exam", query).text
        reason = "research-archive has not accepted images since 13:02; they wait and will be sent by themselves"
        assert f"0 of 192 images delivered {reason}; IT knows, 13:09" in found
        disabled = page.seen.targets[1].model_copy(update={"disabled": True, "outage": None})
        page.seen = replace(page.seen, targets=(page.seen.targets[0], disabled))
        page.clock.advance(10)
        assert "research-archive is switched off; they wait" in read(page, "/exam", query).text

    def test_several_tasks_for_one_place_are_one_line_with_the_worst(self, page: Page) -> None:
        step = api.traffic.ExamStep
        steps = tuple(
            step(to="target", name="pacs", state=state, images=number, attempts=1)
            for number, state in enumerate(("delivered", "failed", "delivered"), 1)
        )
        series = api.traffic.ExamSeries(images=3, steps=steps)
        page.exams["TWICE"] = api.traffic.ExamFound(series=(series,))
        found = read(page, "/exam", "accession=TWICE").text
        assert found.count("to pacs") == 1
        assert "failed, IT must look to pacs 2 images" in found

    def test_unknown(self, page: Page) -> None:
        assert "No image of this exam has arrived here" in read(page, "/exam", "accession=A2026").text

    def test_masked_unless_the_configuration_says_otherwise(self, page: Page) -> None:
        found = page.get("/exam", "accession=A20261121077").text
        assert "A20261121077" not in found
        assert "…077" in found
        assert "t1_mprage" not in found
        page.settings = StatusPage(masked=False)
        page.clock.advance(10)
        found = page.get("/exam", "accession=A20261121077").text
        assert "A20261121077" in found
        assert "t1_mprage_sag" in found

    def test_a_number_that_is_too_long_is_not_asked_for(self, page: Page) -> None:
        assert page.get("/exam", "accession=" + "1" * 65).status == 400
        assert page.searched == []

    def test_nobody_can_try_numbers_one_after_the_other(self, page: Page) -> None:
        page.settings = StatusPage(searches_per_minute=3)
        statuses = [page.get("/exam", f"accession={number}", REMOTE_ADDR="10.0.0.1").status for number in range(5)]
        assert statuses == [200, 200, 200, 429, 429]
        answer = page.get("/exam", "accession=9", REMOTE_ADDR="10.0.0.1")
        assert 1 <= int(answer.headers["Retry-After"]) <= 21
        assert "Too many searches" in answer.text
        assert page.get("/exam", "accession=9", REMOTE_ADDR="10.0.0.2").status == 200
        page.clock.advance(int(answer.headers["Retry-After"]))
        assert page.get("/exam", "accession=9", REMOTE_ADDR="10.0.0.1").status == 200

    def test_the_history_is_away(self, page: Page) -> None:
        page.get("/")
        page.broken = ControlError("failed", "the history at postgresql://secret cannot be asked")
        answer = page.get("/exam", "accession=A1")
        assert answer.status == 503
        assert "The history cannot be asked" in answer.text
        assert "secret" not in answer.text

    def test_bytes_that_are_no_text(self, page: Page) -> None:
        assert page.get("/exam", "accession=%ff%fe%00%F0%9F%A6%B4").status == 200
        assert page.get("/exam", urlencode({"accession": "ÄÖ-7"})).status == 200
        assert page.searched[-1] == "ÄÖ-7"


class TestWhoMayLook:
    def test_networks(self, page: Page) -> None:
        page.settings = StatusPage(allowed_networks=("10.1.0.0/16", "fd00::/8"))
        assert page.get("/", REMOTE_ADDR="10.1.2.3").status == 200
        assert page.get("/", REMOTE_ADDR="fd00::1").status == 200
        for path in ALL:
            answer = page.get(path, REMOTE_ADDR="10.2.0.1")
            assert answer.status == 403
            assert "CT_EMERGENCY" not in answer.text

    def test_a_forwarded_address_counts_only_from_a_trusted_proxy(self, page: Page) -> None:
        page.settings = StatusPage(allowed_networks=("10.1.0.0/16",), trusted_proxies=("127.0.0.0/8",))
        assert page.get("/", REMOTE_ADDR="127.0.0.1", HTTP_X_FORWARDED_FOR="10.1.2.3").status == 200
        assert page.get("/", REMOTE_ADDR="127.0.0.1", HTTP_X_FORWARDED_FOR="10.1.2.3, 10.9.9.9").status == 403
        assert page.get("/", REMOTE_ADDR="10.9.9.9", HTTP_X_FORWARDED_FOR="10.1.2.3").status == 403
        assert page.get("/", REMOTE_ADDR="127.0.0.1", HTTP_X_FORWARDED_FOR="nonsense").status == 403
        assert page.get("/", REMOTE_ADDR="127.0.0.1").status == 403


class TestTextsFromStrangers:
    @pytest.mark.parametrize("masked", [True, False])
    @pytest.mark.parametrize("path", [*PAGES, "/healthz", "/metrics", "/exam?accession=BAD"])
    def test_do_no_harm(self, page: Page, path: str, masked: bool) -> None:
        page.seen, page.settings = scene.hostile(), StatusPage(masked=masked)
        where, _, query = path.partition("?")
        text = page.get(where, query).text
        if where not in {"/healthz", "/metrics"}:
            assert "<script" not in text
            assert "49" not in Reader(text).text or "{{7*7}}" in text or path in {"/exam", "/targets"}
        for forbidden in "\x1b\u202e\u2066\x00":
            assert forbidden not in text

    def test_the_number_that_was_typed_is_shown_as_text(self, page: Page) -> None:
        page.settings = StatusPage(masked=False)
        text = page.get("/exam", urlencode({"accession": "<img src=x onerror=a()>"})).text
        assert "<img" not in text
        assert "&lt;img src=x" in text


class TestAskingTheRouter:
    def test_a_thousand_looks_are_one_question(self, page: Page) -> None:
        for _ in range(1000):
            assert page.get("/").status == 200
        assert page.looks == 1

    def test_it_is_asked_again_when_what_is_known_is_old(self, page: Page) -> None:
        page.get("/")
        page.clock.advance(5.1)
        page.get("/")
        assert page.looks == 2

    def test_static_files_are_kept_by_the_browser(self, page: Page) -> None:
        tag = page.get("/style.css").headers["Etag"]
        assert page.get("/style.css", HTTP_IF_NONE_MATCH=tag).status == 304
        assert page.get("/style.css", HTTP_IF_NONE_MATCH='"other"').status == 200
