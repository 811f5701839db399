"""What happens to the router during the soak: kills, outages, changes of its configuration."""

from __future__ import annotations

import os
import random
import signal
from contextlib import suppress
from copy import deepcopy
from time import monotonic
from typing import TYPE_CHECKING, Any

from appliance.control import api
from appliance.control.errors import ControlError
from appliance.control.rpc.client import Client, DisconnectedError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from tests.oracle.record import Disturbances
    from tests.support.recording_node import RecordingNode

KILLED = ("receiver", "router", "dispatcher", "cleaner", "bookkeeper", "control")


DAY = 86_400.0
WRONG_CLOCKS = (0.0, 9 * DAY, -DAY, 400 * DAY, -26 * 365 * DAY)
"""By how many seconds the clock may be wrong: right again, ahead, back, the year 2000."""


class Switch:
    """A rule that is there and is not there, and when it was which.

    Parameters
    ----------
    unsure
        So many seconds around a change, the sender cannot know whether the rule held.
    """

    def __init__(self, unsure: float) -> None:
        self._unsure = unsure
        self.is_on = False
        self.changes: list[float] = []

    def turned(self) -> None:
        """Note a change."""
        self.changes.append(monotonic())
        self.is_on = not self.is_on

    def held(self, began: float) -> bool | None:
        """Tell whether the rule held for an image that was sent at a moment; None: nobody knows."""
        if any(began - 1 <= change <= began + self._unsure for change in self.changes):
            return None
        return sum(change < began for change in self.changes) % 2 == 1


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
        self.switch = Switch(60.0)
        self.done: dict[str, int] = {}

    def act(self) -> None:
        """Do one of the things."""
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
            node.come()
            node.is_full = False
        self._clock.write_text("0", encoding="ascii")

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
        is_on = self.switch.is_on

        def edit(content: dict[str, Any]) -> None:
            content["rules"]["switched"]["disabled"] = is_on

        self._save(edit)
        self.switch.turned()

    def _save(self, edit: Callable[[dict[str, Any]], None]) -> None:
        with Client(self._root) as client:
            state = client.call(api.configuration.SHOW).mercure
            content = deepcopy(dict(state.content))
            edit(content)
            request = api.configuration.SaveConfig(content=content, edited_from=state.revision, comment="soak")
            client.call(api.configuration.SAVE, request)
