"""Known vulnerabilities of what is installed, by the reports of ``debsecan`` and ``pip-audit``.

Both tools fetch their databases from the internet, where a router has no way. So they run elsewhere on what this box
has, and their reports are brought here as files.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from appliance.control.errors import ControlError
from appliance.sbom import Component, Sbom, python_name
from mercure.model import Model, Record

_LINE: Final = re.compile(r"(?P<id>\S+) (?P<package>\S+)(?: \((?P<notes>[^)]*)\))?")
"""A line of ``debsecan`` in its format "summary", which is what it writes without options."""

_LARGEST_BYTES: Final = 256 * 1024 * 1024


class Vulnerability(Model):
    """A known vulnerability of something that is installed here."""

    id: str
    package: str
    installed: str
    """Its version here."""
    fixed: str
    """What the report says of a version without it; empty: there is none yet."""


class VulnerabilityReport(Model):
    """What of the reports is of this installation."""

    found: tuple[Vulnerability, ...]
    elsewhere: int
    """Lines of the reports about what is not installed here, or in another version."""


class _Flaw(Record):
    id: str
    fix_versions: tuple[str, ...] = ()


class _Audited(Record):
    name: str
    version: str = ""
    vulns: tuple[_Flaw, ...] = ()


class _PipAudit(Record):
    dependencies: tuple[_Audited, ...]


def check(sbom: Sbom, *, debsecan: Path | None, pip_audit: Path | None) -> VulnerabilityReport:
    """Name the known vulnerabilities of what is installed.

    Parameters
    ----------
    sbom : Sbom
        What is installed.
    debsecan : Path, optional
        What ``debsecan`` wrote, in its format ``summary``.
    pip_audit : Path, optional
        What ``pip-audit --format json`` wrote.

    Raises
    ------
    ControlError
        A report cannot be read, or is none.
    """
    found: set[Vulnerability] = set()
    elsewhere = 0
    for claims in (_debian(sbom, debsecan), _python(sbom, pip_audit)):
        for claim in claims:
            elsewhere += claim is None
            found |= {claim} if claim is not None else set()
    return VulnerabilityReport(found=tuple(sorted(found, key=lambda one: (one.package, one.id))), elsewhere=elsewhere)


def _debian(sbom: Sbom, report: Path | None) -> Iterator[Vulnerability | None]:
    if report is None:
        return
    installed = _installed(sbom.components, "pkg:deb/")
    for number, line in enumerate(_text(report).splitlines(), 1):
        said = _LINE.fullmatch(line.strip())
        if said is None:
            advice = "write it with `debsecan --suite SUITE`, without --format"
            raise ControlError("invalid", f"{report}: line {number} is none of debsecan's: {line[:80]!r}", advice)
        version = installed.get(said["package"])
        if version is None:
            yield None
            continue
        fixed = "in the updates of Debian" if "fixed" in (said["notes"] or "").split(", ") else ""
        yield Vulnerability(id=said["id"], package=said["package"], installed=version, fixed=fixed)


def _python(sbom: Sbom, report: Path | None) -> Iterator[Vulnerability | None]:
    if report is None:
        return
    installed = _installed(sbom.components, "pkg:pypi/")
    try:
        audited = _PipAudit.model_validate_json(_text(report))
    except ValidationError as error:
        advice = "write it with `pip-audit --format json`"
        raise ControlError("invalid", f"{report} is no report of pip-audit", advice) from error
    for package in audited.dependencies:
        name = python_name(package.name)
        for flaw in package.vulns:
            is_here = installed.get(name) == package.version
            fixed = ", ".join(flaw.fix_versions)
            yield Vulnerability(id=flaw.id, package=name, installed=package.version, fixed=fixed) if is_here else None


def _installed(components: Sequence[Component], kind: str) -> dict[str, str]:
    return {component.name: component.version for component in components if component.purl.startswith(kind)}


def _text(report: Path) -> str:
    try:
        if report.stat().st_size > _LARGEST_BYTES:
            raise ControlError("invalid", f"{report} is too large for a report")
        return report.read_text("utf-8", errors="replace")
    except OSError as error:
        raise ControlError("not-found", f"{report} cannot be read: {error.strerror}") from error
