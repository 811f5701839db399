"""Targets that answer in odd ways, through the dispatcher: delivered is only what was really answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mercure.spool import Stage, load_task, read_ledger
from tests.integration.delivery.nodes import Office, dicom_target
from tests.support.odd_target import OddTarget
from tests.support.raw_target import raw_target

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("kind", ["plain", "no uids", "twice", "data set in the answer"])
def test_what_was_taken_is_delivered(kind: str, tmp_path: Path) -> None:
    target = OddTarget(kind)
    with raw_target(target.serve) as server:
        desk = Office(tmp_path, {"pacs": dicom_target(server.port)})
        desk.wait_for("pacs", 3, pixels=100)
        desk.settle()
        assert desk.count(Stage.SUCCESS) == 1
        assert len(set(target.taken)) == 3
        desk.dispatcher.end()
        desk.box.close()


@pytest.mark.parametrize("kind", ["other instance", "other message id", "no status", "early"])
def test_answers_that_confirm_nothing_end_in_error_and_name_the_reason(kind: str, tmp_path: Path) -> None:
    """They are counted: a target that always answers so is no target that is down, and a person has to hear of it."""
    with raw_target(OddTarget(kind).serve) as server:
        desk = Office(tmp_path, {"pacs": dicom_target(server.port)})
        desk.wait_for("pacs", 3, pixels=100)
        for _ in range(3):
            desk.settle()
            desk.box.clock.advance(60)
        (failed,) = desk.box.tasks(Stage.ERROR)
        task = load_task(failed)
        assert (task.refusals, read_ledger(failed)) == (3, {})
        assert task.failure is not None
        assert "answer" in task.failure.reason
        assert desk.box.events("target.down") == []
        desk.dispatcher.end()
        desk.box.close()
