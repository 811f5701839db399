"""The control service: a Unix socket, a thread to a connection, bounded in everything.

Threads and not asyncio: verbs look into folders, ask the history and wait for supervisor; they block, and under asyncio
each would need a thread all the same (``docs/decisions/0070-control-server-with-threads.md``).
"""

from __future__ import annotations

import contextlib
import logging
import os
import selectors
import socket
import stat
import threading
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from appliance.control.errors import ControlError
from appliance.control.index import QueueIndex
from appliance.control.roles import Caller, GroupsOf, Peer, groups_of, identify, viewers_group
from appliance.control.rpc import jsonrpc
from appliance.control.rpc.connection import Connection, Limits
from appliance.control.rpc.jobs import Jobs
from appliance.control.rpc.streams import Hub
from appliance.control.session import Session
from mercure.clock import Clock
from mercure.config import Root

_BACKLOG: Final = 64
_MODE: Final = 0o660
_GREETING_SECONDS: Final = 1.0
"""Time to tell one who is turned away why."""

WATCHER: Final = Caller("control", os.geteuid(), "viewer")
"""In whose name the router is looked at for all streams."""

_log = logging.getLogger(__name__)


class TakenError(Exception):
    """The path of the socket is in use."""


@dataclass
class Server:
    """Serves the verbs of one root.

    Parameters
    ----------
    root : Root
        Whose.
    limits : Limits
        Sizes, times and numbers.
    groups : callable
        Returns the groups of ours that a user is in.
    clock : Clock
        Where the time comes from.
    """

    root: Root
    limits: Limits = field(default_factory=Limits)
    groups: GroupsOf = groups_of
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        """Make what is needed before the socket is there."""
        self.hub = Hub(lambda: self._session(WATCHER), self.clock, self.limits.mailbox_bytes)
        self._index = QueueIndex(self.clock, watching=True)
        self._jobs = Jobs(self.clock)
        self._connections: dict[Connection, threading.Thread] = {}
        self._lock = threading.Lock()
        self._wake_read, self._wake_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._listener: socket.socket | None = None
        self._inode = 0

    @property
    def index(self) -> QueueIndex:
        """What is in the spool, for all who look again and again."""
        return self._index

    @property
    def path(self) -> Path:
        """Where the socket is."""
        return self.root.run / jsonrpc.SOCKET_NAME

    def open(self) -> None:
        """Make the socket; from then on it can be connected to.

        Raises
        ------
        TakenError
            Another server answers there, or something is there that is no socket.
        OSError
            The folder cannot be written.
        """
        self._clear()
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        before = os.umask(0o177)  # for nobody else, until group and mode are right
        try:
            with jsonrpc.short_path(self.root.run) as folder:
                listener.bind(f"{folder}/{jsonrpc.SOCKET_NAME}")
        finally:
            os.umask(before)
        group = viewers_group()
        if group is not None:
            try:
                os.chown(self.path, -1, group)
            except PermissionError:
                _log.warning("the socket stays with our own group: we are not in the viewers' group", exc_info=True)
        os.chmod(self.path, _MODE)
        self._inode = os.stat(self.path).st_ino
        listener.listen(_BACKLOG)
        self._listener = listener

    def _clear(self) -> None:
        """Remove the socket of a server that is gone."""
        try:
            mode = os.lstat(self.path).st_mode
        except FileNotFoundError:
            return
        if not stat.S_ISSOCK(mode):
            raise TakenError(f"{self.path} is there and is no socket; see what it is, and remove it")
        try:
            jsonrpc.connect(self.root.run, _GREETING_SECONDS).close()
        except ConnectionRefusedError:
            os.unlink(self.path)
        except OSError as error:
            raise TakenError(f"{self.path} is in use: {error}") from error
        else:
            raise TakenError(f"another control service answers at {self.path}")

    def serve(self) -> None:
        """Take connections until `stop`."""
        listener = self._listener
        if listener is None:
            raise ValueError("open comes before serve")
        with selectors.DefaultSelector() as selector:
            selector.register(listener, selectors.EVENT_READ)
            selector.register(self._wake_read, selectors.EVENT_READ)
            while True:
                ready = {key.fileobj for key, _ in selector.select()}
                if self._wake_read in ready:
                    return
                self._accept(listener)

    def stop(self) -> None:
        """End `serve`; from any thread, or a signal handler."""
        with contextlib.suppress(BlockingIOError):
            os.write(self._wake_write, b"x")

    def close(self, seconds: float = 10.0) -> None:
        """Take the socket away, end all connections, and wait so long for verbs that are under way."""
        if self._listener is not None:
            with contextlib.suppress(OSError):
                if os.stat(self.path).st_ino == self._inode:
                    os.unlink(self.path)
            self._listener.close()
            self._listener = None
        self.hub.close()
        with self._lock:
            open_now = dict(self._connections)
        for connection in open_now:
            connection.end()
        end = self.clock.monotonic() + seconds
        for thread in open_now.values():
            thread.join(max(0.0, end - self.clock.monotonic()))
        self._jobs.close(max(0.0, end - self.clock.monotonic()))
        self._index.close()
        for descriptor in (self._wake_read, self._wake_write):
            os.close(descriptor)

    def _accept(self, listener: socket.socket) -> None:
        try:
            accepted, _ = listener.accept()
        except OSError as error:
            _log.warning("a connection was lost before it began: %s", error)
            return
        try:
            caller = identify(Peer.of(accepted), os.geteuid(), self.groups)
        except OSError:
            accepted.close()
            return
        connection = Connection(accepted, caller, self._session, hub=self.hub, jobs=self._jobs, limits=self.limits)
        thread = threading.Thread(target=self._run, args=(connection,), name=f"control-{caller.user}", daemon=True)
        refused = self._admit(connection, thread)
        if refused is not None:
            _log.warning("a connection was turned away", extra={"user": caller.user, "reason": refused.text})
            connection.turn_away(refused, _GREETING_SECONDS)
            return
        thread.start()

    def _admit(self, connection: Connection, thread: threading.Thread) -> ControlError | None:
        """Enter a connection into the list, or say why not."""
        with self._lock:
            users = Counter(other.caller.uid for other in self._connections)
            kept = 0 if connection.caller.may("admin") else self.limits.connections_of_admins
            if len(self._connections) >= self.limits.connections - kept:
                text = f"there are {len(self._connections)} connections already"
                return ControlError("too-much", text, "close one, or try again later")
            if users[connection.caller.uid] >= self.limits.connections_of_one:
                text = f"{connection.caller.user} has {users[connection.caller.uid]} connections already"
                return ControlError("too-much", text, "close one of them")
            self._connections[connection] = thread
        return None

    def _run(self, connection: Connection) -> None:
        try:
            connection.run()
        finally:
            with self._lock:
                del self._connections[connection]

    def _session(self, caller: Caller) -> Session:
        return Session(self.root, caller.user, service="control", clock=self.clock, index=self._index)
