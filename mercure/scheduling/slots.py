"""Slots: how many tasks a target or module has at a time, over all processes. Locked folders, freed by any death."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mercure.spool import Claim, is_locked
from mercure.spool.hints import make_folders


@dataclass(frozen=True)
class Slots:
    """The slots of one target or module.

    Parameters
    ----------
    folder : Path
        Where what is known of it is; made when it is needed.
    digits : int
        Of the numbers in the names of the slots.
    """

    folder: Path
    digits: int = 2

    def take(self, count: int, first: int = 0) -> Claim | None:
        """Take a free one of the first `count` slots; None when all are taken. Release the claim to free it.

        With `first` those before that one are left alone.
        """
        for number in range(first, count):
            path = self._path(number)
            claim = Claim.take(path)
            if claim is None and not path.is_dir():
                make_folders(self.folder.parent, self.folder, path)
                claim = Claim.take(path)
            if claim is not None:
                return claim
        return None

    def is_last(self, slot: Claim, count: int) -> bool:
        """Tell whether a slot is the last of so many: that which is taken when all others are."""
        return slot.path == self._path(count - 1)

    def taken(self, besides: Claim | None = None) -> int:
        """Count the slots that somebody holds other than `besides`, in whatever number they were made."""
        own = besides.path if besides is not None else None
        return sum(path != own and is_locked(path) for path in self.folder.glob("slot-*"))

    def _path(self, number: int) -> Path:
        return self.folder / f"slot-{number:0{self.digits}d}"
