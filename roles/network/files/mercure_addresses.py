#!/usr/bin/python3
"""Changes the addresses of this host so that nobody is locked out: tried first, and kept only when somebody came back.

    mercure-addresses differs            print each file that is not as the playbook wants it
    mercure-addresses try SECONDS        change them; go back after SECONDS unless `keep` comes
    mercure-addresses keep [GATEWAY...]  keep what was tried (each GATEWAY must be there, where named)
    mercure-addresses back               go back to what was before
    mercure-addresses ask SERVER...      see that one of these name servers answers

The playbook (role network) writes what it wants into wanted.json in /var/lib/mercure-addresses: the text of each file
by its path. A boot in the middle of a try goes back, too (mercure-addresses.service). Exit codes: 0 done, 1 not done,
2 wrong command line.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

HERE: Final = "/usr/local/sbin/mercure-addresses"
TIMER: Final = "mercure-addresses-back"
CHANGE: Final = "mercure-addresses-change"
IFUPDOWN: Final = "/etc/network/interfaces"
NETWORKD: Final = "etc/systemd/network/05-mercure-*"
"""Files of the playbook alone, in the folder of systemd-networkd: one that is wanted no more goes away."""
BEFORE_CHANGE_SECONDS: Final = 2
"""Until the change begins: the answer to whoever asked for it must be on its way by then."""

Files = dict[str, "str | None"]
"""The text of files by their path; None for one that is not to be."""


class ChangeError(Exception):
    """It cannot be done; the text says what to do."""


@dataclass(frozen=True)
class Place:
    """Where the files are; a test has its own."""

    root: Path = Path("/")
    state: Path = Path("/var/lib/mercure-addresses")

    @property
    def trying(self) -> Path:
        """Return the file that is there while something is tried: ``begun`` or ``changed``."""
        return self.state / "trying"

    @property
    def before(self) -> Path:
        """Return the file with what there was before the try."""
        return self.state / "before.json"

    def wanted(self) -> Files:
        """Return the files as they are wanted; of those that are the playbook's alone, the others are not to be."""
        file = self.state / "wanted.json"
        files: Files = json.loads(file.read_text()) if file.exists() else {}
        own = {f"/{path.relative_to(self.root)}" for path in self.root.glob(NETWORKD)}
        return {**dict.fromkeys(own - set(files)), **files} if files else {}

    def at(self, name: str) -> Path:
        """Return where a file is."""
        return self.root / name.lstrip("/")

    def now(self, name: str) -> str | None:
        """Return the text of a file, None where there is none."""
        path = self.at(name)
        return path.read_text() if path.exists() else None


def differing(place: Place) -> list[str]:
    """Return the files that are not as they are wanted."""
    return sorted(name for name, text in place.wanted().items() if place.now(name) != text)


def write(path: Path, text: str | None) -> None:
    """Make a file have this text, whole or not at all, also when the power fails; None removes it."""
    if text is None:
        path.unlink(missing_ok=True)
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.part")
        with part.open("w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        part.chmod(0o644)
        part.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def put(place: Place, files: Mapping[str, str | None]) -> None:
    """Make files be as given."""
    for name, text in files.items():
        write(place.at(name), text)


def run(*command: str) -> str:
    """Run a program of the system, to its end."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise ChangeError(f"{' '.join(command)}: {done.stdout}{done.stderr}".strip())
    return done.stdout


def change_network(place: Place, files: Files) -> None:
    """Take the network down by the files of now, change them, and bring it up again."""
    (_by_ifupdown if IFUPDOWN in files else _by_networkd)(place, files)


def _by_ifupdown(place: Place, files: Files) -> None:
    # Each by its name: `ifdown --all` leaves out what came up by hotplug, as Debian's installer sets it up.
    links = [line.partition("=")[0] for line in run("ifquery", "--state").splitlines()]
    for link in reversed([link for link in links if link != "lo"]):
        for command in (("ifdown", "--force", link), ("ip", "address", "flush", "dev", link, "scope", "global")):
            with contextlib.suppress(ChangeError):
                run(*command)
    put(place, files)
    run("ifup", "--all")
    run("ifup", "--all", "--allow=hotplug")


def _by_networkd(place: Place, files: Files) -> None:
    bonds = [Path(name).stem.removeprefix("05-mercure-") for name in files if name.endswith(".netdev")]
    gone = [bond for bond in bonds if files[f"/etc/systemd/network/05-mercure-{bond}.netdev"] is None]
    put(place, files)
    for bond in gone:
        with contextlib.suppress(ChangeError):
            run("ip", "link", "delete", bond)
    run("systemctl", "restart", "systemd-networkd.service")


def attempt(place: Place, seconds: int) -> None:
    """Begin a try. What follows runs by itself: the connection of whoever asked may end with it."""
    names = differing(place)
    if place.trying.exists():
        raise ChangeError("a change is being tried already: wait for its end")
    if not names:
        return
    write(place.before, json.dumps({name: place.now(name) for name in names}))
    write(place.trying, "begun")
    transient = ("systemd-run", "--quiet", "--collect", "--timer-property=AccuracySec=100ms")
    try:
        run(*transient, f"--unit={TIMER}", f"--on-active={seconds}", HERE, "back")
        run(*transient, f"--unit={CHANGE}", f"--on-active={BEFORE_CHANGE_SECONDS}", HERE, "change")
    except ChangeError:
        write(place.trying, None)
        raise


def change(place: Place) -> None:
    """Do it; when the network does not come up, go back at once."""
    if not place.trying.exists():
        return
    try:
        change_network(place, {name: place.wanted()[name] for name in differing(place)})
    except ChangeError as error:
        back(place)
        raise ChangeError(f"the network did not come up, and is as it was before: {error}") from error
    write(place.trying, "changed")


def back(place: Place) -> None:
    """Go back to what was before the try; nothing where there is none."""
    if not place.trying.exists():
        return
    change_network(place, json.loads(place.before.read_text()))
    write(place.trying, None)
    with contextlib.suppress(ChangeError):
        run("systemctl", "stop", f"{TIMER}.timer")


def restore(place: Place) -> None:
    """At boot, before the network is up: bring back the files of before a try that nobody kept."""
    if place.trying.exists():
        put(place, json.loads(place.before.read_text()))
        write(place.trying, None)


def keep(place: Place, gateways: list[str]) -> None:
    """Keep what was tried."""
    if not place.trying.exists():
        raise ChangeError(f"nothing is being tried: the host went back to what it had (journalctl --unit {CHANGE})")
    if place.trying.read_text() != "changed":
        raise ChangeError("the change is still under way")
    for gateway in gateways:
        with contextlib.suppress(ChangeError):
            run("ping", "-c", "1", "-W", "2", gateway)
        # A gateway need not answer a ping, but it says where it is.
        if "lladdr" not in run("ip", "neighbour", "show", gateway).split():
            raise ChangeError(f"the gateway {gateway} is not there")
    write(place.trying, None)
    run("systemctl", "stop", f"{TIMER}.timer")


def answers(server: str, port: int = 53, seconds: float = 3.0) -> bool:
    """Ask a name server for the root of all names (RFC 1035 section 4.1); whatever it answers, it is one."""
    number = secrets.token_bytes(2)
    question = number + b"\x01\x00\x00\x01" + bytes(6) + b"\x00\x00\x02\x00\x01"
    with socket.socket(socket.AF_INET6 if ":" in server else socket.AF_INET, socket.SOCK_DGRAM) as link:
        link.settimeout(seconds)
        try:
            link.connect((server, port))
            link.send(question)
            return link.recv(4096)[:2] == number
        except OSError:
            return False


@contextlib.contextmanager
def alone(place: Place) -> Iterator[None]:
    """Let one change the network at a time; a second waits."""
    place.state.mkdir(parents=True, exist_ok=True)
    with (place.state / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def perform(words: list[str], place: Place) -> None:
    """Do what the command line says."""
    match words:
        case ["differs"]:
            sys.stdout.write("".join(f"{name}\n" for name in differing(place)))
        case ["try", seconds] if seconds.isdigit():
            attempt(place, int(seconds))
        case ["change"]:
            change(place)
        case ["keep", *gateways]:
            keep(place, gateways)
        case ["back"]:
            back(place)
        case ["restore"]:
            restore(place)
        case ["ask", *servers] if servers:
            if not any(answers(server) for server in servers):
                raise ChangeError(f"none of these name servers answers: {', '.join(servers)}")
        case _:
            sys.stderr.write(__doc__ or "")
            sys.exit(2)


if __name__ == "__main__":
    try:
        with alone(Place()):
            perform(sys.argv[1:], Place())
    except ChangeError as problem:
        sys.exit(f"mercure-addresses: {problem}")
