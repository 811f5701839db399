"""A real Slurm of the test's own: munge, one controller and several nodes on this machine, gone with the test.

The nodes are daemons of one machine (``--multiple-slurmd``, as Debian builds it), with ports and names of their own.
All runs as the user of the tests, in a folder, with its own key.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.folders import short_folder
from tests.support.polling import eventually
from tests.support.ports import free_port
from tests.support.processes import Running, running
from tests.support.procfs import descendants, processes

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch")
NODE_MEBIBYTES = 8000
CPUS = 4

CONFIGURATION = """\
ClusterName=mercuretest
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort={port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldPidFile={folder}/run/slurmctld.pid
SlurmdPidFile={folder}/run/slurmd-%n.pid
SlurmctldLogFile={folder}/log/slurmctld
SlurmdLogFile={folder}/log/slurmd-%n
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SwitchType=switch/none
MailProg=/bin/true
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=1
JobAcctGatherParams=OverMemoryKill,UsePss
JobCompType=jobcomp/none
ReturnToService=2
SlurmctldTimeout=10
MessageTimeout=2
SlurmdTimeout=10
KillWait=2
MinJobAge=120
SchedulerParameters=batch_sched_delay=0,sched_min_interval=100000,default_queue_depth=1000
SlurmdParameters=config_overrides
{nodes}
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


@dataclass
class Slurm:
    """A cluster that runs, and what is behind it."""

    folder: Path
    nodes: tuple[str, ...]
    daemons: dict[str, Running] = field(default_factory=dict)
    _stack: ExitStack = field(default_factory=ExitStack)

    @property
    def prefix(self) -> tuple[str, ...]:
        """What is put before a call of Slurm's programs."""
        return ("env", f"SLURM_CONF={self.folder / 'slurm.conf'}")

    @property
    def shared(self) -> Path:
        """A folder that this machine and all nodes see."""
        return self.folder / "shared"

    def call(self, *command: str) -> str:
        """Return what one of Slurm's programs prints."""
        done = subprocess.run((*self.prefix, *command), capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode == 0, f"{command}: {done.stderr}\n{self.logs()}"
        return done.stdout

    def logs(self) -> str:
        """Return the end of each daemon's log."""
        return "\n".join(f"--- {path.name}\n{path.read_text()[-2000:]}" for path in (self.folder / "log").iterdir())

    def start_controller(self) -> None:
        """Start slurmctld; it finds the state that the last one left."""
        command = [_program("slurmctld"), "-D", "-f", str(self.folder / "slurm.conf")]
        self.daemons["slurmctld"] = self._stack.enter_context(running(command, ready=lambda _: self._answers()))

    def start_node(self, name: str) -> None:
        """Start a node, and wait until jobs can be given to it."""
        command = [_program("slurmd"), "-D", "-N", name, "-f", str(self.folder / "slurm.conf")]
        self.daemons[name] = self._stack.enter_context(
            running(command, ready=lambda _: self._state(name) in {"idle", "mixed", "allocated"}, seconds=60)
        )

    def lose_node(self, name: str) -> None:
        """Take a node away as a power cut does: its daemon and all jobs on it at once."""
        daemon = self.daemons.pop(name)
        daemon.popen.send_signal(signal.SIGSTOP)  # so that it cannot tell the controller of its jobs' end
        table = processes()
        ours = [pid for pid in descendants(daemon.pid, table) | self._steps(name) if pid != os.getpid()]
        for pid in ours:
            _kill(pid)
        daemon.kill()

    def _steps(self, name: str) -> set[int]:
        """Find what runs jobs of a node: slurmstepd leaves its daemon's family."""
        table = processes()
        found: set[int] = set()
        for number in self.call("squeue", "--noheader", "--format=%i", f"--nodelist={name}").split():
            for pid in table:
                try:
                    line = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ")
                except OSError:
                    continue
                if line.startswith(f"slurmstepd: [{number}.".encode()):
                    found |= {pid} | descendants(pid, table)
        return found

    def _answers(self) -> bool:
        done = subprocess.run((*self.prefix, "scontrol", "ping"), capture_output=True, timeout=30, check=False)
        return done.returncode == 0 and b"UP" in done.stdout

    def _state(self, name: str) -> str:
        return self.call("sinfo", "--noheader", "--nodes", name, "--format=%T").strip()

    def jobs(self) -> list[str]:
        """Name every job that has not ended."""
        return self.call("squeue", "--noheader", "--format=%j %T").splitlines()


def slurm_or_skip() -> None:
    """Skip the test, loudly, where the machine has no Slurm."""
    missing = [name for name in PROGRAMS if _found(name) is None]
    if missing:
        pytest.skip(f"Slurm is not installed ({', '.join(missing)} missing): run `make setup-test`")


@contextmanager
def slurm_cluster(nodes: int = 2) -> Iterator[Slurm]:
    """Run a cluster for the length of the block."""
    slurm_or_skip()
    with short_folder() as folder, ExitStack() as stack:
        names = tuple(f"n{number}" for number in range(1, nodes + 1))
        cluster = Slurm(folder, names, _stack=stack)
        for name in ("munge", "state", "run", "log", "shared", *(f"spool/{node}" for node in names)):
            (folder / name).mkdir(parents=True)
        lines = [
            f"NodeName={name} NodeHostname=localhost NodeAddr=127.0.0.1 Port={free_port()} CPUs={CPUS}"
            f" RealMemory={NODE_MEBIBYTES} State=UNKNOWN"
            for name in names
        ]
        (folder / "slurm.conf").write_text(
            CONFIGURATION.format(
                folder=folder, user=pwd.getpwuid(os.geteuid()).pw_name, port=free_port(), nodes="\n".join(lines)
            )
        )
        _start_munge(folder / "munge", stack)
        cluster.start_controller()
        for name in names:
            cluster.start_node(name)
        yield cluster
        cluster.call("scancel", "--full", "--signal=KILL", "--state=RUNNING", "--me")
        cluster.call("scancel", "--me")
        eventually(lambda: not cluster.jobs(), seconds=30, what="the cluster has no job")


def _start_munge(folder: Path, stack: ExitStack) -> None:
    key = folder / "key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o400)
    command: list[str | Path] = [_program("munged"), "--foreground", f"--key-file={key}"]
    command += [f"--{name}-file={folder / name}" for name in ("pid", "log", "seed")]
    command += [f"--socket={folder / 'socket'}", "--num-threads=2"]
    stack.enter_context(running(command, ready=lambda _: (folder / "socket").exists()))


def _found(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


def _program(name: str) -> str:
    found = _found(name)
    assert found is not None, f"{name} is missing: run `make setup-test`"
    return found


def _kill(pid: int) -> None:
    deadline = time.monotonic() + 10
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        os.sched_yield()
        if Path(f"/proc/{pid}/stat").exists() and ") Z " in Path(f"/proc/{pid}/stat").read_text():
            return
