"""A target in this process, by pynetdicom, that answers each C-STORE as a test wants it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pynetdicom import AE, evt
from pynetdicom.sop_class import CTImageStorage  # type: ignore[attr-defined]

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def store_node(
    port: int,
    store: Callable[[Any], Any],
    *,
    on_release: Callable[[], object] = lambda: None,
    **settings: Any,
) -> Iterator[None]:
    """Run it.

    Parameters
    ----------
    port
        Where it listens on 127.0.0.1.
    store
        Is given each C-STORE as pynetdicom's event, and returns the status.
    on_release
        Called when an association was released.
    settings
        Attributes of pynetdicom's ``AE``.
    """
    entity = AE(ae_title="ARCHIVE")
    entity.add_supported_context(CTImageStorage)
    for name, value in settings.items():
        setattr(entity, name, value)
    handlers: list[Any] = [(evt.EVT_C_STORE, store), (evt.EVT_RELEASED, lambda _event: on_release())]
    server = entity.start_server(("127.0.0.1", port), block=False, evt_handlers=handlers)
    assert server is not None
    try:
        yield
    finally:
        server.shutdown()
