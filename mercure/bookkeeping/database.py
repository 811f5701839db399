"""See `mercure.history.database`."""

from mercure.history.database import HistoryError

__all__ = ["HistoryError"]
