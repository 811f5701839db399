"""Commands that work without a router ask the control service of one that runs: then the role counts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from appliance.cli.app import mercure
from tests.support.control_server import AsRole, Served
from tests.support.series import synthetic_images


def run(served: Served, *arguments: str | Path) -> Result:
    return CliRunner().invoke(mercure, [*map(str, arguments), "--root", str(served.root)])


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """Files of the caller, that the service could not read."""
    tags = tmp_path / "tags.json"
    tags.write_text(json.dumps({"Modality": "MR", "SOPInstanceUID": "1.2"}))
    rules = tmp_path / "rules.json"
    rules.write_text(json.dumps({"all": {"rule": "True", "targets": ["delivered"]}}))
    image = tmp_path / "image.dcm"
    image.write_bytes(synthetic_images(1, 8, 8, seed="command")[0][1])
    return {"tags": tags, "rules": rules, "image": image}


def commands(files: dict[str, Path]) -> dict[str, tuple[str | Path, ...]]:
    return {
        "check": ("rules", "check"),
        "check one": ("rules", "check", "tags.Modality == 'MR'"),
        "explain by name": ("rules", "explain", "everything", "--tags", files["tags"]),
        "explain an expression": ("rules", "explain", "tags.Modality == 'MR'", "--file", files["image"]),
        "dry run": ("rules", "dry-run", files["rules"]),
        "verify": ("verify",),
        "backups": ("backup", "list"),
    }


NAMES = list(commands(dict.fromkeys(("tags", "rules", "image"), Path())))


@pytest.mark.parametrize("name", NAMES)
def test_a_viewer_may(served: Served, as_role: AsRole, files: dict[str, Path], name: str) -> None:
    as_role("viewer")
    done = run(served, *commands(files)[name])
    # Without a bookkeeper there is no history, and not everything can be verified.
    assert done.exit_code == (2 if name == "verify" else 0), done.output


@pytest.mark.parametrize("name", NAMES)
def test_who_has_no_role_may_not(served: Served, as_role: AsRole, files: dict[str, Path], name: str) -> None:
    as_role(None)
    done = run(served, *commands(files)[name])
    assert (done.exit_code, "mercure-viewer" in done.stderr) == (6, True), done.output


@pytest.mark.parametrize("arguments", [("backup", "create"), ("selftest", "--no-image")])
def test_what_changes_something_is_not_for_viewers(served: Served, as_role: AsRole, arguments: tuple[str, ...]) -> None:
    as_role("viewer")
    assert run(served, *arguments).exit_code == 6


def test_a_whole_changed_configuration_is_rehearsed(served: Served, files: dict[str, Path]) -> None:
    content = json.loads((served.root / "config" / "mercure.json").read_text())
    content["targets"]["second"] = content["targets"]["delivered"]
    content["rules"]["everything"]["targets"] = ["second"]
    files["rules"].write_text(json.dumps(content))
    assert run(served, "rules", "dry-run", files["rules"]).exit_code == 0
    files["rules"].write_text(json.dumps({**content, "targets": {}}))
    done = run(served, "rules", "dry-run", files["rules"])
    assert (done.exit_code, "second" in done.stderr) == (1, True)
