"""The SBOM of this very machine, against the schema of CycloneDX, and the reports of the real tools against it."""

from __future__ import annotations

import json
import subprocess
import zlib
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from click.testing import CliRunner, Result
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from appliance.cli.app import mercure
from appliance.control.errors import ControlError
from appliance.sbom import Component, Metadata, Sbom, make_sbom, python_name
from appliance.vulnerabilities import check

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
SUITE = "bookworm"


def sbom_of(*purls: str) -> Sbom:
    """Return a list of packages, each written as a package URL."""
    parts = [(purl, *purl.rpartition("/")[2].partition("?")[0].split("@")) for purl in purls]
    components = tuple(Component(name=name, version=number, purl=purl) for purl, name, number in parts)
    router = Component(type="application", name="mercure-appliance", version="1", purl="pkg:generic/mercure@1")
    return Sbom(serialNumber="urn:uuid:0", metadata=Metadata(timestamp=NOW, component=router), components=components)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(mercure, ["sbom", *arguments])


def test_it_follows_the_schema_and_names_what_runs_here(tmp_path: Path) -> None:
    file = tmp_path / "sbom.json"
    written = run("write", str(file))
    assert written.exit_code == 0, written.output
    text = file.read_text()
    assert JsonStrictValidator(SchemaVersion.V1_5).validate_str(text) is None
    purls = {component["purl"] for component in json.loads(text)["components"]}
    assert f"pkg:pypi/pydantic@{version('pydantic')}" in purls
    shown = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Version} ${Architecture}", "bash"], capture_output=True, check=True
    )
    number, architecture = shown.stdout.decode().split()
    assert f"pkg:deb/debian/bash@{quote(number)}?arch={architecture}" in purls
    assert any(purl.startswith("pkg:generic/dcmtk@3.") for purl in purls)
    assert not any("mercure-appliance" in purl for purl in purls), "it is what the list is of"


def test_the_same_software_has_the_same_serial() -> None:
    first, second = make_sbom(NOW), make_sbom(NOW.replace(year=2027))
    assert first.serial == second.serial
    assert first.metadata.timestamp != second.metadata.timestamp


@pytest.mark.parametrize("name", ["ruamel.yaml", "Ruamel_YAML", "ruamel--yaml"])
def test_a_python_package_has_one_name(name: str) -> None:
    assert python_name(name) == "ruamel-yaml"


def database(folder: Path) -> str:
    """Write a database in the form that Debian's security tracker gives ``debsecan``; return its address."""
    flaws = ["CVE-2026-0001,,reads beyond the end", "CVE-2026-0002,,takes long", "CVE-2026-0003,,old"]
    # Package, number of the flaw, flags (source package, urgency, remote, fixed), fixed in unstable, and elsewhere.
    of_packages = ["bash,0,SHRF,999,", "bash,1,SL  ,,", "not-installed,2,SM  ,999,"]
    text = "\n".join(["VERSION 1", *flaws, "", *of_packages, "", "bash,bash", "not-installed,not-installed", "", ""])
    (folder / SUITE).write_bytes(zlib.compress(text.encode()))
    return folder.as_uri()


def test_what_debsecan_says_of_an_installed_package(tmp_path: Path) -> None:
    command = ["debsecan", "--suite", SUITE, "--source", database(tmp_path)]
    report = tmp_path / "debsecan.txt"
    report.write_bytes(subprocess.run(command, capture_output=True, check=True).stdout)
    found = check(make_sbom(NOW), debsecan=report, pip_audit=None)
    assert [(one.id, one.package, one.fixed) for one in found.found] == [
        ("CVE-2026-0001", "bash", "in the updates of Debian"),
        ("CVE-2026-0002", "bash", ""),
    ]
    shown = run("check", "--debsecan", str(report))
    assert shown.exit_code == 1
    assert "2 known vulnerabilities in 1 package" in shown.output
    other_box = check(sbom_of("pkg:deb/debian/dash@0.5?arch=amd64"), debsecan=report, pip_audit=None)
    assert (other_box.found, other_box.elsewhere) == ((), 2)


def pip_audit(folder: Path, *dependencies: dict[str, Any]) -> Path:
    report = folder / "pip-audit.json"
    report.write_text(json.dumps({"dependencies": dependencies, "fixes": []}))
    return report


def test_what_pip_audit_says_counts_for_the_version_that_is_here(tmp_path: Path) -> None:
    flaw = {"id": "PYSEC-2026-1", "fix_versions": ["2.0", "1.9.1"], "aliases": ["CVE-2026-9"], "description": "x"}
    report = pip_audit(
        tmp_path,
        {"name": "Bottle", "version": "0.13", "vulns": [flaw]},
        {"name": "peewee", "version": "3.0", "vulns": [flaw]},
        {"name": "psutil", "version": "7.0", "vulns": []},
        {"name": "skipped-one", "skip_reason": "not on the index"},
    )
    sbom = sbom_of("pkg:pypi/bottle@0.13", "pkg:pypi/peewee@4.0", "pkg:deb/debian/peewee@3.0?arch=all")
    found = check(sbom, debsecan=None, pip_audit=report)
    assert [(one.id, one.package, one.installed, one.fixed) for one in found.found] == [
        ("PYSEC-2026-1", "bottle", "0.13", "2.0, 1.9.1")
    ]
    assert found.elsewhere == 1


def test_nothing_known_is_no_failure(tmp_path: Path) -> None:
    shown = run("check", "--pip-audit", str(pip_audit(tmp_path)))
    assert (shown.exit_code, shown.output) == (0, "0 known vulnerabilities in 0 packages\n")


@pytest.mark.parametrize("content", ["", "[]", "{}", "\x00\xff", '{"dependencies": [{"version": "1"}]}'])
def test_what_is_no_report_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "report"
    file.write_text(content)
    with pytest.raises(ControlError, match="no report of pip-audit"):
        check(sbom_of(), debsecan=None, pip_audit=file)
    if content:
        with pytest.raises(ControlError, match="line 1 is none of debsecan's"):
            check(sbom_of(), debsecan=file, pip_audit=None)
    assert run("check", "--debsecan", str(tmp_path / "missing")).exit_code == 5
    assert run("check").exit_code == 2
