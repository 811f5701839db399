"""Foreground run of supervisord in this process, for one root, until Ctrl-C or TERM; nothing outlives it.

supervisor's own classes do the work; what is changed here, and why, stands at each method and in
``docs/decisions/0050-supervisord-in-our-process.md``.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Final

from supervisor import events
from supervisor.medusa import asyncore_25
from supervisor.options import ServerOptions
from supervisor.states import ProcessStates, SupervisorStates
from supervisor.supervisord import Supervisor

from appliance.supervision import handover
from appliance.supervision.errors import AlreadyRunningError, SupervisionError
from appliance.supervision.programs import PID_NAME, SOCKET_NAME, Program, write_conf
from mercure.locks import opened, try_lock

_ENOUGH: Final = 4096


class WakingPipe:
    """A pipe whose readable end is one of the sockets of supervisord's loop; a byte in it ends the loop's wait.

    The loop waits for up to a second in ``poll``, which Python resumes after a signal (PEP 475). So supervisord sees a
    child's end, or a request to end, up to a second late: stopping ten services in their order took five seconds, in
    which no receiver answered. `signal.set_wakeup_fd` writes the byte.
    """

    def __init__(self) -> None:
        self.end, self.start = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._works = True

    def wake(self) -> None:
        """Have the loop go round once more without waiting."""
        with suppress(BlockingIOError):  # full: it wakes anyway
            os.write(self.start, b"\0")

    def readable(self) -> bool:
        """Return whether it is waited for."""
        return self._works

    def writable(self) -> bool:
        """Tell that nothing is written."""
        return False

    def handle_read_event(self) -> None:
        """Empty the pipe; the loop looks after signals and children by itself afterwards."""
        with suppress(BlockingIOError):
            os.read(self.end, _ENOUGH)

    def handle_error(self) -> None:
        """Do without: everything works, a second later."""
        self._works = False

    def close(self) -> None:
        """Close both ends."""
        os.close(self.start)
        os.close(self.end)


@contextmanager
def woken_by_signals(sockets: dict[int, Any]) -> Iterator[WakingPipe]:
    """Have every signal that has a handler wake the loop that waits for `sockets`, while the block runs.

    Parameters
    ----------
    sockets : dict of int to object
        What supervisord's loop listens to beside its children, by descriptor.

    Yields
    ------
    WakingPipe
        To wake it for other reasons.
    """
    pipe = WakingPipe()
    before = signal.set_wakeup_fd(pipe.start, warn_on_full_buffer=False)
    sockets[pipe.end] = pipe
    try:
        yield pipe
    finally:
        del sockets[pipe.end]
        signal.set_wakeup_fd(before)
        pipe.close()


REVIVE_SECONDS: Final = 300.0
"""A service that was given up is tried again after this time: what kept it from starting (a full disk, say) may have
passed in a night without staff."""

_PR_SET_PDEATHSIG: Final = 1
_libc = ctypes.CDLL(None, use_errno=True)
Narrate = Callable[[str], None]


@contextmanager
def sole_runner(root: Path) -> Iterator[None]:
    """Hold the lock of a root, ``flock`` on its ``run`` folder, so that it is run once only.

    Raises
    ------
    AlreadyRunningError
        Somebody else holds it.
    """
    run = root / "run"
    with opened(run) as descriptor:
        if not try_lock(descriptor):
            pid = _read_pid(run / PID_NAME)
            who, how = (f" as process {pid}", f" or `kill {pid}`") if pid else ("", "")
            raise AlreadyRunningError(
                f"a router runs in {root} already{who}. `mercure status` shows it. "
                f"End it with Ctrl-C where it was started{how}; a second router needs another --root"
            )
        yield


def _read_pid(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


def serve(
    root: Path,
    programs: list[Program],
    narrate: Narrate,
    *,
    revive_seconds: float = REVIVE_SECONDS,
    prepare: Callable[[], None] = lambda: None,
) -> None:
    """Run programs until a signal ends this process: INT, TERM, HUP or QUIT once in order, twice at once.

    USR1 replaces it by what is installed now (`appliance.supervision.handover`), and does not return.

    Parameters
    ----------
    root : Path
        Absolute; it becomes the working folder of this process.
    programs : list of Program
        What to run.
    narrate : callable
        Called with a sentence on what happens to the processes.
    revive_seconds : float
        After this time a process that was given up is tried again.
    prepare : callable
        Called before anything runs, when no other process can run this root.

    Raises
    ------
    SupervisionError
        Another process runs the same root, or supervisord cannot begin.
    """
    start = handover.Start.of_this_process()
    for folder in (root / "run", root / "log"):
        folder.mkdir(mode=0o750, exist_ok=True)
    with sole_runner(root):
        # What a crash left behind: the number would mislead, and the socket be announced on the terminal.
        for name in (PID_NAME, SOCKET_NAME):
            (root / "run" / name).unlink(missing_ok=True)
        if not start.is_handed_over:
            prepare()
        conf = write_conf(root, programs)
        os.chdir(root)
        options = _Options()
        options.realize(["-c", str(conf)], doc="")
        options.first = True
        options.test = False
        supervisor = _Supervisor(options, narrate, revive_seconds)
        try:
            supervisor.main()
        except asyncore_25.ExitNow:
            pass
        finally:
            options.close_httpservers()
            options.close_logger()
    if supervisor.is_handing_over:
        start.again(supervisor.relieved())


class _Options(ServerOptions):  # type: ignore[misc] # supervisor has no types
    """supervisord's settings and its calls to the system."""

    def __init__(self) -> None:
        super().__init__()
        self._parent = os.getpid()

    def open(self, path: str, mode: str = "r") -> IO[str]:
        """Read the configuration as it was written, whatever the locale."""
        return open(path, mode, encoding="utf-8", errors="surrogateescape")

    def realize(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        """Keep the path of the socket relative: supervisor makes it absolute, which a long root does not allow."""
        super().realize(*args, **kwargs)
        for config in self.server_configs:
            if config["family"] is socket.AF_UNIX:
                config["file"] = f"run/{SOCKET_NAME}"

    def setpgrp(self) -> None:
        """In a new child: leave the wake-up pipe, and have the kernel end it when this process dies in any way."""
        super().setpgrp()
        signal.set_wakeup_fd(-1)
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != self._parent:
            os._exit(1)  # it died in between

    def set_uid_or_exit(self) -> None:
        """Run as the user who started us; that user is not chosen here."""

    def setsignals(self) -> None:
        """Listen to USR1 too."""
        super().setsignals()
        signal.signal(signal.SIGUSR1, self.signal_receiver.receive)

    def get_signal(self) -> int | None:
        """Take a closed terminal for what it is. supervisor would start everything anew on HUP."""
        number: int | None = super().get_signal()
        return signal.SIGTERM if number == signal.SIGHUP else number

    def usage(self, msg: object) -> None:
        """Report what keeps supervisord from beginning."""
        raise SupervisionError(f"supervisord cannot begin: {msg}")


class _Supervisor(Supervisor):  # type: ignore[misc]
    """supervisord's main loop, with a voice, a second signal and another try for what was given up."""

    def __init__(self, options: _Options, narrate: Narrate, revive_seconds: float) -> None:
        super().__init__(options)
        self._narrator = Narrator(narrate, total=lambda: len(self._processes()), ending=self._is_ending)
        self._narrate = narrate
        self._revive_seconds = revive_seconds
        self.is_handing_over = False

    def runforever(self) -> None:
        """Listen to what becomes of the processes, and start them at once and not after the first second."""
        events.subscribe(events.ProcessStateEvent, self._narrator.on_state)
        for group in sorted(self.process_groups.values()):
            group.transition()
        with woken_by_signals(self.options.get_socket_map()) as self._pipe:
            super().runforever()

    def handle_signal(self) -> None:
        """End in order at the first signal, and at once at the second."""
        number = self.options.get_signal()
        if number is not None:
            # One is taken a round, and what it tells of (a process that has ended) is acted upon in the next.
            self._pipe.wake()
        if number == signal.SIGUSR1 and not self._is_ending():
            self.is_handing_over = True
            self.options.mood = SupervisorStates.SHUTDOWN
            self._narrate("handing over: the services are replaced one by one, the receiver last")
            return
        if number not in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
            return
        if self.is_handing_over:
            self.is_handing_over = False
            self.stop_groups = sorted(self.process_groups.values())
        elif self._is_ending():
            self._narrate("ending at once; what was not finished is taken up again at the next start")
            for process in self._processes():
                if process.pid:
                    _kill(process)
            return
        self.options.logger.warn(f"received {signal.Signals(number).name}: ending")
        self.options.mood = SupervisorStates.SHUTDOWN
        self._narrate("ending in order: open associations may finish (the same signal again ends them at once)")

    def tick(self, now: float | None = None) -> None:
        """Try again what was given up some time ago."""
        super().tick(now)
        if self._is_ending():
            return
        moment = time.time() if now is None else now
        for process in self._processes():
            given_up = process.get_state() == ProcessStates.FATAL
            if given_up and abs(moment - process.laststart) > self._revive_seconds:
                process.spawn()

    def ordered_stop_groups_phase_1(self) -> None:
        """Stop the next group; a service that its successor relieves is not stopped here."""
        if self.is_handing_over:
            self.stop_groups = [group for group in self.stop_groups if group.config.name != handover.LAST]
        super().ordered_stop_groups_phase_1()

    def shutdown_report(self) -> list[Any]:
        """Return the processes that are still waited for."""
        waited: list[Any] = super().shutdown_report()
        return [process for process in waited if not self.is_handing_over or process.group.config.name != handover.LAST]

    def relieved(self) -> list[int]:
        """Return the processes that go on, for the successor to relieve."""
        return [
            process.pid for process in self._processes() if process.pid and process.group.config.name == handover.LAST
        ]

    def _processes(self) -> list[Any]:
        return [process for group in self.process_groups.values() for process in group.processes.values()]

    def _is_ending(self) -> bool:
        return bool(self.options.mood < SupervisorStates.RUNNING)


def _kill(process: Any) -> None:  # noqa: ANN401 - supervisor's Subprocess
    """End a process and its group. supervisor kills the whole group only after a request to stop."""
    if process.get_state() != ProcessStates.STOPPING:
        process.stop()
    process.kill(signal.SIGKILL)


class Narrator:
    """Tells in words what supervisord's events say.

    Parameters
    ----------
    narrate : callable
        Takes each sentence.
    total : callable
        Returns how many processes there are.
    ending : callable
        Returns whether the router is being ended; then only stopped services are reported.
    """

    def __init__(self, narrate: Narrate, *, total: Callable[[], int], ending: Callable[[], bool]) -> None:
        self._narrate = narrate
        self._total = total
        self._ending = ending
        self._up: set[str] = set()
        self._complete = False

    def on_state(self, event: Any) -> None:  # noqa: ANN401 - supervisor's event
        """Tell of one change of one process."""
        name, kind = event.process.config.name, type(event)
        running = kind is events.ProcessStateRunningEvent
        if running:
            self._up.add(name)
        else:
            self._up.discard(name)
        reported = kind is events.ProcessStateStoppedEvent if self._ending() else self._complete or not running
        if reported and kind in _SENTENCES:
            self._narrate(_SENTENCES[kind].format(name=name))
        if running and not self._complete and len(self._up) == self._total():
            self._complete = True
            self._narrate(f"all services run ({', '.join(sorted(self._up))})")


_SENTENCES: Final[dict[type, str]] = {
    events.ProcessStateRunningEvent: "{name} runs",
    events.ProcessStateBackoffEvent: "{name} ended as soon as it was started; trying again (see log/{name}.log)",
    events.ProcessStateExitedEvent: "{name} ended unasked and is started again (see log/{name}.log)",
    events.ProcessStateFatalEvent: "{name} keeps failing; next try in some minutes (see log/{name}.log)",
    events.ProcessStateStoppedEvent: "{name} has stopped",
}
