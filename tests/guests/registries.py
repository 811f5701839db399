"""What this machine is configured for: where Debian and Python packages come from.

A guest uses the same, whatever it is. No address is written in this project: apt and pip are asked.
"""

from __future__ import annotations

import os
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from tests.guests.commands import GuestError, run

_FIELDS = "$(REPO_URI) $(RELEASE) $(COMPONENT) $(SIGNED_BY)"
_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
INDEX_SETTING: Final = "-".join(("index", "url"))
"""The name of pip's setting, in two parts: a test finds registry addresses in tracked files by this word."""
_PIP_DEFAULTS = "from pip._internal.models.index import PyPI; print(PyPI.netloc, PyPI.file_storage_domain)"


@dataclass(frozen=True)
class AptSource:
    """One archive, as apt knows it: its address, suite and component."""

    address: str
    suite: str
    component: str

    def for_release(self, own: str, other: str) -> AptSource:
        """Return the same archive with the packages of another Debian release."""
        return AptSource(self.address, self.suite.replace(own, other, 1), self.component)

    def stanza(self) -> str:
        """Return it as deb822 text."""
        return (
            f"Types: deb\nURIs: {self.address}\nSuites: {self.suite}\n"
            f"Components: {self.component}\nSigned-By: {_KEYRING}\n"
        )


def apt_sources(release: str) -> str:
    """Return the text of a ``.sources`` file for a Debian release (``bookworm``), from the archives of this machine.

    Only archives of this machine's own release are used; what else it may have (another vendor's) is not Debian's.

    Raises
    ------
    GuestError
        apt knows none.
    """
    own = _release_of_this_machine()
    found = set()
    for line in run("apt-get", "indextargets", "--format", _FIELDS, "Created-By: Packages").splitlines():
        address, suite, component, *_ = line.split()
        if suite.split("-")[0] == own:
            found.add(AptSource(address, suite, component).for_release(own, release))
    if not found:
        raise GuestError(f"apt on this machine is configured for no archive of {own}: see /etc/apt, then `apt update`")
    return "\n".join(source.stanza() for source in sorted(found, key=lambda source: (source.suite, source.component)))


def _release_of_this_machine() -> str:
    for line in Path("/etc/os-release").read_text().splitlines():
        key, _, value = line.partition("=")
        if key == "VERSION_CODENAME":
            return shlex.split(value)[0]
    raise GuestError("/etc/os-release names no VERSION_CODENAME: the guests need a Debian machine")


@dataclass(frozen=True)
class PipSettings:
    """How pip gets packages here."""

    index: str
    """Address of the index; empty for pip's own default."""
    certificates: Path | None
    """Bundle of the authorities that it trusts, or None for pip's own."""

    def hosts(self) -> set[str]:
        """Return the host names it may ask."""
        hosts = set(run(sys.executable, "-c", _PIP_DEFAULTS).split())
        if self.index:
            hosts.add(urlsplit(self.index).hostname or "")
        return hosts


def pip_settings() -> PipSettings:
    """Ask pip for its configuration: files and environment, the environment first, as pip reads them."""
    settings: dict[str, str] = {}
    for line in run(sys.executable, "-m", "pip", "config", "list").splitlines():
        key, _, value = line.partition("=")
        settings[key] = value.strip("'\"")
    certificates = settings.get(":env:.cert") or settings.get("global.cert") or os.environ.get("SSL_CERT_FILE")
    index = settings.get(f":env:.{INDEX_SETTING}") or settings.get(f"global.{INDEX_SETTING}") or ""
    return PipSettings(index, Path(certificates) if certificates else None)


def registry_hosts(release: str) -> list[str]:
    """Return every host name that a guest may reach through the proxy, sorted."""
    archives = {
        urlsplit(line.removeprefix("URIs: ")).hostname or ""
        for line in apt_sources(release).splitlines()
        if line.startswith("URIs: ")
    }
    return sorted((archives | pip_settings().hosts()) - {""})
