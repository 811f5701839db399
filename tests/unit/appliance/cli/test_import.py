"""``mercure config import``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

from appliance.cli.app import mercure as command
from mercure.config import Root
from mercure.services.common import open_store

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.box import Box

OLD: dict[str, Any] = {
    "port": 11113,
    "graphite_ip": "10.0.0.9",
    "targets": {"pacs": {"target_type": "dicom", "ip": "10.0.0.7", "port": "104", "aet_target": "PACS"}},
    "rules": {"mr": {"rule": '@Modality@ == "MR"', "target": "pacs"}},
}


@pytest.fixture
def old(tmp_path: Path) -> Path:
    path = tmp_path / "old.json"
    path.write_text(json.dumps(OLD))
    return path


def run(box: Box, *arguments: str) -> Result:
    return CliRunner().invoke(command, ["config", "import", *arguments, "--root", str(box.root)])


def test_what_comes_out_is_printed_and_the_rest_is_told(box: Box, old: Path) -> None:
    result = run(box, str(old))
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["receiver"] == {"port": 11113}
    assert "graphite_ip: nothing is sent" in result.stderr
    document = json.loads(run(box, str(old), "--json").stdout)
    assert document["revision"] is None
    assert open_store(Root(box.root)).mercure.load().value.receiver.port == 11112


def test_saving_makes_it_a_revision_and_is_audited(box: Box, old: Path) -> None:
    store = open_store(Root(box.root))
    assert store.mercure.load().by_hand, "the import is made from what stands in the file, whoever wrote it"
    result = run(box, str(old), "--save")
    assert result.exit_code == 0, result.stderr
    loaded = store.mercure.load()
    assert loaded.value.receiver.port == 11113
    assert not loaded.by_hand
    assert store.mercure.revision(loaded.revision).comment == "imported from old.json"
    assert [event.details["verb"] for event in box.events("audit")] == ["config.by_hand", "config.import"]


def test_what_cannot_be_used_is_not_saved(box: Box, old: Path) -> None:
    wrong = {**OLD, "targets": {"pacs": {**OLD["targets"]["pacs"], "port": "no number"}}}
    old.write_text(json.dumps(wrong))
    looked = run(box, str(old))
    assert looked.exit_code == 1
    assert "targets.pacs.port" in looked.stderr
    before = (box.root / "config" / "mercure.json").read_bytes()
    assert run(box, str(old), "--save").exit_code == 1
    assert (box.root / "config" / "mercure.json").read_bytes() == before
    old.write_text("[]")
    assert run(box, str(old)).exit_code == 1
    assert run(box, str(old.with_name("none.json"))).exit_code == 5
