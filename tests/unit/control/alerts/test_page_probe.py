"""A page that systemd runs: an alert when it does not answer on its socket, and its end, by a real page."""

from __future__ import annotations

import json
import select
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from appliance.control.alerts.monitor import AlertWatch
from appliance.control.alerts.page_probe import PageWatch, WebServerWatch
from appliance.control.session import Session
from mercure.clock import ManualClock
from tests.support.control_server import Served
from tests.support.ports import free_port
from tests.support.status_page import page_on_socket
from tests.support.tasks import events_of

LOOK_SECONDS = 3.0
ROLE = Path(__file__).parents[4] / "roles" / "status_page" / "templates"


def write_units(folder: Path, path: Path, root: Path) -> Path:
    """Write the units as the playbook does, as far as they say where the page is and whose."""
    folder.mkdir(exist_ok=True)
    words = {"status_page_socket": path, "router_root": root, "router_folder": "/opt/mercure"}
    for name in ("mercure-page.socket", "mercure-page.service"):
        text = (ROLE / f"{name}.j2").read_text()
        for word, value in words.items():
            text = text.replace(f"{{{{ {word} }}}}", str(value))
        (folder / name).write_text(text)
    return folder


class Watched:
    """A router whose page is elsewhere, the watch over it, and the time, which passes only when a test lets it."""

    def __init__(self, root: Path, session: Session, path: Path, units: Path) -> None:
        self.root, self.path = root, path
        self.clock = ManualClock(datetime(2026, 11, 21, tzinfo=UTC))
        self._session = session
        self.page = PageWatch(write_units(units, path, root))
        self._watch = AlertWatch(self.session, self.page)

    def session(self) -> Session:
        return Session(self._session.root, "control", service="control", clock=self.clock)

    def configure(self, **settings: object) -> None:
        path = self._session.store.mercure.path
        path.write_text(json.dumps(json.loads(path.read_text()) | settings))

    def look(self, seconds: float, *, answered: bool = True) -> None:
        """Look as often as the watch does for so long; where answers are expected, the time waits for each."""
        for _ in range(int(seconds / LOOK_SECONDS)):
            self.clock.advance(LOOK_SECONDS)
            self._watch.look()
            if answered and self.page.question is not None:
                assert select.select([self.page.question], [], [], 60)[0], "the page does not answer"

    def told(self) -> list[tuple[str, str]]:
        """Return what the history was told of the page since the last time."""
        events = [event for event in events_of(self._session) if event.type.startswith("alert.")]
        return [(event.type, event.details["text"]) for event in events if event.details["key"] == "service:page"]


@pytest.fixture
def watched(served: Served, session: Session, tmp_path: Path) -> Iterator[Watched]:
    found = Watched(served.root, session, tmp_path / "page.sock", tmp_path / "units")
    found.configure(alerts={"history": {"enabled": False}})
    yield found
    found.page.close()


@contextmanager
def listening(path: Path, backlog: int = 100) -> Iterator[socket.socket]:
    """Hold the socket as systemd does while the page is away."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(backlog)
        yield listener


def test_a_web_server_that_is_away_is_known_and_when_it_is_back(session: Session, tmp_path: Path) -> None:
    clock, port, file = ManualClock(datetime(2026, 11, 21, tzinfo=UTC)), free_port(), tmp_path / "expected.json"
    looking = Session(session.root, "control", service="control", clock=clock)
    watch = WebServerWatch(file)
    assert watch.look(looking) == "", "no host of the playbook"
    file.write_text(json.dumps({"page": f"127.0.0.1:{port}"}))
    clock.advance(60)
    assert watch.look(looking) == f"does not answer at 127.0.0.1:{port}: Connection refused"
    with socket.create_server(("127.0.0.1", port)):
        assert watch.look(looking) == "", "it is asked again at once"
    assert watch.look(looking) == "", "and else every half a minute"
    clock.advance(60)
    assert "refused" in watch.look(looking)
    for written in ('{"page": null}', "[]", "no json", '{"page": "nowhere"}'):
        file.write_text(written)
        assert watch.look(looking) == ""


def test_a_page_that_hangs_is_an_alert_once_which_ends_by_itself(watched: Watched) -> None:
    with page_on_socket(watched.path, watched.root) as page:
        watched.look(120)
        assert watched.told() == []
        page.signal(signal.SIGSTOP)
        watched.look(3600, answered=False)
        assert watched.told() == [("alert.raised", "the status page does not answer")]
        page.signal(signal.SIGCONT)
        watched.look(120)
        assert [type for type, _ in watched.told()] == ["alert.cleared"]
        watched.look(120)
        assert watched.told() == []


def test_a_page_that_is_gone_is_an_alert_within_a_minute_and_ends_when_it_is_back(watched: Watched) -> None:
    with page_on_socket(watched.path, watched.root):
        watched.look(60)
    watched.look(60)
    gone = f"the status page cannot be reached: {watched.path}: Connection refused"
    assert watched.told() == [("alert.raised", gone)]
    with page_on_socket(watched.path, watched.root):
        watched.look(120)
        assert [type for type, _ in watched.told()] == ["alert.cleared"]


def test_a_socket_that_was_never_opened_is_an_alert(watched: Watched) -> None:
    watched.look(60)
    assert watched.told() == [
        ("alert.raised", f"the status page cannot be reached: {watched.path}: No such file or directory")
    ]


def test_a_page_that_is_renewed_is_none(watched: Watched) -> None:
    with page_on_socket(watched.path, watched.root):
        watched.look(60)
    watched.look(9)
    with page_on_socket(watched.path, watched.root):
        watched.look(300)
    assert watched.told() == []


def test_questions_do_not_pile_up_before_a_page_that_does_not_start(watched: Watched) -> None:
    with listening(watched.path) as listener:
        watched.look(3600, answered=False)
        assert watched.told() == [("alert.raised", "the status page does not answer")]
        listener.setblocking(False)
        for _ in range(13):  # an hour, and five minutes for each
            with suppress(BlockingIOError):
                listener.accept()[0].close()
        with pytest.raises(BlockingIOError):
            listener.accept()


def test_a_socket_with_no_room_left_is_an_alert(watched: Watched) -> None:
    with listening(watched.path, backlog=0), socket.socket(socket.AF_UNIX) as other:
        other.connect(str(watched.path))
        watched.look(60, answered=False)
        [(_, text)] = watched.told()
        assert text.endswith("Resource temporarily unavailable")


def test_a_page_that_cannot_see_the_router_is_an_alert(watched: Watched, served: Served) -> None:
    with page_on_socket(watched.path, watched.root):
        served.stop()
        watched.look(90)
        assert watched.told() == [("alert.raised", "the status page answers that it cannot see the router")]


def test_it_is_asked_as_by_somebody_who_may_look(watched: Watched) -> None:
    watched.configure(status_page={"allowed_networks": ["10.1.0.0/16"]})
    with page_on_socket(watched.path, watched.root) as page:
        watched.look(120)
        assert watched.told() == []
        assert "turned away" not in page.output()


@pytest.mark.parametrize("where", ["no units", "another root", "no socket unit"])
def test_a_page_that_systemd_does_not_run_for_this_router_is_not_asked(
    watched: Watched, tmp_path: Path, where: str
) -> None:
    units, elsewhere = tmp_path / "units", watched.root / "another"
    if where == "another root":
        write_units(units, watched.path, elsewhere)
    for unit in {"no units": ("socket", "service"), "no socket unit": ("socket",)}.get(where, ()):
        (units / f"mercure-page.{unit}").unlink()
    watched.look(120)
    assert watched.told() == []


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (b"", "ends without an answer"),
        (b"SSH-2.0-OpenSSH", "ends without an answer"),
        (b"HTTP/1.1 500 Internal Server Error\r\n", "fails: it answers 500"),
        (b"HTTP/1.1 403 Forbidden\r\n", ""),
        (b"HTTP/1.0 200 OK\r\n", ""),
    ],
)
def test_what_is_no_answer(watched: Watched, answer: bytes, text: str) -> None:
    with listening(watched.path) as listener:
        watched.look(LOOK_SECONDS, answered=False)
        link, _ = listener.accept()
        with link:
            link.recv(4096)
            link.sendall(answer)
        assert watched.page.look(watched.session()) == text
