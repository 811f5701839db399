"""Client of a router behind its socket.

Each call has a connection of its own: on a Unix socket it costs less than the bookkeeping of kept ones, and none can be
left over from before the control service was restarted.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from appliance.control.rpc.client import Client, ControlError, DisconnectedError, Stream, Verb, api
from tui.router_protocol import OnProgress


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
