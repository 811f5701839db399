"""One connection: its requests one after the other, or the stream that it asked for."""

from __future__ import annotations

import contextlib
import logging
import select
import socket
from collections.abc import Callable
from dataclasses import dataclass

from appliance.control import api
from appliance.control.api.base import Progress, ProgressOf
from appliance.control.api.streams import Subscribe, Subscribed
from appliance.control.errors import ControlError, control_error
from appliance.control.registry import Asked, carry_out, find
from appliance.control.roles import Caller
from appliance.control.rpc import jsonrpc
from appliance.control.rpc.jobs import Jobs
from appliance.control.rpc.mailbox import Mailbox
from appliance.control.rpc.streams import HEARTBEAT_SECONDS, Hub
from appliance.control.session import Session

_log = logging.getLogger(__name__)

OpenSession = Callable[[Caller], Session]


@dataclass(frozen=True)
class Limits:
    """What one server and one connection may take.

    Parameters
    ----------
    connections, connections_of_one : int
        At the same time: in all, and of one user.
    connections_of_admins : int
        Of all, so many are kept for admins.
    request_bytes : int
        Of one request.
    request_seconds : float
        From the first byte of a request to its last.
    idle_seconds : float
        Between two requests.
    send_seconds : float
        For an answer to be taken, whatever its size, and for an item of a stream.
    mailbox_bytes : int
        Of a stream that wait for its reader; one that is slower is dropped.
    """

    connections: int = 64
    connections_of_one: int = 24
    connections_of_admins: int = 8
    request_bytes: int = jsonrpc.MAX_REQUEST_BYTES
    request_seconds: float = 10.0
    idle_seconds: float = 3600.0
    send_seconds: float = 20.0
    mailbox_bytes: int = 8 * 1024 * 1024


class Connection:
    """Serves one caller.

    Parameters
    ----------
    connection : socket
        Just accepted.
    caller : Caller
        Who is at the other end.
    open_session : callable
        Makes the session for one request.
    hub : Hub
        Where streams come from.
    jobs : Jobs
        Who does what takes long.
    limits : Limits
        Sizes and times.
    """

    def __init__(
        self,
        connection: socket.socket,
        caller: Caller,
        open_session: OpenSession,
        *,
        hub: Hub,
        jobs: Jobs,
        limits: Limits,
    ) -> None:
        self.caller = caller
        self._socket = connection
        self._session = open_session
        self._hub = hub
        self._jobs = jobs
        self._limits = limits
        self._lines = jsonrpc.Lines(connection, limits.request_bytes)
        self._lost = False

    def run(self) -> None:
        """Serve until the other side closes, or goes beyond a limit."""
        with self._socket:
            try:
                while self._serve_one():
                    pass
            except TimeoutError:
                _log.info("a connection was ended: nothing came, or nothing was taken, in time", extra=self._who())
            except OSError as error:
                _log.info("a connection was lost: %s", error, extra=self._who())

    def end(self) -> None:
        """End it, from another thread."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def turn_away(self, error: ControlError, seconds: float) -> None:
        """Say why it is not served, and close."""
        with self._socket, contextlib.suppress(OSError):
            self._socket.settimeout(seconds)
            self._socket.sendall(jsonrpc.failure(None, error))

    def _who(self) -> dict[str, str]:
        return {"user": self.caller.user}

    def _serve_one(self) -> bool:
        """Serve one request; tell whether another may come."""
        limits = self._limits
        try:
            line = self._lines.read(idle=limits.idle_seconds, seconds=limits.request_seconds)
        except jsonrpc.TooLongError:
            text = f"a request has at most {limits.request_bytes} bytes"
            self._send(jsonrpc.failure(None, ControlError("too-much", text, "ask for less at once")))
            return False
        if line is None:
            return False
        if not line.strip():
            return True
        try:
            call = jsonrpc.parse(line)
        except ControlError as error:
            self._send(jsonrpc.failure(jsonrpc.id_of(line), error))
            return True
        if call.method == api.streams.SUBSCRIBE.name:
            self._stream(call)
            return False
        answer = self._answer(call)
        if not self._lost:  # perhaps in the middle of a line
            self._send(answer)
        return not self._lost

    def _answer(self, call: jsonrpc.Call) -> bytes:
        """Carry a verb out; whatever goes wrong is an answer too."""
        try:
            bound = find(call.method)
            request = jsonrpc.parameters(bound.verb.request, call.params)
            asked = Asked(self._session(self.caller), self.caller, self._reporter(call.id), self._jobs)
            return jsonrpc.answer(call.id, carry_out(asked, bound, request))
        except Exception as error:  # noqa: BLE001 - whatever goes wrong is an answer
            return jsonrpc.failure(call.id, control_error(call.method, error))

    def _reporter(self, number: int | str) -> Callable[[Progress], None]:
        def report(progress: Progress) -> None:
            # What was begun is finished, whether or not somebody listens; but he is waited for once only.
            if self._lost:
                return
            try:
                self._send(jsonrpc.notification("progress", ProgressOf(id=number, **progress.model_dump())))
            except OSError:
                self._lost = True

        return report

    def _send(self, data: bytes) -> None:
        self._socket.settimeout(self._limits.send_seconds)
        self._socket.sendall(data)

    def _stream(self, call: jsonrpc.Call) -> None:
        """Send what comes until the reader closes, or is too slow."""
        try:
            bound = find(call.method)
            wanted = Subscribe.model_validate(jsonrpc.parameters(Subscribe, call.params))
            asked = Asked(self._session(self.caller), self.caller)
            subscribed: Subscribed = carry_out(asked, bound, wanted)
            mailbox = self._hub.join(wanted, asked.session)
        except ControlError as error:
            self._send(jsonrpc.failure(call.id, error))
            return
        try:
            self._send(jsonrpc.answer(call.id, subscribed))
            self._deliver(mailbox)
        finally:
            self._hub.leave(mailbox)

    def _deliver(self, mailbox: Mailbox) -> None:
        poll = select.poll()
        poll.register(self._socket, select.POLLIN | select.POLLHUP)
        poll.register(mailbox, select.POLLIN)
        while True:
            ready = {descriptor for descriptor, _ in poll.poll(HEARTBEAT_SECONDS * 1000)}
            if self._socket.fileno() in ready:
                return  # closed, or it speaks where it should listen
            data = mailbox.take()
            if data is None:
                _log.warning("a stream was ended: its reader is too slow", extra=self._who())
                return
            self._send(data or self._hub.heartbeat())
