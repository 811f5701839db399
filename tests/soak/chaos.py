"""What happens to the router during the soak: kills, outages, changes of its configuration."""

from __future__ import annotations

import math
import os
import random
import signal
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass
from time import monotonic, time
from typing import TYPE_CHECKING, Any

from appliance.control import api
from appliance.control.errors import ControlError
from appliance.control.rpc.client import Client, DisconnectedError
from mercure.spool import Spool, Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from tests.oracle.record import Disturbances
    from tests.support.recording_node import RecordingNode

UNDECIDED = (Stage.INCOMING, Stage.ROUTING, Stage.STUDIES)
KILLED = ("receiver", "router", "dispatcher", "cleaner", "bookkeeper", "control")


DAY = 86_400.0
WRONG_CLOCKS = (0.0, 9 * DAY, -DAY, 400 * DAY, -26 * 365 * DAY)
"""By how many seconds the clock may be wrong: right again, ahead, back, the year 2000."""

LONGEST_OUTAGE = 40.0
"""Seconds after which a node that is away or full comes back. Left to chance, both members of a group were away for
12 minutes, and a task that waited for them looked like one that is stuck."""


@dataclass
class Turn:
    """One change of a rule that is there and is not there, on the monotonic clock."""

    began: float
    unsure_since: float
    """An image that was sent then or later may have been undecided when the change began."""
    is_on: bool | None = None
    """What it is since; None where no answer came: the service that was asked may have done it before it ended."""
    sure_from: float = math.inf


class Switch:
    """A rule that is there and is not there, and when it was which.

    Parameters
    ----------
    undecided
        Returns for how many seconds the oldest image that is not decided on yet has been here.
    """

    SLACK = 5.0
    """So long a router may still work with the rules of before, and an image may be on its way to the disk."""

    def __init__(self, undecided: Callable[[], float]) -> None:
        self._undecided = undecided
        self._turns: list[Turn] = []

    def turning(self) -> Turn:
        """Note that a change begins."""
        now = monotonic()
        self._turns.append(Turn(now, now - self._undecided() - self.SLACK))
        return self._turns[-1]

    def turned(self, turn: Turn, *, is_on: bool) -> None:
        """Note that a change was made."""
        turn.is_on, turn.sure_from = is_on, monotonic() + self.SLACK

    def held(self, began: float) -> bool | None:
        """Tell whether the rule held for an image that was sent at a moment; None: nobody knows."""
        before = [turn for turn in self._turns if turn.began <= began]
        if any(turn.unsure_since <= began for turn in self._turns if turn.began > began):
            return None
        if not before:
            return False
        return before[-1].is_on if began >= before[-1].sure_from else None


class Chaos:
    """Does one thing at each call, by chance.

    Parameters
    ----------
    root
        The router's.
    nodes
        Its DICOM targets.
    clock
        The file that says by how much its clock is wrong.
    disturbances
        Where it notes what may make the router send an image again.
    seed
        Decides what happens.
    """

    def __init__(
        self,
        root: Path,
        nodes: Mapping[str, RecordingNode],
        clock: Path,
        disturbances: Disturbances,
        seed: int,
    ) -> None:
        self._root = root
        self._nodes = nodes
        self._clock = clock
        self._disturbances = disturbances
        self._chance = random.Random(seed)
        self._missed: dict[str, float] = {}
        self.switch = Switch(self._undecided)
        self.done: dict[str, int] = {}

    def act(self) -> None:
        """Do one of the things."""
        self._end_outages()
        acts = (self._kill, self._kill, self._outage, self._full, self._change, self._turn_a_rule, self._clock_step)
        act = self._chance.choice(acts)
        with suppress(DisconnectedError, ControlError):  # the control service itself may be the one that was killed
            with self._disturbances.during():
                act()
            name = act.__name__.removeprefix("_")
            self.done[name] = self.done.get(name, 0) + 1

    def calm(self) -> None:
        """Bring back what is away."""
        for node in self._nodes.values():
            self._bring_back(node)
        self._clock.write_text("0", encoding="ascii")

    @staticmethod
    def _bring_back(node: RecordingNode) -> None:
        node.come()
        node.is_full = False

    def _end_outages(self) -> None:
        now = monotonic()
        usable = {name for name, node in self._nodes.items() if node.is_there and not node.is_full}
        self._missed = {name: self._missed.get(name, now) for name in self._nodes if name not in usable}
        for name, since in self._missed.items():
            if now - since > LONGEST_OUTAGE:
                self._bring_back(self._nodes[name])

    def processes(self) -> dict[str, int]:
        """Return the running processes by name; empty while nobody can be asked."""
        try:
            with Client(self._root) as client:
                services = client.call(api.services.LIST).services
        except (DisconnectedError, ControlError):
            return {}
        return {each.name: each.pid for service in services for each in service.processes if each.pid}

    def _kill(self) -> None:
        named = {name: pid for name, pid in self.processes().items() if name.split("_")[0] in KILLED}
        if named:
            with suppress(ProcessLookupError):
                os.kill(self._chance.choice(sorted(named.values())), signal.SIGKILL)

    def _outage(self) -> None:
        """Let one go away in the middle of what it is doing, or come back."""
        node = self._nodes[self._chance.choice(sorted(self._nodes))]
        (node.go if node.is_there else node.come)()

    def _full(self) -> None:
        """Let one have no room, or have room again."""
        node = self._nodes[self._chance.choice(sorted(self._nodes))]
        node.is_full = not node.is_full

    def _clock_step(self) -> None:
        self._clock.write_text(str(self._chance.choice(WRONG_CLOCKS)), encoding="ascii")

    def _change(self) -> None:
        """Edit a rule and a target while tasks wait, as a person does who changes nothing that matters."""
        number = self._chance.random()

        def edit(content: dict[str, Any]) -> None:
            content["rules"]["scanner"]["comment"] = f"changed by the soak: {number}"
            content["targets"]["node"]["contact"] = f"somebody else: {number}"

        self._save(edit)

    def _turn_a_rule(self) -> None:
        """Disable a rule, or enable it again."""
        turn = self.switch.turning()
        disabled = False

        def edit(content: dict[str, Any]) -> None:
            nonlocal disabled
            rule = content["rules"]["switched"]
            disabled = rule["disabled"] = not rule.get("disabled", False)

        self._save(edit)
        self.switch.turned(turn, is_on=not disabled)

    def _undecided(self) -> float:
        """Return the age of the oldest image on which no rule was asked yet; file times are the kernel's."""
        spool = Spool(self._root / "spool")
        oldest = now = time()
        for stage in UNDECIDED:
            for entry in list(spool.stage(stage).iterdir()):
                with suppress(FileNotFoundError):  # it was decided meanwhile
                    oldest = min([oldest, *(path.stat().st_mtime for path in entry.rglob("*.dcm"))])
        return now - oldest

    def _save(self, edit: Callable[[dict[str, Any]], None]) -> None:
        with Client(self._root) as client:
            state = client.call(api.configuration.SHOW).mercure
            content = deepcopy(dict(state.content))
            edit(content)
            request = api.configuration.SaveConfig(content=content, edited_from=state.revision, comment="soak")
            client.call(api.configuration.SAVE, request)
