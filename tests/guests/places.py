"""Where things lie: what is kept between runs, and what belongs to one scenario of one checkout."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

CHECKOUT: Final = Path(__file__).resolve().parents[2]
NAME: Final = "mercure-molecule"


def cache() -> Path:
    """Return the folder of what only costs time to lose: images, kernels, packages, builds.

    ``MERCURE_MOLECULE_CACHE``, else ``mercure-molecule`` in ``XDG_CACHE_HOME``, else in ``~/.cache``.
    """
    chosen = os.environ.get("MERCURE_MOLECULE_CACHE")
    if chosen:
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / NAME


@dataclass(frozen=True)
class Lab:
    """One scenario of one checkout: the guests that see each other, and all that is theirs.

    Its identity comes from the path of the checkout and the name of the scenario, so that a later run finds what an
    earlier one left behind, and two checkouts never meet.
    """

    scenario: str

    @property
    def id(self) -> str:
        """A short name, unique on this machine; it names the network namespace and the control group."""
        return f"{NAME}-{self.scenario}-{hashlib.sha256(str(CHECKOUT).encode()).hexdigest()[:6]}"

    @property
    def folder(self) -> Path:
        """Guests and logs. Not in ``/tmp``, which may be memory: a converged guest takes a gigabyte."""
        return Path(os.environ.get("MERCURE_MOLECULE_STATE", "/var/tmp")) / self.id  # noqa: S108 - only root writes in it

    @property
    def ssh_config(self) -> Path:
        """How ssh reaches the guests, by name."""
        return self.folder / "ssh_config"

    @property
    def key(self) -> Path:
        """The private key that the guests let in."""
        return self.folder / "id_ed25519"


def labs() -> list[Lab]:
    """Return every scenario of this checkout that has left a folder."""
    end = Lab("").id.rpartition("-")[2]
    folder = Lab("").folder.parent
    found = sorted(folder.glob(f"{NAME}-*-{end}"))
    return [Lab(path.name.removeprefix(f"{NAME}-").removesuffix(f"-{end}")) for path in found]
