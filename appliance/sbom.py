"""Software bill of materials (SBOM): what this installation runs, as CycloneDX 1.5.

Python packages are those of the environment that runs; a lock would list what other Pythons need, too. Debian packages
are all that are installed: a scanner of an image of the disk finds the same.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Iterator
from datetime import datetime
from importlib.metadata import Distribution, distributions
from typing import Final, Literal
from urllib.parse import quote
from uuid import NAMESPACE_URL, uuid5

from pydantic import Field

from appliance.control.errors import ControlError
from mercure import __version__
from mercure.dicom.tools import ToolMissingError, tool_path
from mercure.model import Model
from mercure.programs import run_program

SPECIFICATION: Final = "1.5"
_FORMAT: Final = "${db:Status-Abbrev}\t${Package}\t${Version}\t${Architecture}\n"
_DPKG: Final = ("dpkg-query", "--show", "--showformat", _FORMAT)
_BY_HAND: Final = "run it by hand: dpkg-query --show"
_SECONDS: Final = 60.0
_PROGRAM: Final = "getdcmtags"


class Component(Model):
    """A piece of software, as CycloneDX names it."""

    type: Literal["application", "library"] = "library"
    name: str
    version: str
    purl: str
    """Package URL: the name by which databases of vulnerabilities know it."""


class Metadata(Model):
    """What the list is of, and when it was made."""

    timestamp: datetime
    component: Component


class Sbom(Model):
    """The list, in the form of CycloneDX."""

    format: Literal["CycloneDX"] = Field("CycloneDX", alias="bomFormat")
    specification: str = Field(SPECIFICATION, alias="specVersion")
    serial: str = Field(alias="serialNumber")
    version: int = 1
    metadata: Metadata
    components: tuple[Component, ...]


def make_sbom(now: datetime) -> Sbom:
    """List what this installation runs.

    Parameters
    ----------
    now : datetime
        Aware, UTC.

    Raises
    ------
    ControlError
        ``dpkg-query`` does not answer, or the programs do not run.
    """
    components = tuple(sorted({*_python(distributions()), *_debian(_packages()), *_programs()}, key=_order))
    router = Component(
        type="application", name="mercure-appliance", version=__version__, purl=f"pkg:generic/mercure@{__version__}"
    )
    # The same content has the same serial, so that two boxes with the same software can be seen to be the same.
    serial = uuid5(NAMESPACE_URL, "\n".join(component.purl for component in (router, *components)))
    return Sbom(
        serialNumber=f"urn:uuid:{serial}", metadata=Metadata(timestamp=now, component=router), components=components
    )


def python_name(name: str) -> str:
    """Return the name of a Python package in the form that all indexes share (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _python(found: Iterable[Distribution]) -> Iterator[Component]:
    for distribution in found:
        name, version = python_name(distribution.name), distribution.version
        if name != "mercure-appliance":
            yield Component(name=name, version=version, purl=f"pkg:pypi/{name}@{quote(version)}")


def _packages() -> str:
    try:
        done = run_program(_DPKG, seconds=_SECONDS)
    except FileNotFoundError:
        return ""  # no Debian: a laptop of someone who tries it out
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ControlError(
            "failed", f"dpkg-query does not run: {error}", "run it by hand: dpkg-query --show"
        ) from error
    if done.returncode:
        raise ControlError("failed", f"dpkg-query: {done.stderr.strip()[:200]}", _BY_HAND)
    return done.stdout


def _debian(listed: str) -> Iterator[Component]:
    for line in listed.splitlines():
        state, name, version, architecture = line.split("\t")
        if state.startswith("ii"):
            purl = f"pkg:deb/debian/{quote(name)}@{quote(version)}?arch={architecture}"
            yield Component(name=name, version=version, purl=purl)


def _programs() -> Iterator[Component]:
    """Yield the DCMTK in our programs: it may have been built from its sources, of which dpkg knows nothing."""
    try:
        done = run_program([str(tool_path(_PROGRAM)), "--version"], seconds=_SECONDS)
    except (ToolMissingError, OSError, subprocess.TimeoutExpired) as error:
        raise ControlError("failed", f"{_PROGRAM} does not run: {error}", "install the release again") from error
    found = re.search(r"\(DCMTK (\S+)\)", done.stdout)
    if found is None:
        raise ControlError("failed", f"{_PROGRAM} does not say which DCMTK is in it", "build the programs again")
    yield Component(name="dcmtk", version=found[1], purl=f"pkg:generic/dcmtk@{quote(found[1])}")


def _order(component: Component) -> str:
    return component.purl
