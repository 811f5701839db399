"""Talking to the control service: `Client` for requests, `Stream` for what happens. Faces import only this module.

    with Client(root) as client:
        queue = client.call(api.queue.LIST, api.queue.ListQueue(limit=50))

The models of all requests and answers are in `api`, by group. A client serves one thread at a time; make one for each.
After a `DisconnectedError` the next call connects anew. A long action that has begun is not lost with its connection:
the client joins it again by itself.
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json

from appliance.control import api
from appliance.control.api.base import (
    ROLES,
    A,
    AnyVerb,
    Difference,
    ErrorData,
    Nothing,
    Problem,
    Progress,
    Q,
    Role,
    Saved,
    Verb,
)
from appliance.control.errors import KIND_OF, MEANING, ControlError, Kind
from appliance.control.rpc import jsonrpc
from mercure.model import described_schema

if TYPE_CHECKING:
    from appliance.control.api.streams import Item, Topic

CONNECT_SECONDS: Final = 5.0

CALL_SECONDS: Final = 300.0
"""The longest that a verb may take; the usual one takes some milliseconds. With progress each one begins it anew."""


REJOIN_SECONDS: Final = 30.0
"""How long it is tried to join a long action again whose connection was lost."""

_PAUSE: Final = 0.2


class DisconnectedError(Exception):
    """There is no control service, or no more; the text says what was met."""


class Client:
    """A connection for requests, made when it is first needed; a context manager that closes it.

    Parameters
    ----------
    root : Path
        The folder of the router.
    seconds : float
        The longest wait for an answer, or for the next sign of progress.
    """

    def __init__(self, root: Path, *, seconds: float = CALL_SECONDS) -> None:
        self._run = root.absolute() / "run"
        self._seconds = seconds
        self._socket: socket.socket | None = None
        self._lines: jsonrpc.Lines | None = None
        self._number = 0
        self._job = ""

    def __enter__(self) -> Client:
        """Return the client itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    def connect(self) -> None:
        """Connect, if it is not yet.

        Raises
        ------
        DisconnectedError
            Nobody serves there.
        ControlError
            ``not-allowed``: this user may not open the socket.
        """
        if self._socket is None:
            self._socket = _connect(self._run)
            self._lines = jsonrpc.Lines(self._socket, jsonrpc.MAX_ANSWER_BYTES)

    def call(
        self, verb: Verb[Q, A], request: Q | None = None, *, progress: Callable[[Progress], None] | None = None
    ) -> A:
        """Ask for a verb.

        Parameters
        ----------
        verb : Verb
            One of `api`.
        request : model, optional
            The verb's request; may be left away where all of it has defaults.
        progress : callable, optional
            Told how far a long action has come.

        Returns
        -------
        model
            The verb's answer.

        Raises
        ------
        ControlError
            It was refused or did not work; its ``kind`` tells why and ``advice`` what to do.
        DisconnectedError
            The service ended, or did not answer in time. A change may have been made all the same.
        """
        self._job = ""
        try:
            return self._ask(verb, request if request is not None else verb.request(), progress)
        except DisconnectedError as lost:
            if not self._job:
                raise
            return self._join(verb, self._job, progress, lost)

    def _ask(self, verb: Verb[Q, A], request: Q, progress: Callable[[Progress], None] | None) -> A:
        self.connect()
        self._number += 1
        try:
            return self._exchange(verb, request, progress)
        except (OSError, jsonrpc.TooLongError) as error:
            self.close()
            raise _gone(error) from error
        except BaseException as error:
            if not isinstance(error, ControlError):
                self.close()  # the answer would be taken for that of the next request
            raise

    def _join(
        self, verb: Verb[Q, A], job: str, progress: Callable[[Progress], None] | None, lost: DisconnectedError
    ) -> A:
        """Follow a long action over a new connection, and return what it came to."""
        end = time.monotonic() + REJOIN_SECONDS
        while True:
            begun = time.monotonic()
            try:
                found = self._ask(api.jobs.JOIN, api.jobs.OneJob(job=job), progress)
            except DisconnectedError:
                if time.monotonic() - begun > 1:  # it was joined, and lost once more
                    end = time.monotonic() + REJOIN_SECONDS
                if time.monotonic() > end:
                    raise lost from None
                time.sleep(_PAUSE)
                continue
            except ControlError as error:
                raise DisconnectedError(f"{lost}; {error.text}") from error
            if found.error is not None:
                raise _raised(found.error.kind, found.error.text, found.error)
            return _read_answer(verb.answer, verb.name, found.answer)

    def whoami(self) -> api.status.WhoAmI:
        """Tell who asks, and what he may."""
        return self.call(api.status.WHO_AM_I)

    def status(self) -> api.status.Status:
        """Tell how the router is."""
        return self.call(api.status.GET)

    def alerts(self) -> tuple[api.status.Alert, ...]:
        """Tell what a person should look at."""
        return self.call(api.status.ALERTS).alerts

    def _exchange(self, verb: Verb[Q, A], request: Q, progress: Callable[[Progress], None] | None) -> A:
        connection, lines = self._socket, self._lines
        if connection is None or lines is None:
            raise DisconnectedError("the client is closed")
        connection.settimeout(self._seconds)
        connection.sendall(jsonrpc.request(self._number, verb.name, request))
        while True:
            line = lines.read(idle=self._seconds, seconds=self._seconds)
            if line is None:
                self.close()
                raise DisconnectedError("the control service closed the connection")
            message = _object_of(line)
            if "method" in message:
                if message["method"] == "progress":
                    told = Progress.model_validate(_without_id(message["params"]))
                    self._job = told.job or self._job
                    if progress is not None:
                        progress(told)
                continue
            if message.get("error") is not None:
                raise _error_of(message["error"])
            if message.get("id") != self._number:
                raise DisconnectedError("the control service answered another question")
            return _read_answer(verb.answer, verb.name, message["result"])

    def close(self) -> None:
        """Close the connection; a call opens it again."""
        if self._socket is not None:
            self._socket.close()
            self._socket = self._lines = None


M = TypeVar("M", bound=BaseModel)


def _read_answer(model: type[M], name: str, value: object) -> M:
    """Read an answer. A service of a later release may say more than is known here: screens stay open over an upgrade.

    Raises
    ------
    ControlError
        It is of a release that says less, or something else.
    """
    try:
        return model.model_validate(value, extra="ignore")
    except ValidationError as error:
        text = f"the answer to {name} cannot be read: {error.errors()[0]['msg']}"
        advice = "this program is of another release than the service: end it and start it again"
        raise ControlError("failed", text, advice) from error


class Stream:
    """What happens, item by item; a context manager that ends it.

    Parameters
    ----------
    root : Path
        The folder of the router.
    topics : str
        ``events``, ``counters``, ``status``, ``logs``.
    types : tuple of str
        Of which events (``task.`` stands for all that begin so); empty: all but those of single images.
    logs : tuple of str
        Processes or services whose new log lines are wanted.

    Raises
    ------
    DisconnectedError
        Nobody serves there.
    ControlError
        This user may not, or there is no such log.
    """

    def __init__(self, root: Path, *topics: Topic, types: tuple[str, ...] = (), logs: tuple[str, ...] = ()) -> None:
        self._socket = _connect(root.absolute() / "run")
        self._lines = jsonrpc.Lines(self._socket, jsonrpc.MAX_ANSWER_BYTES)
        self._closed = False
        try:
            wanted = api.streams.Subscribe(topics=topics, types=types, logs=logs)
            self._socket.sendall(jsonrpc.request(1, api.streams.SUBSCRIBE.name, wanted))
            message = self._read(CONNECT_SECONDS)
            if message is None:
                raise DisconnectedError("the control service does not answer")
            if message.get("error") is not None:
                raise _error_of(message["error"])
            beat = _read_answer(api.streams.Subscribed, api.streams.SUBSCRIBE.name, message["result"]).heartbeat_seconds
            self._silence = 3 * beat
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Stream:
        """Return the stream itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it."""
        self.close()

    def items(self) -> Iterator[Item]:
        """Yield items as they come; also heartbeats, so that a loop over it can look at other things now and then.

        It ends when `close` is called, from this thread or another.

        Raises
        ------
        DisconnectedError
            The service ended, or is silent for longer than it ever should be.
        """
        while not self._closed:
            message = self._read(self._silence)
            if message is None:
                return
            model = api.streams.ITEMS.get(str(message.get("method")))
            if model is not None:
                yield _read_answer(model, str(message["method"]), message["params"])

    def close(self) -> None:
        """End the stream; from any thread."""
        if not self._closed:
            self._closed = True
            # Closing alone would not wake a thread that reads.
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
            self._socket.close()

    def _read(self, seconds: float) -> dict[str, Any] | None:
        try:
            line = self._lines.read(idle=seconds, seconds=seconds)
        except (OSError, jsonrpc.TooLongError) as error:
            if self._closed:
                return None
            raise _gone(error) from error
        if line is None:
            if self._closed:
                return None
            raise DisconnectedError("the control service ended the stream: it was ended, or we are too slow for it")
        return _object_of(line)


def _connect(run: Path) -> socket.socket:
    """Connect to the control service of a router by its folder ``run/``."""
    try:
        return jsonrpc.connect(run, CONNECT_SECONDS)
    except PermissionError as error:
        advice = "have an administrator add you to the group mercure-viewer"
        raise ControlError(
            "not-allowed", f"you may not open {run / jsonrpc.SOCKET_NAME}", advice, role="viewer"
        ) from error
    except OSError as error:
        raise DisconnectedError(f"no control service answers in {run}: {error.strerror or error}") from error


def _object_of(line: bytes) -> dict[str, Any]:
    """Read a line of the service."""
    value = from_json(line)
    if not isinstance(value, dict):
        raise DisconnectedError("the control service answered something else than JSON-RPC")
    return value


def _without_id(params: dict[str, Any]) -> dict[str, Any]:
    """Return what a notification tells, without of which request."""
    return {key: value for key, value in params.items() if key != "id"}


def _error_of(error: dict[str, Any]) -> ControlError:
    """Turn the error of an answer into an exception."""
    data = ErrorData.model_validate(error.get("data", {"kind": "internal"}))
    return _raised(KIND_OF.get(int(error["code"]), "failed"), str(error["message"]), data)


def _raised(kind: str, text: str, data: ErrorData) -> ControlError:
    """Make the exception of what an error tells."""
    known: Kind = kind if kind in MEANING else "failed"
    return ControlError(known, text, data.advice, role=data.role, problems=data.problems, difference=data.difference)


def _gone(error: Exception) -> DisconnectedError:
    """Say how a connection was lost."""
    if isinstance(error, TimeoutError):
        return DisconnectedError("the control service does not answer")
    return DisconnectedError(f"the connection to the control service is lost: {error}")


__all__ = [
    "ROLES",
    "AnyVerb",
    "Client",
    "ControlError",
    "Difference",
    "DisconnectedError",
    "Kind",
    "Nothing",
    "Problem",
    "Progress",
    "Role",
    "Saved",
    "Stream",
    "Verb",
    "api",
    "described_schema",
]
