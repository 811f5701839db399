"""How many runs a module has at a time, over all processors: locked folders, freed by any death."""

from __future__ import annotations

from mercure import durable
from mercure.processing.module_health import make_folder, module_folder
from mercure.spool import Claim, Spool, is_locked


def take_slot(spool: Spool, module: str, count: int) -> Claim | None:
    """Take a free slot of a module; None when all are taken. Release the claim to free it."""
    folder = module_folder(spool, module)
    make_folder(folder)
    for number in range(count):
        path = folder / f"slot-{number:04d}"
        if not path.is_dir():
            durable.make_directory(path, sync=False)
        claim = Claim.take(path)
        if claim is not None:
            return claim
    return None


def others_running(spool: Spool, module: str, own: Claim) -> bool:
    """Tell whether somebody holds a slot of a module other than `own`."""
    return any(path != own.path and is_locked(path) for path in module_folder(spool, module).glob("slot-*"))
