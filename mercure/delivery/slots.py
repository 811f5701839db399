"""How many tasks are delivered to a target at a time, over all dispatchers: locked folders, freed by any death."""

from __future__ import annotations

from mercure.delivery.breaker import make_folders, target_folder
from mercure.spool import Claim, Spool, is_locked


def make_slots(spool: Spool, target: str, count: int) -> None:
    """Make the folders of a target's slots where they are missing."""
    folder = target_folder(spool, target)
    make_folders(folder.parent, folder, *(folder / _name(number) for number in range(count)))


def take_slot(spool: Spool, target: str, count: int) -> Claim | None:
    """Take a free slot of a target; None when all are taken. Release the claim to free it."""
    for number in range(count):
        claim = Claim.take(target_folder(spool, target) / _name(number))
        if claim is not None:
            return claim
    return None


def any_taken(spool: Spool, target: str, *, besides: Claim) -> bool:
    """Tell whether somebody holds a slot of a target other than `besides`, in whatever number they were made."""
    return any(path != besides.path and is_locked(path) for path in target_folder(spool, target).glob("slot-*"))


def slots_taken(spool: Spool, target: str) -> int:
    """Count the slots of a target that somebody holds."""
    return sum(is_locked(path) for path in target_folder(spool, target).glob("slot-*"))


def _name(number: int) -> str:
    return f"slot-{number:02d}"
