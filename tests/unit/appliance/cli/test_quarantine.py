"""``mercure quarantine``: objects named, or by sender, text and time; what is to be sent is shown before."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from appliance.cli import exit_codes
from mercure.names import new_id
from mercure.spool import Stage

if TYPE_CHECKING:
    from appliance.control.session import Session
    from tests.support.command_line import Call


def put(session: Session, aet: str, reason: str) -> str:
    name = new_id()
    folder = session.spool.entry(Stage.QUARANTINE, name)
    folder.mkdir()
    (folder / "object.part").write_bytes(b"\0" * 128 + b"DICM" + b"x" * 20)
    told = {"reason": reason, "bytes": 152, "calling_aet": aet, "address": "10.0.0.7", "called_aet": "MERCURE"}
    (folder / "reason.json").write_text(json.dumps(told))
    return name


@pytest.fixture
def held(session: Session) -> list[str]:
    """Three objects of two senders."""
    told = (("CT1", "ends in the middle"), ("CT1", "no DICOM"), ("MR1", "no DICOM"))
    return [put(session, aet, reason) for aet, reason in told]


def left(session: Session) -> list[str]:
    return sorted(session.spool.names(Stage.QUARANTINE))


def test_by_query_it_is_shown_and_sent_after_a_yes(call: Call, session: Session, held: list[str]) -> None:
    query = ("quarantine", "send", "--text", "no dicom", "--since", "1h", "--target", "delivered")
    no = call(*query, input="n\n")
    assert no.exit_code != 0
    assert "1 object from CT1@10.0.0.7: no DICOM" in no.stderr
    assert "Send 2 objects to delivered as they are?" in no.stderr
    assert left(session) == sorted(held)
    sent = call(*query, "--reason", "the archive reads them", "--yes")
    assert (sent.exit_code, sent.stdout.count("taken by delivered")) == (0, 2)
    assert left(session) == held[:1]


def test_a_query_and_names_exclude_each_other(call: Call, held: list[str]) -> None:
    for command in (("send", "--target", "delivered"), ("read-again",), ("discard", "--reason", "x")):
        assert call("quarantine", *command).exit_code == exit_codes.USAGE
        assert call("quarantine", *command, held[0], "--text", "x").exit_code == exit_codes.USAGE


def test_what_is_discarded_by_query(call: Call, session: Session, held: list[str]) -> None:
    found: Any = json.loads(call("quarantine", "list", "--sender", "CT1@10.0.0.7", "--json").stdout)
    assert found["found"] == 2
    result = call("quarantine", "discard", "--sender", "CT1@10.0.0.7", "--text", "middle", "--reason", "torn", "--yes")
    assert result.exit_code == 0
    assert left(session) == sorted(held[1:])


def test_a_query_that_finds_nothing_does_nothing(call: Call, session: Session, held: list[str]) -> None:
    assert call("quarantine", "send", "--text", "nonsense", "--target", "delivered").stdout == ""
    assert call("quarantine", "discard", "--since", "2030-01-01", "--reason", "x").stdout == ""
    assert left(session) == sorted(held)
