"""See `mercure.history.queries`."""

from mercure.history.queries import RECORDED_AS

__all__ = ["RECORDED_AS"]
