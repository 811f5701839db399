"""What keeps something from going on until the test lets it: an answer, a verb; and counters that stand still."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from appliance.control.registry import Asked, find
from appliance.control.rpc.client import api
from tests.tui.screenplay import SECONDS

if TYPE_CHECKING:
    import pytest

    from appliance.control.rpc.client import Progress
    from tui.router_client import RouterProtocol


LONGEST_SCENE = 600.0
"""Seconds after which a verb is let go without its test: so that a test that died does not keep a router for ever."""


class Held:
    """A verb of the router that tells how far it is, and ends when it may."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, verb: str, *told: Progress) -> None:
        bound = find(verb)
        self._really = bound.run
        self._told = told
        self.let = threading.Event()
        monkeypatch.setitem(vars(bound), "run", self._run)

    def _run(self, asked: Asked, wanted: Any) -> Any:
        for progress in self._told:
            asked.report(progress)
        assert self.let.wait(LONGEST_SCENE)
        return self._really(asked, wanted)


class HeldBack:
    """A router whose answers to some verbs come only when the test lets them."""

    def __init__(self, source: RouterProtocol) -> None:
        self._source = source
        self._verbs: tuple[str, ...] = ()
        self.asked: list[str] = []
        self.let = threading.Event()

    def hold(self, *verbs: str) -> None:
        """Keep the answers of these back from now on."""
        self.asked.clear()
        self._verbs = verbs

    def call(self, verb: Any, request: Any, progress: Any = None) -> Any:
        """Ask, and keep the answer back."""
        self.asked.append(verb.name)
        try:
            return self._source.call(verb, request, progress)
        finally:
            if verb.name in self._verbs:
                self.let.wait(SECONDS)

    def stream(self, request: Any) -> Any:
        """Subscribe."""
        return self._source.stream(request)


class Counted:
    """A router that has counted something for two minutes and counts no more: the little bars stand still.

    Parameters
    ----------
    source : RouterProtocol
        The router; its own counters are left out.
    counters : iterable of CountersItem
        What it tells instead, as soon as somebody subscribes.
    """

    def __init__(self, source: RouterProtocol, counters: tuple[api.streams.CountersItem, ...]) -> None:
        self._source = source
        self._counters = counters

    def call(self, verb: Any, request: Any, progress: Any = None) -> Any:
        """Ask."""
        return self._source.call(verb, request, progress)

    @contextmanager
    def stream(self, request: Any) -> Iterator[Iterator[api.streams.Item]]:
        """Subscribe."""
        with self._source.stream(request) as items:
            yield self._items(items)

    def _items(self, items: Iterator[api.streams.Item]) -> Iterator[api.streams.Item]:
        yield from self._counters
        for item in items:
            if not isinstance(item, api.streams.CountersItem):
                yield item
