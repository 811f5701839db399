"""What happens to the router during the soak: kills, outages, changes of its configuration."""

from __future__ import annotations

import os
import random
import signal
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

from appliance.control import api
from appliance.control.client import Client, DisconnectedError
from appliance.control.errors import ControlError
from tests.support.dcmtk import KEEP_EACH_TRY, StoreScp, storescp
from tests.support.ports import free_port

if TYPE_CHECKING:
    from pathlib import Path

KILLED = ("receiver", "router", "dispatcher", "cleaner", "bookkeeper", "control")


class Node:
    """A DICOM target that can be away."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.folder = folder
        self._stack = ExitStack()
        self._running: StoreScp | None = None

    @property
    def is_there(self) -> bool:
        """Whether it answers."""
        return self._running is not None

    def come(self) -> None:
        """Come back."""
        if self._running is None:
            node = storescp(self.folder, "--bit-preserving", "--fork", KEEP_EACH_TRY, port=self.port, aet="NODE")
            self._running = self._stack.enter_context(node)

    def go(self) -> None:
        """Go away, in the middle of whatever it is doing."""
        if self._running is not None:
            self._running.program.kill()
            self._stack.close()
            self._running = None


class Chaos:
    """Does one thing at each call, by chance.

    Parameters
    ----------
    root
        The router's.
    node
        Its DICOM target.
    seed
        Decides what happens.
    """

    def __init__(self, root: Path, node: Node, seed: int) -> None:
        self._root = root
        self._node = node
        self._chance = random.Random(seed)
        self.done: dict[str, int] = {}

    def act(self) -> None:
        """Do one of the things."""
        acts = (self._kill, self._kill, self._outage, self._change)
        act = self._chance.choice(acts)
        with suppress(DisconnectedError, ControlError):  # the control service itself may be the one that was killed
            act()
            name = act.__name__.removeprefix("_")
            self.done[name] = self.done.get(name, 0) + 1

    def calm(self) -> None:
        """Bring back what is away."""
        self._node.come()

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
        if self._node.is_there:
            self._node.go()
        else:
            self._node.come()

    def _change(self) -> None:
        with Client(self._root) as client:
            state = client.call(api.configuration.SHOW).mercure
            content = dict(state.content)
            rules = content["rules"]
            assert isinstance(rules, dict)
            rule = rules["ct"]
            assert isinstance(rule, dict)
            rules["ct"] = {**rule, "comment": f"changed by the soak: {self._chance.random()}"}
            request = api.configuration.SaveConfig(content=content, edited_from=state.revision, comment="soak")
            client.call(api.configuration.SAVE, request)
