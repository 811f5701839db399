"""The shares that the members of a target group have had, kept for all dispatchers together.

A small file in ``state/targets/GROUP/``, changed under ``flock`` on that folder. It is a hint and not synced: without
it all members begin anew as equals.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from mercure import durable
from mercure.delivery.strategies import rejoin
from mercure.delivery.target_breaker import target_folder
from mercure.model import Record, read_state
from mercure.spool import Spool
from mercure.spool.hints import exclusive


class Shares(Record):
    """What the file holds: names and weights of the members that were up, and what each has had."""

    members: dict[str, float] = {}
    taken: dict[str, float] = {}


class ShareBook:
    """The shares of one group.

    Parameters
    ----------
    spool : Spool
        Where its state is.
    group : str
        Its name.
    """

    def __init__(self, spool: Spool, group: str) -> None:
        self._folder = target_folder(spool, group)
        self._path = self._folder / "shares.json"

    @contextmanager
    def open(self, members: Mapping[str, float]) -> Iterator[dict[str, float]]:
        """Give the shares of the members that are up; what the block changes in them is kept.

        Raises
        ------
        OSError
            The state cannot be read or written.
        """
        with exclusive(self._folder):
            known = self._read()
            taken = rejoin(known.taken, known.members, members)
            given = dict(taken)
            yield taken
            if taken != given or known.members != members:
                self._write(Shares(members=dict(members), taken=taken))

    def give_back(self, member: str, amount: float) -> None:
        """Take back what a member was given and did not get."""
        with exclusive(self._folder):
            known = self._read()
            if member in known.taken:
                taken = {**known.taken, member: max(0.0, known.taken[member] - amount)}
                self._write(known.model_copy(update={"taken": taken}))

    def _read(self) -> Shares:
        return read_state(self._path, Shares) or Shares()

    def _write(self, shares: Shares) -> None:
        durable.write_file(self._path, shares.model_dump_json().encode(), sync=False)
