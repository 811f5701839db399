"""Routes of the status page: templates over the last snapshot."""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import bottle
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from appliance.control.rpc.client import ControlError, DisconnectedError, api
from appliance.presentation.figures import grouped
from appliance.status_page import exams, prometheus, views
from appliance.status_page.guard import CLIENT, Application, Guard, Limiter
from appliance.status_page.language import Words, language_of
from appliance.status_page.redaction import Masking
from appliance.status_page.sanitize import clean, finalize
from appliance.status_page.source import PageSnapshot, Snapshot, SnapshotSource
from appliance.status_page.texts import LANGUAGES
from mercure.clock import Clock
from mercure.config.status_page import StatusPage

HERE: Final = Path(__file__).parent
PAGES: Final = (("./", "nav.overview"), ("arrivals", "nav.arrivals"), ("targets", "nav.targets"), ("exam", "nav.exam"))
"""Address and name of each page, relative, so that a proxy may put them under any path."""

WALL: Final = "wall"
"""The one page that renews itself. It holds no form: what is typed, and the place of a screen reader, would be lost
with each renewal, so all others stand still. A script that leaves a page alone while somebody types was rejected: the
page runs none, and its policy (``Content-Security-Policy``) stays as strict as it is."""

MOST_ACCESSION: Final = 64
_STATIC_SECONDS: Final = 3600
_NOT_DIALLED: Final = re.compile(r"[^+0-9]")
_LEAST_DIGITS: Final = 2
_HTML: Final = "text/html; charset=utf-8"
_log = logging.getLogger(__name__)

FindExam = Callable[[str], api.traffic.ExamFound]


@dataclass
class Site:
    """All pages over one source.

    Parameters
    ----------
    source : SnapshotSource
        What is known of the router.
    find_exam : callable
        Asks where an exam is.
    """

    source: SnapshotSource
    find_exam: FindExam
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        """Read templates and static files, once."""
        self._templates = Environment(
            loader=FileSystemLoader(HERE / "templates"),
            autoescape=True,
            finalize=finalize,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._static = {
            name: ((HERE / "static" / name).read_bytes(), kind)
            for name, kind in (("style.css", "text/css; charset=utf-8"), ("icon.svg", "image/svg+xml"))
        }
        self._limiter = Limiter(self.clock)
        self._made: tuple[Snapshot | None, dict[str, bytes]] = (None, {})
        self.guard = Guard(self._bottle(), self.source.snapshot)

    @property
    def application(self) -> Application:
        """The whole, as a WSGI application."""
        return self.guard

    def _bottle(self) -> Application:
        site = bottle.Bottle()
        site.route("/", "GET", lambda: self._page("overview", "./"))
        site.route("/arrivals", "GET", lambda: self._page("arrivals", "arrivals"))
        site.route("/targets", "GET", lambda: self._page("targets", "targets"))
        site.route(f"/{WALL}", "GET", lambda: self._page("overview", WALL))
        site.route("/exam", "GET", self._exam)
        site.route("/healthz", "GET", self._healthz)
        site.route("/metrics", "GET", self._metrics)
        for name in self._static:
            site.route(f"/{name}", "GET", lambda name=name: self._file(name))
        site.default_error_handler = self._error
        application: Application = site
        return application

    # What people read.

    def _page(self, name: str, place: str) -> bytes | str:
        """Answer with a page that tells the state."""
        snapshot = self.source.snapshot()
        words = _words(snapshot)
        self._head(snapshot, place)
        if snapshot.seen is None:
            bottle.response.status = 503
            return self._away(snapshot, place, words)
        seen = snapshot.seen

        def make() -> bytes:
            view = views.overview(seen, _audience(snapshot, words, snapshot.time))
            return self._render(name, snapshot, place, words, view=view).encode()

        return self._once(snapshot, f"{place} {words.language} {_chosen()}", make)

    @staticmethod
    def _head(snapshot: Snapshot, place: str) -> None:
        """Set the headers of a page for people."""
        bottle.response.content_type = _HTML
        bottle.response.set_header("Vary", "Accept-Language")
        if place == WALL and snapshot.settings is not None:
            # A header does what <meta http-equiv="refresh"> does; the links on the page lead to those that stand still.
            bottle.response.set_header("Refresh", str(snapshot.settings.refresh_seconds))

    def _once(self, snapshot: Snapshot, key: str, make: Callable[[], bytes]) -> bytes:
        """Return what is the same for all who ask while a snapshot lasts; it is made for the first of them."""
        known, made = self._made
        if known is not snapshot:
            self._made = known, made = snapshot, {}
        if key not in made:
            made[key] = make()
        return made[key]

    def _away(self, snapshot: Snapshot, place: str, words: Words) -> str:
        return self._render("away", snapshot, place, words, problem=snapshot.problem)

    def _exam(self) -> bytes | str:
        """Answer where an exam is; without a number, with the question."""
        snapshot = self.source.snapshot()
        words = _words(snapshot)
        self._head(snapshot, "exam")
        if snapshot.seen is None or snapshot.settings is None:
            bottle.response.status = 503
            return self._away(snapshot, "exam", words)
        wanted = _query("accession").strip()
        complaint, exam = "", None
        if not wanted:
            pass
        elif len(wanted) > MOST_ACCESSION:
            bottle.response.status = 400
            complaint = words("exam.too_long", most=MOST_ACCESSION)
        elif wait := self._limiter.wait(bottle.request.environ[CLIENT], snapshot.settings.searches_per_minute):
            bottle.response.status = 429
            bottle.response.set_header("Retry-After", str(wait))
            complaint = words("exam.too_many", time=words.plural(wait, "second"))
        else:
            exam, complaint = self._find(wanted, snapshot, snapshot.seen, words)
        return self._render("exam", snapshot, "exam", words, exam=exam, complaint=complaint)

    def _find(
        self, wanted: str, snapshot: Snapshot, seen: PageSnapshot, words: Words
    ) -> tuple[exams.ExamView | None, str]:
        try:
            found = self.find_exam(wanted)
        except (ControlError, DisconnectedError, OSError) as error:
            _log.warning("an exam could not be looked for: %s", error)
            bottle.response.status = 503
            return None, words("exam.history")
        return exams.exam(wanted, found, seen, _audience(snapshot, words, self.clock.now())), ""

    def _render(self, name: str, snapshot: Snapshot, place: str, words: Words, **more: Any) -> str:  # noqa: ANN401 - of templates
        settings, seen, chosen = snapshot.settings or StatusPage(), snapshot.seen, _chosen()
        return self._templates.get_template(f"{name}.html").render(
            {
                "say": words,
                "languages": LANGUAGES,
                "chosen": chosen,
                "link": lambda address: f"{address}?lang={chosen}" if chosen else address,
                "pages": PAGES,
                "place": place,
                "node": seen.node if seen else "mercure",
                "fingerprint": grouped(seen.fingerprint) if seen else "",
                "site": snapshot.site,
                "dial": _dial(snapshot.site.telephone),
                "taken_exactly": f"{words.local(snapshot.time):%H:%M:%S}",
                "zone": snapshot.site.zone_name(self.clock.now()),
                "wall": WALL,
                "refresh": settings.refresh_seconds if place == WALL and snapshot.settings else 0,
                "most": MOST_ACCESSION,
                **more,
            }
        )

    def _error(self, error: bottle.HTTPError) -> str:
        """Answer plainly when there is no page, or it failed."""
        if error.status_code >= 500:  # noqa: PLR2004 - RFC 9110: a fault of ours
            _log.error("a page failed", exc_info=error.exception)
        bottle.response.content_type = _HTML
        snapshot = self.source.snapshot()
        words, key = _words(snapshot), f"error.{error.status_code}"
        key = words.key(key, "error.other")
        return self._templates.get_template("error.html").render(
            {
                "say": words,
                "title": words(key),
                "text": words(f"{key}.text"),
                "pages": PAGES,
                "site": snapshot.site,
                "dial": _dial(snapshot.site.telephone),
            }
        )

    # What machines read.

    def _healthz(self) -> str:
        """Answer 200, and 503 when the router is bad; with the reasons where it is not well."""
        snapshot = self.source.snapshot()
        state, reasons = prometheus.health(snapshot)
        masking = _masking(snapshot)
        bottle.response.status = 503 if state == "bad" else 200
        bottle.response.content_type = "application/json"
        found: dict[str, Any] = {
            "well": state != "bad",
            "health": state,
            "reasons": [clean(masking.text(reason)) for reason in reasons],
        }
        about = {"site": snapshot.site.name, "contact": snapshot.site.whom_to_call}
        found |= {name: text for name, text in about.items() if text}
        return json.dumps(found | {"time": snapshot.time.isoformat(timespec="seconds")}) + "\n"

    def _metrics(self) -> bytes:
        """Answer with all metrics; also when the control service is away, which is one of them."""
        bottle.response.content_type = prometheus.CONTENT_TYPE
        snapshot = self.source.snapshot()
        text = self._once(snapshot, "metrics", lambda: prometheus.metrics(snapshot))
        return prometheus.requests(self.guard.answered.copy()) + text

    def _file(self, name: str) -> bytes | bottle.HTTPResponse:
        data, kind = self._static[name]
        tag = f'"{hashlib.sha256(data).hexdigest()[:16]}"'
        headers = {"ETag": tag, "Cache-Control": f"max-age={_STATIC_SECONDS}"}
        if bottle.request.get_header("If-None-Match") == tag:
            return bottle.HTTPResponse(status=304, headers=headers)
        for header, value in headers.items():
            bottle.response.set_header(header, value)
        bottle.response.content_type = kind
        return data


def _masking(snapshot: Snapshot) -> Masking:
    return Masking(snapshot.settings is None or snapshot.settings.masked)


def _dial(telephone: str) -> str:
    """Return what a telephone dials; empty for a text that is no number."""
    digits = _NOT_DIALLED.sub("", telephone)
    return digits if len(digits) >= _LEAST_DIGITS else ""


def _audience(snapshot: Snapshot, words: Words, now: datetime) -> views.Audience:
    return views.Audience(now, words, _masking(snapshot))


def _chosen() -> str:
    """Return the language that a link asked for, as far as there is such a one."""
    chosen = _query("lang")
    return chosen if chosen in LANGUAGES else ""


def _words(snapshot: Snapshot) -> Words:
    accepted = bottle.request.get_header("Accept-Language") or ""
    return Words(language_of(_chosen(), accepted, snapshot.site.language), snapshot.site.zone)


def _query(name: str) -> str:
    """Return a parameter of the query as text, whatever bytes it was sent as."""
    value = str(bottle.request.query.get(name) or "")
    return value.encode("latin-1", "replace").decode("utf-8", "replace")
