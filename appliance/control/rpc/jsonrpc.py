"""JSON-RPC 2.0, one object to a line: what goes over the socket, written and read with bounds."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter, ValidationError
from pydantic_core import from_json

from appliance.control.errors import ControlError

SOCKET_NAME: Final = "control.sock"
MAX_REQUEST_BYTES: Final = 4 * 1024 * 1024
"""A whole configuration fits many times over."""

MAX_ANSWER_BYTES: Final = 256 * 1024 * 1024
"""Of one line of an answer: 50,000 tasks are some 40 MB."""

MAX_ID_CHARS: Final = 100
_CHUNK: Final = 256 * 1024


class Call(BaseModel):
    """A request as it stands on the line. One without an id would be changed without an answer, and is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    jsonrpc: Literal["2.0"]
    id: int | str
    method: str = Field(max_length=100)
    params: dict[str, JsonValue] = {}


_IDS: Final[TypeAdapter[int | str | None]] = TypeAdapter(int | str | None)


def parse(line: bytes) -> Call:
    """Read a request.

    Raises
    ------
    ControlError
        ``not-json`` or ``bad-request``.
    """
    try:
        value = from_json(line, allow_inf_nan=False, cache_strings=False)
    except ValueError as error:
        raise ControlError("not-json", f"the line is not JSON: {error}", "send one object to a line") from None
    if isinstance(value, list):
        raise ControlError("bad-request", "a list of requests is not taken", "send them one after the other")
    try:
        call = Call.model_validate(value)
    except ValidationError as error:
        raise ControlError("bad-request", _first(error), "see docs/reference/control-api.md") from None
    if isinstance(call.id, str) and len(call.id) > MAX_ID_CHARS:
        raise ControlError("bad-request", f"the id has more than {MAX_ID_CHARS} characters", "take a number")
    return call


def _first(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    text = first["msg"]
    return f"{place}: {text}"[:500] if place else text[:500]


def id_of(line: bytes) -> int | str | None:
    """Return the id of a request that cannot be taken, as far as it can be made out, for the error to carry."""
    try:
        value = from_json(line)
        found = value.get("id") if isinstance(value, dict) else None
    except ValueError:
        return None
    return found if isinstance(found, int) or (isinstance(found, str) and len(found) <= MAX_ID_CHARS) else None


def parameters(model: type[BaseModel], params: Mapping[str, Any]) -> BaseModel:
    """Turn parameters into the request of a verb.

    Raises
    ------
    ControlError
        ``bad-parameters``, with the place.
    """
    try:
        return model.model_validate(params)
    except ValidationError as error:
        raise ControlError("bad-parameters", _first(error), f"{model.__name__} is wanted") from None


def answer(number: int | str, result: BaseModel) -> bytes:
    """Write an answer."""
    return b'{"jsonrpc":"2.0","id":%s,"result":%s}\n' % (_id(number), result.model_dump_json().encode())


def failure(number: int | str | None, error: ControlError) -> bytes:
    """Write an error."""
    message, data = TypeAdapter(str).dump_json(_clean(error.text)), error.data().model_dump_json().encode()
    head = b'{"jsonrpc":"2.0","id":%s,"error":{"code":%d,"message":' % (_id(number), error.code)
    return b'%s%s,"data":%s}}\n' % (head, message, data)


def notification(method: str, params: BaseModel) -> bytes:
    """Write what nobody asked for: progress, or an item of a stream."""
    return b'{"jsonrpc":"2.0","method":"%s","params":%s}\n' % (method.encode(), params.model_dump_json().encode())


def request(number: int, method: str, params: BaseModel) -> bytes:
    """Write a request; what was not set is left out."""
    text = params.model_dump_json(exclude_unset=True).encode()
    return b'{"jsonrpc":"2.0","id":%d,"method":"%s","params":%s}\n' % (number, method.encode(), text)


def _id(number: int | str | None) -> bytes:
    return _IDS.dump_json(number)


def _clean(text: str) -> str:
    """Return a text that UTF-8 can carry: a file name may hold bytes that are none."""
    return text.encode("utf-8", "replace").decode()


class TooLongError(Exception):
    """A line is longer than allowed."""


class Lines:
    """Reads lines from a socket, within a size and a time.

    Parameters
    ----------
    connection : socket
        Its time-out is set for each read.
    most : int
        Bytes of the longest line.
    clock : callable
        Counts seconds.
    """

    def __init__(self, connection: socket.socket, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._connection = connection
        self._most = most
        self._clock = clock
        self._buffer = bytearray()
        self._looked = 0

    def read(self, *, idle: float | None, seconds: float | None) -> bytes | None:
        """Read one line.

        Parameters
        ----------
        idle : float or None
            How long to wait for its first byte; None: for ever.
        seconds : float or None
            From the first byte to the last.

        Returns
        -------
        bytes or None
            Without its end; None when the other side has closed.

        Raises
        ------
        TimeoutError
            It took longer.
        TooLongError
            It is longer than allowed.
        """
        end: float | None = None
        while True:
            line = self._take()
            if line is not None:
                return line
            if len(self._buffer) > self._most:
                raise TooLongError
            if self._buffer and end is None and seconds is not None:
                end = self._clock() + seconds
            left = idle if end is None else end - self._clock()
            if left is not None and left <= 0:
                raise TimeoutError
            self._connection.settimeout(left)
            data = self._connection.recv(_CHUNK)
            if not data:
                return None
            self._buffer += data

    def _take(self) -> bytes | None:
        at = self._buffer.find(b"\n", self._looked)
        if at < 0:
            self._looked = len(self._buffer)
            return None
        if at > self._most:
            raise TooLongError
        line = bytes(self._buffer[:at])
        del self._buffer[: at + 1]
        self._looked = 0
        return line


def connect(run: Path, seconds: float) -> socket.socket:
    """Connect to the control socket in a folder by the folder's descriptor: ``sun_path`` in unix(7) has 107 bytes.

    Raises
    ------
    OSError
        As the system says.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        with short_path(run) as path:
            connection.settimeout(seconds)
            connection.connect(f"{path}/{SOCKET_NAME}")
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def short_path(folder: Path) -> Iterator[str]:
    """Give a path to a folder that is short, as long as the block lasts."""
    descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)
