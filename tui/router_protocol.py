"""Protocol of a router, as the screens use it: the control API in two methods."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Protocol

from appliance.control.rpc.client import Progress, Verb, api

OnProgress = Callable[[Progress], None]


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
