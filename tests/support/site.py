"""The site of the status page over a scripted router: called directly, or served by waitress."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from waitress.server import create_server

from appliance.control.rpc.client import api
from appliance.status_page.site import Site
from appliance.status_page.source import PageSnapshot, SnapshotSource
from tests.status_page import scene
from tests.support.ports import free_port

if TYPE_CHECKING:
    from mercure.clock import ManualClock
    from mercure.config.status_page import StatusPage


@dataclass
class Answer:
    """What the site answered."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


@dataclass
class Page:
    """The site, its clock, and what the scripted router tells."""

    clock: ManualClock = field(default_factory=scene.clock)
    seen: PageSnapshot = field(default_factory=scene.seen)
    settings: StatusPage = field(default_factory=scene.settings)
    broken: Exception | None = None
    looks: int = 0
    searched: list[str] = field(default_factory=list)
    exams: dict[str, api.traffic.ExamFound] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.site = Site(SnapshotSource(self._look, self.clock), self._find, self.clock)

    def _look(self) -> tuple[StatusPage, PageSnapshot]:
        self.looks += 1
        if self.broken is not None:
            raise self.broken
        return self.settings, self.seen

    def _find(self, accession: str) -> Any:
        self.searched.append(accession)
        if self.broken is not None:
            raise self.broken
        return self.exams.get(accession) or scene.exam(accession)

    def get(self, path: str = "/", query: str = "", *, method: str = "GET", **environ: Any) -> Answer:
        """Ask the application, as a server would."""
        told: dict[str, Any] = {}

        def start_response(status: str, headers: list[tuple[str, str]], *_: object) -> None:
            told.update(status=int(status[:3]), headers={name.title(): value for name, value in headers})

        full = {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": "",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(),
            "wsgi.errors": io.StringIO(),
            **environ,
        }
        parts = self.site.application(full, start_response)
        try:
            body = b"".join(parts)
        finally:
            close = getattr(parts, "close", None)
            if close is not None:
                close()
        return Answer(told["status"], told["headers"], body)


@contextmanager
def served(page: Page) -> Iterator[str]:
    """Serve the site by the server that it is served by, and give its address."""
    port = free_port()
    server = create_server(page.site.application, host="127.0.0.1", port=port, threads=4, ident=None)
    thread = threading.Thread(target=_run, args=(server,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.trigger.pull_trigger(server.close)
        thread.join(20)
        assert not thread.is_alive()


def _run(server: Any) -> None:
    try:
        server.run()
    except OSError:
        return  # it was closed


Change = Callable[[Page], None]
