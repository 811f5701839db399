"""Moves: one rename from one stage to the next."""

from __future__ import annotations

import errno

from mercure import durable
from mercure.spool.claim import Claim
from mercure.spool.layout import Spool, Stage


def move(spool: Spool, claim: Claim, stage: Stage, name: str | None = None) -> None:
    """Move a claimed directory to another stage, in one rename that is durable on return.

    Parameters
    ----------
    claim : Claim
        The claim on the directory; its `path` is the new one afterwards.
    stage : Stage
        Where to.
    name : str, optional
        New name; the old one when absent.

    Raises
    ------
    FileExistsError
        That name is taken there.
    OSError
        I/O failed. The directory is then in one place or the other, never in both.
    """
    destination = spool.entry(stage, name or claim.path.name)
    try:
        durable.rename(claim.path, destination)
    except OSError as error:
        if destination.is_dir() and not claim.path.exists():
            # The rename was done and a sync failed: the path must be true for the error's handler.
            claim.path = destination
        elif error.errno in (errno.ENOTEMPTY, errno.EEXIST):
            raise FileExistsError(errno.EEXIST, "a task of this name is there already", str(destination)) from error
        raise
    claim.path = destination
