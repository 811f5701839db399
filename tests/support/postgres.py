"""A real PostgreSQL server from Debian's packages: a cluster of its own, on loopback, gone with the test."""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from tests.support.folders import short_folder
from tests.support.ports import free_port
from tests.support.processes import Running, running

if TYPE_CHECKING:
    from collections.abc import Iterator

OWNER = "mercure"

_numbers = count(1)


def _programs() -> Path:
    """Return the folder of the newest PostgreSQL; Debian does not put its server programs on PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    assert found, "PostgreSQL is missing: run `make setup-test`"
    return found[-1]


def _unprivileged_user() -> str | None:
    """Return the user that must run the server: it refuses root. Debian's package brings one."""
    return "postgres" if os.geteuid() == 0 else None


@dataclass(frozen=True)
class Cluster:
    """The data of a server that is running or can be started, and the port it listens on."""

    data: Path
    port: int

    def url(self, database: str) -> str:
        """Return the address of a database as the configuration takes it."""
        return f"postgresql://{OWNER}@127.0.0.1:{self.port}/{database}"

    @contextmanager
    def server(self) -> Iterator[Running]:
        """Run the server for the length of the block; it answers when the block begins.

        Each start finds the data as the one before left it, so a test can take the database away and bring it back.
        """
        command: list[str | Path] = [_programs() / "postgres", "-D", self.data, "-p", str(self.port)]
        settings = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": str(self.data),
            # The machine is not cut off during a test, so nothing is gained by syncing.
            "fsync": "off",
            "max_connections": "50",
        }
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        with running(command, user=_unprivileged_user(), cwd=self.data, ready=self._answers, seconds=60) as program:
            yield program
            # SIGINT is its "fast" stop: SIGTERM would wait for clients that a failed test still holds.
            if program.is_alive:
                program.signal(signal.SIGINT)
                program.wait(seconds=30)

    def _answers(self, _program: Running) -> bool:
        try:
            psycopg.connect(self.url("postgres"), connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True

    def create_database(self) -> str:
        """Make an empty database with a name of its own, and return its address."""
        name = f"test_{os.getpid()}_{next(_numbers)}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        return self.url(name)

    @contextmanager
    def database(self) -> Iterator[str]:
        """Make an empty database, give its address, and drop it at the end, whoever is still connected.

        Each takes some hundred files: without the end, removing those of a whole run took minutes.
        """
        url = self.create_database()
        try:
            yield url
        finally:
            with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
                connection.execute(f'DROP DATABASE IF EXISTS "{url.rpartition("/")[2]}" WITH (FORCE)')


@contextmanager
def cluster() -> Iterator[Cluster]:
    """Make a cluster (``initdb``); its server is not started yet."""
    user = _unprivileged_user()
    with short_folder() as folder:
        if user:
            entry = pwd.getpwnam(user)
            os.chown(folder, entry.pw_uid, entry.pw_gid)
        data = folder / "data"
        command: list[str | Path] = [_programs() / "initdb", "-D", data, "-U", OWNER, "--auth=trust", "--no-sync"]
        subprocess.run(
            [*command, "--encoding=UTF8", "--locale=C.UTF-8"],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=folder,
            user=user,
            group=user,
            extra_groups=[] if user else None,
            timeout=120,
        )
        yield Cluster(data, free_port())
