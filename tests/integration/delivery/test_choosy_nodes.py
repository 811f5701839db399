"""Nodes that take an image in one transfer syntax only, through the dispatcher."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pynetdicom import AE, evt
from pynetdicom.sop_class import CTImageStorage, Verification  # type: ignore[attr-defined]

from mercure.spool import Stage, load_task
from tests.integration.delivery.nodes import Office, dicom_target
from tests.support.encoded import IMPLICIT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.router import FreePort


@pytest.mark.parametrize(("policy", "stage"), [("as-needed", Stage.SUCCESS), ("as-received", Stage.ERROR)])
def test_a_node_that_knows_the_default_syntax_alone(
    policy: str, stage: Stage, free_port: FreePort, tmp_path: Path
) -> None:
    taken: list[str] = []

    def store(event: Any) -> int:
        taken.append(str(event.context.transfer_syntax))
        return 0x0000

    entity, port = AE(ae_title="NODE"), free_port()
    entity.add_supported_context(CTImageStorage, [IMPLICIT])
    entity.add_supported_context(Verification)
    server = entity.start_server(("127.0.0.1", port), block=False, evt_handlers=[(evt.EVT_C_STORE, store)])
    assert server is not None
    try:
        desk = Office(tmp_path, {"pacs": {**dicom_target(port), "transfer_syntaxes": policy}})
        desk.wait_for("pacs", 3, pixels=100)
        desk.settle()
    finally:
        server.shutdown()
    (directory,) = desk.box.tasks(stage)
    task = load_task(directory)
    assert len(task.attempts) == 1, "what cannot change by trying again is not tried ten times"
    if stage is Stage.SUCCESS:
        assert taken == [IMPLICIT] * 3
        assert [item.to_syntax for item in task.attempts[0].converted] == [IMPLICIT]
    else:
        assert taken == []
        assert task.failure is not None
        assert "transfer_syntaxes" in task.failure.advice
    desk.dispatcher.end()
    desk.box.close()
