"""Admission of tasks to a target: by the target itself, or by the member of a group that its strategy chooses.

The dispatcher asks the route of a target for a permit, and neither knows nor cares which kind it is. A route lives for
one turn: it reads the breakers once, and remembers which members have no room.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from mercure import durable
from mercure.config import Retry, TargetSettings
from mercure.delivery.acceptance import read_acceptance
from mercure.delivery.destinations import counted_at
from mercure.delivery.policy import is_suspect
from mercure.delivery.strategies import STRATEGIES, MemberChoice, rejoin
from mercure.delivery.target_breaker import read_outage, target_folder
from mercure.delivery.target_outage import TargetOutage
from mercure.model import Record, read_state
from mercure.scheduling.queue import TaskQueue
from mercure.scheduling.slots import Slots
from mercure.spool import Claim, Spool, Task
from mercure.spool.hints import exclusive
from mercure.targets import GroupSettings

SLOT_SECONDS: Final = 1.0
"""Wait for a slot that another dispatcher holds."""

LOOK_SECONDS: Final = 1.0
"""So soon a target that is down is looked at again: anybody may have found out that it is back."""

ALL_DISABLED_SECONDS: Final = 30.0


@dataclass(frozen=True)
class Deferral:
    """No permit now.

    Parameters
    ----------
    seconds : float
        When it may be asked for again, if nothing wakes the dispatcher before.
    everybody : bool
        No other task of this target has better prospects now.
    """

    seconds: float
    everybody: bool = True


@dataclass(frozen=True)
class Permit:
    """Permit to deliver one task now.

    Parameters
    ----------
    name : str
        The target that takes it.
    settings : TargetSettings
        That target's.
    group : str or None
        The group in whose name it takes the task.
    counted : frozenset of str, optional
        The destinations whose confirmations count, where they are not the target's own alone.
    slot : Claim
        A slot there, to be released at the end.
    probe : bool
        It could not be reached: it must be asked first whether it is back.
    one_first : bool
        It took no image when it was last given one: one goes, and the others when it takes that.
    patience : float, optional
        The longest wait in seconds for the answer to an image: its slot is the last, for which others wait.
    holds : callable
        Re-checks the task's model under its claim; False if the permit no longer holds.
    settle : callable
        Called at the end with the number of images that were taken.
    """

    name: str
    settings: TargetSettings
    slot: Claim
    group: str | None = None
    counted: frozenset[str] | None = None
    probe: bool = False
    one_first: bool = False
    patience: float | None = None
    holds: Callable[[Task], bool] = lambda task: True
    settle: Callable[[int], None] = lambda taken: None


class Route(Protocol):
    """The route to a target, for one turn of the dispatcher."""

    def admit(self, task: Task) -> Permit | Deferral:
        """Ask for a permit to deliver a task of this target."""

    def retry(self, task: Task) -> Retry:
        """Return the settings by which the task's next attempt is due."""

    def others_in_flight(self, permit: Permit) -> bool:
        """Tell whether anything but the task of `permit` may be in flight; True when in doubt."""


class PlainRoute:
    """The route to a target that takes its tasks itself."""

    def __init__(self, context: RouteContext) -> None:
        self._context = context
        self._settings = context.targets[context.name]
        self._outage = read_outage(context.spool, context.name)
        self._left = self._outage.seconds_left(self._settings.retry, context.now) if self._outage else 0.0
        self._given = False
        self._slots = TargetSlots(context, context.name)

    def admit(self, task: Task) -> Permit | Deferral:
        """Give a permit as long as there are slots; while the target takes no image, to one task at a time."""
        wait = self._wait(task)
        if wait is not None:
            return wait
        outage = self._outage
        slot = self._slots.take(task, on_trial=outage is not None and not self._any_slot)
        if slot is None:
            # A worker of ours wakes the loop at its end; one of another dispatcher does not.
            return Deferral(SLOT_SECONDS, everybody=not is_suspect(task))
        if outage is None and read_outage(self._context.spool, self._context.name) is not None:
            # Whoever had the slot before found out, and noted it before the slot was free.
            slot.release()
            return Deferral(SLOT_SECONDS)
        # One question or image a turn: a target that refuses at once would else be asked for every task that waits.
        self._given = outage is not None
        return Permit(
            self._context.name,
            self._settings,
            slot,
            probe=outage is not None and not outage.by_image,
            one_first=outage is not None and outage.by_image,
            patience=self._slots.patience(task, slot),
        )

    @property
    def _any_slot(self) -> bool:
        """Whether an image at which the target hangs should keep no other from being tried."""
        return self._outage is not None and self._outage.by_image and self._outage.kind != "unable"

    def _wait(self, task: Task) -> Deferral | None:
        """Tell how long a task waits for the target to be back; None when it goes."""
        outage = self._outage
        if outage is None:
            return None
        if self._given:
            return Deferral(SLOT_SECONDS)
        if not outage.by_image:
            return Deferral(min(self._left, LOOK_SECONDS)) if self._left else None
        left = self._left
        if left and not tried_since(task, outage.since):
            left = min(left, outage.pace(self._context.now, task.created))
        return Deferral(min(left, LOOK_SECONDS), everybody=False) if left else None

    def retry(self, task: Task) -> Retry:
        """Return the target's own."""
        return self._settings.retry

    def others_in_flight(self, permit: Permit) -> bool:
        """Look at the slots."""
        return self._slots.taken(besides=permit.slot) > 0


class TargetSlots:
    """The slots of one target, of which the last is for tasks whose images it was not seen to fail at.

    So an image at which it hangs keeps no other task from being tried: tried again it leaves that slot free, and the
    first time it may stay there only for a while.

    Parameters
    ----------
    context : RouteContext
        What the route knows.
    name : str
        The target.
    """

    def __init__(self, context: RouteContext, name: str) -> None:
        self._slots = Slots(target_folder(context.spool, name))
        self._acceptance = read_acceptance(context.spool, name)
        self._room = self._acceptance.room(context.targets[name].concurrency, context.now)
        self._now = context.now

    def take(self, task: Task, *, on_trial: bool = False) -> Claim | None:
        """Take a slot for a task; None when there is none for it. On trial it is the last, for whoever is next."""
        if on_trial:
            return self._slots.take(self._room, self._room - 1)
        return self._slots.take(max(1, self._room - 1) if is_suspect(task) else self._room)

    def patience(self, task: Task, slot: Claim) -> float | None:
        """Return how long the answer to an image may keep a slot; None for as long as the settings say."""
        last = self._slots.is_last(slot, self._room) and not is_suspect(task)
        return self._acceptance.patience(self._now) if last else None

    def taken(self, besides: Claim) -> int:
        """Count those that are taken besides one."""
        return self._slots.taken(besides)


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


class GroupRoute:
    """The route to a target group.

    Members that are down are left out here, and asked by `mercure.delivery.health_probe` whether they are back. A task
    that was begun with a member goes on with it as long as it is up, and begins anew at the next one unless the group
    splits tasks.
    """

    def __init__(self, context: RouteContext) -> None:
        settings = context.targets[context.name]
        assert isinstance(settings, GroupSettings)  # noqa: S101 - by the registry below; this tells mypy
        self._context = context
        self._settings = settings
        self._rules = STRATEGIES[settings.strategy]
        self._book = ShareBook(context.spool, context.name)
        self._full: set[str] = set()
        self._nobody = False
        self._on_trial: set[str] = set()
        self._wait = ALL_DISABLED_SECONDS
        self._resting: dict[str, TargetOutage] = {}
        self._up = self._who_is_up()

    def _who_is_up(self) -> dict[str, float]:
        """Find out to whom tasks may go; where nobody is up, to whom those may that were not tried yet."""
        up: list[str] = []
        for member in self._settings.members:
            own = self._context.targets[member]
            if own.disabled:
                continue
            outage = read_outage(self._context.spool, member)
            left = outage.seconds_left(own.retry, self._context.now) if outage else 0.0
            if outage is not None and outage.by_image:
                self._on_trial.add(member)
                if left:
                    self._resting[member] = outage
            if outage is None or (outage.by_image and not left):
                up.append(member)
            else:
                self._wait = min(self._wait, LOOK_SECONDS)
        if up:
            self._resting.clear()
        return {member: self._settings.weights.get(member, 1.0) for member in up or self._resting}

    def _rests(self, task: Task) -> bool:
        """Tell whether all members rest, for this task: they take no image, and it is not a new one."""
        now, made = self._context.now, task.created
        return bool(self._resting) and all(
            tried_since(task, outage.since) or outage.pace(now, made) for outage in self._resting.values()
        )

    def admit(self, task: Task) -> Permit | Deferral:
        """Let the strategy choose a member, and take a slot there."""
        if not self._up:
            return Deferral(self._wait)
        if self._rests(task):
            return Deferral(self._wait, everybody=False)
        if self._full.issuperset(self._up):
            return Deferral(SLOT_SECONDS)
        begun = task.member if task.member in self._up else None
        if begun in self._full or (begun is None and self._nobody):
            return Deferral(SLOT_SECONDS, everybody=False)
        images = owed(task) if begun or self._settings.split else max(1, task.images)
        amount = self._rules.amount(images)
        permit: Permit | None = None
        try:
            with self._shares(amount) as taken:
                permit = self._first_free([begun] if begun else self._prefer(task, amount, taken), task, images)
                if permit is not None:
                    taken[permit.name] = taken.get(permit.name, 0.0) + amount
        except BaseException:
            if permit is not None:
                permit.slot.release()  # the shares could not be written: nobody goes there
            raise
        if permit is not None:
            return permit
        # Where shares decide, whoever is next is waited for: nobody else without a member of its own gets by.
        self._nobody = self._nobody or (begun is None and amount > 0 and not is_suspect(task))
        return Deferral(SLOT_SECONDS, everybody=False)

    def retry(self, task: Task) -> Retry:
        """Return that of the member which has the task; the most patient of all for one that no member has yet."""
        members = [self._context.targets[name].retry for name in self._settings.members]
        if task.member in self._settings.members:
            return self._context.targets[task.member].retry
        return max(members, key=lambda retry: retry.cap_seconds)

    def others_in_flight(self, permit: Permit) -> bool:
        """Look at the slots of all members; what they take as targets of their own counts too, which is harmless."""
        return any(self._slots_of(name).taken(besides=permit.slot) for name in self._settings.members)

    def _prefer(self, task: Task, amount: float, taken: Mapping[str, float]) -> Iterable[str]:
        queued = {name: self._context.queue.images_for(name) for name in self._up}
        return self._rules.prefer(MemberChoice(task, self._up, amount, taken, queued))

    def _first_free(self, names: Iterable[str], task: Task, images: int) -> Permit | None:
        for name in names:
            slot = self._slot(name, task)
            if slot is not None:
                return self._permit(name, slot, task, images)
        return None

    @contextlib.contextmanager
    def _shares(self, amount: float) -> Iterator[dict[str, float]]:
        if amount:
            with self._book.open(self._up) as taken:
                yield taken
        else:
            yield {}

    def _slot(self, name: str, task: Task) -> Claim | None:
        slot = None
        if name not in self._full:
            slot = self._slots_of(name).take(task, on_trial=name in self._on_trial)
        if name in self._on_trial or (slot is None and not is_suspect(task)):
            self._full.add(name)
        return slot

    def _slots_of(self, name: str) -> TargetSlots:
        return TargetSlots(self._context, name)

    def _permit(self, name: str, slot: Claim, task: Task, images: int) -> Permit:
        def holds(task: Task) -> bool:
            """Somebody else may have begun the task with another member since the queue looked."""
            return task.member in (None, name) or task.member not in self._up or self._is_down(task.member)

        def settle(taken: int) -> None:
            more = self._rules.amount(images) - self._rules.amount(min(taken, images))
            if more:
                self._book.give_back(name, more)

        own = self._context.targets[name]
        counted = counted_at(self._settings, own, self._context.targets)
        return Permit(
            name,
            own,
            slot,
            self._context.name,
            counted,
            one_first=name in self._on_trial,
            patience=self._slots_of(name).patience(task, slot),
            holds=holds,
            settle=settle,
        )

    def _is_down(self, name: str) -> bool:
        return read_outage(self._context.spool, name) is not None


def tried_since(task: Task, since: datetime) -> bool:
    """Tell whether a task was tried since an instant."""
    return bool(task.attempts) and task.attempts[-1].started + timedelta(seconds=task.attempts[-1].seconds) >= since


def owed(task: Task) -> int:
    """Count the images that are still to be sent, as far as the attempts on record say."""
    return max(1, task.images - sum(attempt.confirmed for attempt in task.attempts))


@dataclass(frozen=True)
class RouteContext:
    """What a route needs to know.

    Parameters
    ----------
    spool : Spool
        Where the state of the targets is.
    queue : Queue
        What waits.
    targets : mapping of str to TargetSettings
        All of the configuration.
    name : str
        The target.
    now : datetime
        Aware instant.
    """

    spool: Spool
    queue: TaskQueue
    targets: Mapping[str, TargetSettings]
    name: str
    now: datetime


_ROUTES: Final[Mapping[str, Callable[[RouteContext], Route]]] = {"group": GroupRoute}
"""Kinds that do not take their tasks themselves."""


def open_route(context: RouteContext) -> Route:
    """Return the route to a target, for this turn."""
    return _ROUTES.get(context.targets[context.name].kind, PlainRoute)(context)
