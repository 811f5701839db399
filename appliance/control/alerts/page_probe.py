"""Whether the status page answers where systemd runs it: supervisor, who tells of all other services, does not know it.

It is asked for its first page over its own socket, as nginx asks for a reader. A question is put at one look and its
answer taken at a later one, so that no look ever waits for the page; there is one question at a time, so that they do
not pile up before a page that hangs. systemd's own state of the unit says nothing: a process that hangs is active,
and one that cannot start is activating for ever.
"""

from __future__ import annotations

import json
import socket
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mercure.config.status_page import StatusPage

if TYPE_CHECKING:
    from appliance.control.session import Session

UNITS: Final = Path("/etc/systemd/system")
"""Where the playbook (role status_page) puts the units; without them there is no page of systemd's."""

EXPECTED: Final = Path("/etc/mercure-doctor.json")
"""Written by the playbook (role router): where the page is reached from outside, among others."""

_NAME: Final = "mercure-page"
_ASK_SECONDS: Final = 30.0
"""Between two questions to a page that is well; one that is not is asked at each look."""

_CONNECT_SECONDS: Final = 1.0
_ANSWER_SECONDS: Final = 10.0
"""A page that takes longer does not answer."""

_FORGET_SECONDS: Final = 300.0
"""What was not answered by then is asked anew."""

_HEAD_BYTES: Final = 4096
_WELL: Final = frozenset({200, 403})
"""403: who may look was changed a moment ago."""

_BLIND: Final = 503


class PageWatch:
    """Asks the page from time to time.

    Parameters
    ----------
    units : Path
        The folder of systemd's units.
    """

    def __init__(self, units: Path = UNITS) -> None:
        self.question: socket.socket | None = None
        """The one that was put and not answered yet."""
        self._units = units
        self._asked = 0.0
        self._next = float("-inf")
        self._problem = ""

    def look(self, session: Session) -> str:
        """Return what is wrong with the page, in words that follow "the status page"; nothing when all is well."""
        tick = session.clock.monotonic()
        if self.question is not None:
            self._hear(self.question, tick)
        if self.question is None and tick >= self._next:
            path = page_socket(session.root.path, self._units)
            if path is None:
                self._problem, self._next = "", tick + _ASK_SECONDS
            else:
                self._ask(path, tick, session.config.status_page)
        return self._problem

    def close(self) -> None:
        """Take back a question that was not answered."""
        if self.question is not None:
            self.question.close()
            self.question = None

    def _ask(self, path: str, tick: float, settings: StatusPage) -> None:
        link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            link.connect(path)
            link.sendall(_question(settings))
        except PermissionError:
            # Of a playbook from before the socket was the router's. It becomes so with the next run.
            self._problem = ""
            self._end(link, tick + _ASK_SECONDS)
        except OSError as error:
            self._problem = f"cannot be reached: {path}: {error.strerror}"
            self._end(link, tick)
        else:
            self.question, self._asked = link, tick

    def _hear(self, link: socket.socket, tick: float) -> None:
        try:
            self._problem = _problem_of(link.recv(_HEAD_BYTES))
        except BlockingIOError:
            waited = tick - self._asked
            if waited >= _ANSWER_SECONDS:
                self._problem = "does not answer"
            if waited >= _FORGET_SECONDS:
                self._end(link, tick)
            return
        except OSError as error:
            self._problem = f"ends without an answer: {error.strerror}"
        self._end(link, tick if self._problem else tick + _ASK_SECONDS)

    def _end(self, link: socket.socket, again: float) -> None:
        link.close()
        self.question, self._next = None, again


class WebServerWatch:
    """Asks from time to time whether the web server in front of the page is there, where the playbook put one.

    Only whether it can be connected to: on this machine the kernel answers that at once. What is wrong with its
    certificate or its settings, `mercure doctor` asks.

    Parameters
    ----------
    expected : Path
        What the playbook wrote down of this host.
    """

    def __init__(self, expected: Path = EXPECTED) -> None:
        self._expected = expected
        self._next = float("-inf")
        self._problem = ""

    def look(self, session: Session) -> str:
        """Return what is wrong, in words that follow "the web server of the status page"; nothing when all is well."""
        tick = session.clock.monotonic()
        if tick >= self._next:
            self._problem = self._asked()
            self._next = tick if self._problem else tick + _ASK_SECONDS
        return self._problem

    def _asked(self) -> str:
        where = None
        try:
            where = json.loads(self._expected.read_bytes()).get("page")
            host, _, port = str(where or "").rpartition(":")
            if host and port.isdigit():
                socket.create_connection((host, int(port)), timeout=_CONNECT_SECONDS).close()
        except (FileNotFoundError, PermissionError, ValueError, AttributeError):
            return ""  # no host of the playbook
        except OSError as error:
            return f"does not answer at {where}: {error.strerror or error}"
        return ""


def page_socket(root: Path, units: Path = UNITS) -> str | None:
    """Return the path of the socket at which systemd runs the page of a root; None when it runs none."""
    command = _setting(units / f"{_NAME}.service", "ExecStart").split()
    if ("--root", str(root)) not in pairwise(command):
        return None
    return _setting(units / f"{_NAME}.socket", "ListenStream") or None


def _setting(unit: Path, key: str) -> str:
    try:
        lines = unit.read_text(errors="replace").splitlines()
    except OSError:
        return ""
    return next((value.strip() for name, _, value in (line.partition("=") for line in lines) if name == key), "")


def _question(settings: StatusPage) -> bytes:
    """Ask on behalf of somebody who may look."""
    client = str(settings.allowed_networks[0].network_address) if settings.allowed_networks else "127.0.0.1"
    lines = ("HEAD / HTTP/1.1", "Host: localhost", f"X-Forwarded-For: {client}", "Connection: close")
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode()


def _problem_of(answer: bytes) -> str:
    """Judge the first bytes of an answer (RFC 9112, section 4)."""
    protocol, _, rest = answer.partition(b" ")
    status = rest[:3]
    if not (protocol.startswith(b"HTTP/1.") and status.isdigit()):
        return "ends without an answer"
    if int(status) == _BLIND:
        return "answers that it cannot see the router"
    return "" if int(status) in _WELL else f"fails: it answers {status.decode()}"
