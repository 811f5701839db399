"""A node that takes some SOP classes in some transfer syntaxes, and counts associations and messages."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pynetdicom import AE, build_context, evt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence


@dataclass
class Seen:
    """What came to a node."""

    port: int
    open: int = 0
    most_open: int = 0
    requests: int = 0
    messages: list[str] = field(default_factory=list)
    images: list[str] = field(default_factory=list)
    """The transfer syntax of each image that came."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, event: Any) -> None:
        with self.lock:
            self.requests += 1
            self.open += 1
            self.most_open = max(self.most_open, self.open)

    def end(self, event: Any) -> None:
        with self.lock:
            self.open -= 1

    def message(self, event: Any) -> None:
        self.messages.append(type(event.message).__name__)

    def store(self, event: Any) -> int:
        self.images.append(str(event.context.transfer_syntax))
        return 0x0000


@contextmanager
def node(
    port: int,
    contexts: Mapping[str, Sequence[str]],
    *,
    refuse: Callable[[Seen, Any], None] | None = None,
    **settings: Any,
) -> Iterator[Seen]:
    """Run a node that takes some SOP classes, each in some transfer syntaxes."""
    seen = Seen(port)
    entity = AE(ae_title="NODE")
    entity.supported_contexts = [build_context(sop_class, list(it)) for sop_class, it in contexts.items()]
    for name, value in settings.items():
        setattr(entity, name, value)
    handlers: list[Any] = [
        (evt.EVT_ACCEPTED, seen.begin),
        (evt.EVT_RELEASED, seen.end),
        (evt.EVT_ABORTED, seen.end),
        (evt.EVT_DIMSE_RECV, seen.message),
        (evt.EVT_C_STORE, seen.store),
    ]
    if refuse is not None:
        handlers.append((evt.EVT_REQUESTED, lambda event: refuse(seen, event)))
    server = entity.start_server(("127.0.0.1", port), block=False, evt_handlers=handlers)
    assert server is not None
    try:
        yield seen
    finally:
        server.shutdown()
