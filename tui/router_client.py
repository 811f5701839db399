"""Client of a router behind its socket, and the protocol by which screens use any router.

Each call has a connection of its own: on a Unix socket it costs less than the bookkeeping of kept ones, and none can be
left over from before the control service was restarted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

from appliance.control.rpc.client import Client, ControlError, DisconnectedError, Progress, Stream, Verb, api

OnProgress = Callable[[Progress], None]


class RouterClient:
    """The router of a root.

    Parameters
    ----------
    root : Path
        Its folder.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def call(
        self, verb: Verb[api.base.Q, api.base.A], request: api.base.Q, progress: OnProgress | None = None
    ) -> api.base.A:
        """Ask for a verb."""
        with _told(), Client(self._root) as client:
            return client.call(verb, request, progress=progress)

    @contextmanager
    def stream(self, request: api.streams.Subscribe) -> Iterator[Iterator[api.streams.Item]]:
        """Subscribe."""
        with _told(), Stream(self._root, *request.topics, types=request.types, logs=request.logs) as stream:
            yield stream.items()


@contextmanager
def _told() -> Iterator[None]:
    """Turn the end of a connection into the one error that screens know."""
    try:
        yield
    except DisconnectedError as error:
        advice = "a change may have been made all the same; look before you try again"
        raise ControlError("not-running", str(error), advice) from error


class RouterProtocol(Protocol):
    """A router. Each call may come from another thread, and raises `ControlError`."""

    def call(
        self, verb: Verb[api.base.Q, api.base.A], request: api.base.Q, progress: OnProgress | None = None
    ) -> api.base.A:
        """Ask for a verb; `progress` is called with how far a long one has come."""
        ...

    def stream(self, request: api.streams.Subscribe) -> AbstractContextManager[Iterator[api.streams.Item]]:
        """Subscribe; the stream ends when the block does, or with an error when the router is gone."""
        ...
