"""``mercure rules check``, ``explain`` and ``dry-run``, as a person or a script sees them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pydicom
import pytest
from click.testing import CliRunner, Result

from appliance.cli.app import mercure as command
from mercure.routing import dry_run
from mercure.spool import Stage
from tests.support.box import Box, turn
from tests.support.dicom_files import storable_files
from tests.support.incoming import make_images

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ROUTE = {"mr": {"rule": 'tags.Modality == "MR"', "targets": ["archive"]}}


@pytest.fixture
def mercure(box: Box) -> Callable[..., Result]:
    def run(*arguments: str) -> Result:
        return CliRunner().invoke(command, ["rules", *arguments, "--root", str(box.root)])

    return run


def receive_and_route(box: Box, series: str, **tags: Any) -> None:
    router = box.router()
    box.receive(make_images(2, series=series, **tags))
    turn(router)
    box.clock.advance(100)
    turn(router)


def test_check_names_the_rule_the_column_and_what_to_write(box: Box, mercure: Callable[..., Result]) -> None:
    never = {"rule": 'tags.Modality == "MR" and tags.Modality == "CT"', "targets": ["archive"]}
    box.configure(rules={**ROUTE, "never": never})
    found = mercure("check", "--json")
    document = json.loads(found.stdout)
    assert document["checked"] == 2
    assert [finding["rule"] for finding in document["findings"]] == ["never"]
    wrong = mercure("check", "tags.Modalty == 1")
    assert wrong.exit_code == 1
    assert "column 1" in wrong.stdout
    assert "did you mean Modality?" in wrong.stdout
    assert "^^^^" in wrong.stdout
    assert mercure("check", 'tags.Modality == "MR"').exit_code == 0


def test_check_finds_a_rule_behind_a_discard(box: Box, mercure: Callable[..., Result]) -> None:
    box.configure(rules={"no": {"rule": "True", "action": "discard"}, **ROUTE})
    (finding,) = json.loads(mercure("check", "--json").stdout)["findings"]
    assert (finding["rule"], finding["because_of"]) == ("mr", "no")


def test_explain_a_rule_by_name_on_a_routed_series(box: Box, mercure: Callable[..., Result]) -> None:
    box.configure(rules=ROUTE)
    receive_and_route(box, "1.7.1", Modality="MR")
    shown = mercure("explain", "mr", "--series", "1.7.1")
    assert shown.exit_code == 0, shown.stderr
    assert "result  True" in shown.stdout
    assert '"MR"' in shown.stdout
    assert max(map(len, shown.stdout.splitlines())) <= 80
    document = json.loads(mercure("explain", "mr", "--series", "1.7.1", "--json").stdout)
    assert document["result"] is True
    assert [part["text"] for part in document["parts"] if part["depth"] == 1] == ["tags.Modality"]
    missing = mercure("explain", "mr", "--series", "1.7.2")
    assert missing.exit_code == 5
    assert "history series" in missing.stderr


def test_explain_finds_a_series_that_is_still_arriving(box: Box, mercure: Callable[..., Result]) -> None:
    box.receive(make_images(1, series="1.7.3", Modality="US"))
    assert box.spool.names(Stage.INCOMING) == ["1.7.3"]
    assert "result  True" in mercure("explain", 'tags.Modality == "US"', "--series", "1.7.3").stdout


def test_explain_tags_and_the_errors_of_asking(box: Box, mercure: Callable[..., Result], tmp_path: Path) -> None:
    tags = tmp_path / "tags.json"
    tags.write_text('{"Modality": "CT"}\n{"Modality": "MR"}\n')
    assert "result  True" in mercure("explain", "images.count == 2", "--tags", str(tags)).stdout
    assert mercure("explain", "True").exit_code == 2, "nothing to explain it on"
    broken = mercure("explain", "tags.Modality ==", "--tags", str(tags))
    assert broken.exit_code == 1
    assert "^" in broken.stderr
    (tmp_path / "image.dcm").write_text("no image")
    assert mercure("explain", "True", "--file", str(tmp_path / "image.dcm")).exit_code == 1


def test_explain_reads_a_file_with_the_character_set_that_the_receiver_assumes(
    box: Box, mercure: Callable[..., Result], tmp_path: Path
) -> None:
    file = tmp_path / "image.dcm"
    image = pydicom.dcmread(next(path for path in storable_files() if path.name == "CT_small.dcm"))
    image.PatientName = "MXller"
    image.pop("SpecificCharacterSet", None)
    image.save_as(file)
    file.write_bytes(file.read_bytes().replace(b"MXller", b"M\xfcller"))
    rule = 'tags.PatientName == "M\u00fcller"'
    assert "result  True" not in mercure("explain", rule, "--file", str(file)).stdout
    box.configure(receiver={"character_set": "ISO_IR 100"})
    assert "result  True" in mercure("explain", rule, "--file", str(file)).stdout


def test_dry_run_counts_and_lists(box: Box, mercure: Callable[..., Result], tmp_path: Path) -> None:
    targets = {name: {"kind": "folder", "path": str(box.delivered)} for name in ("archive", "research")}
    box.configure(rules=ROUTE, targets=targets)
    for number, modality in enumerate(["MR", "CT", "MR"]):
        receive_and_route(box, f"1.8.{number}", Modality=modality, SeriesDescription="T1\x1b[31m", AccessionNumber="A1")
    assert len(dry_run.kept_tasks(box.spool)) == 3
    changed = tmp_path / "changed.json"
    changed.write_text(json.dumps({"ct": {"rule": 'tags.Modality == "CT"', "targets": ["research"]}}))
    shown = mercure("dry-run", str(changed))
    assert shown.exit_code == 0, shown.stderr
    assert "3 of 3 series would go elsewhere" in shown.stdout
    assert "\x1b" not in shown.stdout, "LESSONS 39"
    document = json.loads(mercure("dry-run", str(changed), "--json", "--last", "1").stdout)
    assert document["moves"] == {"archive -> discard by (no rule)": 1}
    whole = {"version": 1, "rules": {"ct": {"rule": "True", "targets": ["reserch"]}}, "targets": targets}
    changed.write_text(json.dumps(whole))
    refused = mercure("dry-run", str(changed))
    assert refused.exit_code == 1
    assert "did you mean 'research'?" in refused.stderr
