"""RPC namespace of supervisord that brings a running group in line with a new configuration.

Supervisor's own way (remove the group, add it again) would stop two dispatchers to make them three.
"""

from __future__ import annotations

from typing import Any

from supervisor.states import STOPPED_STATES, SupervisorStates
from supervisor.xmlrpc import Faults, RPCError


class ScalingInterface:
    """The methods of the namespace; they answer at once and never wait for a process.

    Parameters
    ----------
    supervisord : supervisor.supervisord.Supervisor
        The running one.
    """

    def __init__(self, supervisord: Any) -> None:  # noqa: ANN401 - supervisor is not typed
        self._supervisord = supervisord

    def surplus(self, name: str) -> list[str]:
        """Name the processes of a group that the configuration read last has no more.

        @param string name     name of the group
        @return array result   names of processes
        """
        group, config = self._find(name)
        wanted = {process.name for process in config.process_configs}
        return [process for process in group.processes if process not in wanted]

    def adopt(self, name: str) -> bool:
        """Bring a group in line with the configuration read last; what runs and is wanted goes on running.

        @param string name     name of the group
        @return boolean result always true
        """
        group, config = self._find(name)
        surplus = self.surplus(name)
        if any(group.processes[process].get_state() not in STOPPED_STATES for process in surplus):
            raise RPCError(Faults.STILL_RUNNING, name)
        for process in surplus:
            del group.processes[process]
        for process in config.process_configs:
            if process.name in group.processes:
                group.processes[process.name].config = process
            else:
                group.processes[process.name] = process.make_process(group)
        group.config = config
        return True

    def _find(self, name: str) -> tuple[Any, Any]:
        """Return the running group and its new configuration."""
        if self._supervisord.options.mood < SupervisorStates.RUNNING:
            raise RPCError(Faults.SHUTDOWN_STATE)
        group = self._supervisord.process_groups.get(name)
        configs = self._supervisord.options.process_group_configs
        config = next((config for config in configs if config.name == name), None)
        if group is None or config is None:
            raise RPCError(Faults.BAD_NAME, name)
        return group, config


def make_interface(supervisord: Any) -> ScalingInterface:  # noqa: ANN401
    """Make the namespace (supervisord calls this)."""
    return ScalingInterface(supervisord)
