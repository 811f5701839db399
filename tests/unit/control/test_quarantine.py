"""The quarantine desk: list, look, read again, send on as it is, discard; each with who and why, and nothing lost."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from appliance.control import quarantine as desk
from appliance.control.api.quarantine import ChangeObject, DiscardObject, ListQuarantine, OneObject, SendObject
from appliance.control.errors import ControlError
from appliance.control.registry import Asked
from appliance.control.roles import Caller
from appliance.control.rpc.client import Client, api
from appliance.control.rpc.client import ControlError as Refused
from appliance.control.session import Session
from mercure.spool import Claim, Spool, Stage
from tests.support.control_server import AsRole
from tests.support.data_sets import ct_image, data_set_of
from tests.support.quarantine import put_aside, receive, torn_image
from tests.support.recording_node import RecordingNode
from tests.support.tasks import events_of

NAME = "20261121T110000000000-0000abcd"


def entries(spool: Spool) -> list[Path]:
    return sorted(spool.stage(Stage.QUARANTINE).iterdir())


def told(session: Session) -> list[tuple[str, dict[str, Any]]]:
    return [(event.type, event.details) for event in events_of(session) if event.service != "receiver"]


@pytest.fixture
def torn(session: Session) -> Path:
    receive(session.root.path, torn_image(), torn_image())
    events_of(session)
    (entry,) = entries(session.spool)
    return entry


@pytest.fixture
def readable(session: Session) -> Path:
    receive(session.root.path, ct_image("1.2.3.4", "1.2.3"))
    events_of(session)
    (image,) = session.spool.stage(Stage.INCOMING).glob("*/*.dcm")
    return put_aside(session.spool.root, image, NAME)


def send(session: Session, entry: Path, target: str, reason: str = "") -> Any:
    wanted = SendObject(entry=entry.name, target=target, reason=reason)
    return desk.send_object(Asked(session, Caller("alice", 0, "admin")), wanted)


def with_target(session: Session, name: str, **settings: Any) -> Session:
    """Write a target into the configuration, and return a session that knows it."""
    path = session.root.path / "config" / "mercure.json"
    content = json.loads(path.read_text())
    content["targets"][name] = settings
    path.write_text(json.dumps(content))
    return Session(session.root, "alice", clock=session.clock)


def test_by_sender_and_reason_with_how_often(session: Session, torn: Path) -> None:
    receive(session.root.path, torn_image(1), torn_image(2), calling=b"OTHER")
    found = desk.list_quarantine(session, ListQuarantine())
    assert [(group.sender, group.objects, group.times) for group in found.groups] == [
        ("OTHER@127.0.0.1", 2, 2),
        ("SCANNER@127.0.0.1", 1, 2),
    ]
    assert (found.objects, len(found.entries), found.most_objects) == (3, 3, 10_000)
    assert found.bytes == sum((entry / "object.part").stat().st_size for entry in entries(session.spool))
    of_one = desk.list_quarantine(session, ListQuarantine(sender="SCANNER@127.0.0.1"))
    assert [one.entry for one in of_one.entries] == [torn.name]
    assert not desk.list_quarantine(session, ListQuarantine(text="no such text")).entries
    assert len(desk.list_quarantine(session, ListQuarantine(limit=1)).entries) == 1


def test_a_look_shows_what_can_be_read_and_the_bytes_around_the_fault(session: Session, torn: Path) -> None:
    detail = desk.show(session, OneObject(entry=torn.name[-8:]))
    assert detail.tags["SOPInstanceUID"] == "1.2.3.0"
    assert "ends in the middle of the header" in detail.fault
    data = (torn / "object.part").read_bytes()
    assert detail.offset is not None
    assert data[: detail.offset].endswith(b"SH\xff\x7f")
    (marked,) = [line for line in detail.hex if line.startswith(">")]
    assert f"{detail.offset - detail.offset % 16:08x}" in marked
    assert len(detail.hex) <= 10


def test_a_look_at_what_is_no_dicom_at_all(session: Session) -> None:
    receive(session.root.path, b"<html>" * 50)
    (entry,) = entries(session.spool)
    detail = desk.show(session, OneObject(entry=entry.name))
    assert detail.fault
    assert any("<html>" in line for line in detail.hex)


def test_a_look_at_an_entry_that_is_damaged_itself(session: Session, torn: Path) -> None:
    (torn / "reason.json").write_text("{")
    (torn / "object.part").unlink()
    detail = desk.show(session, OneObject(entry=torn.name))
    assert (detail.object.bytes, detail.tags, detail.hex) == (0, {}, ())


def test_what_can_be_read_now_goes_on_with_its_origin_and_time(session: Session, readable: Path) -> None:
    data = data_set_of((readable / "object.part").read_bytes())
    done = desk.read_object_again(session, ChangeObject(entry=NAME, reason="after the upgrade"))
    assert (done.read, done.series, done.file) == (True, "1.2.3", "1.2.3.4.dcm")
    (image,) = session.spool.stage(Stage.INCOMING).glob("*/*.dcm")
    assert data_set_of(image.read_bytes()) == data
    (line,) = [json.loads(text) for file in image.parent.glob("*.jsonl") for text in file.read_text().splitlines()]
    assert (line["ImageID"], line["SenderAET"], line["SenderAddress"]) == (NAME, "SCANNER", "192.0.2.7")
    assert line["ReceivedAt"].startswith("2026-11-21T11:00:00")
    assert entries(session.spool) == []
    assert list(session.spool.stage(Stage.RECEIVING).iterdir()) == []
    types = {event.type: event.details for event in events_of(session)}
    assert types["image.received"]["image"] == NAME
    assert types["quarantine.read"]["reason"] == "after the upgrade"
    assert (types["audit"]["by"], types["audit"]["verb"], types["audit"]["object"]) == (
        "alice",
        "quarantine.read_again",
        NAME,
    )


def test_what_still_cannot_be_read_stays(session: Session, torn: Path) -> None:
    before = (torn / "object.part").read_bytes()
    done = desk.read_object_again(session, ChangeObject(entry=torn.name))
    assert not done.read
    assert "ends in the middle" in done.reason
    assert (torn / "object.part").read_bytes() == before
    assert entries(session.spool) == [torn]
    assert told(session) == []


@pytest.mark.parametrize("place", [200, -20])
def test_bytes_that_are_not_those_that_came_do_not_go_on(session: Session, readable: Path, place: int) -> None:
    data = bytearray((readable / "object.part").read_bytes())
    data[place] ^= 1
    (readable / "object.part").write_bytes(data)
    done = desk.read_object_again(session, ChangeObject(entry=NAME))
    assert not done.read
    assert entries(session.spool) == [readable]
    assert not list(session.spool.stage(Stage.INCOMING).glob("*/*.dcm"))


def test_sent_as_it_is_to_a_node_it_arrives_bit_by_bit(session: Session, torn: Path) -> None:
    node = RecordingNode()
    node.come()
    try:
        session = with_target(session, "pacs", kind="dicom", host="127.0.0.1", port=node.port, called_aet="NODE")
        done = send(session, torn, "pacs", "the archive takes it")
    finally:
        node.go()
    assert done.taken, done
    assert len(node.arrivals) == 1
    assert entries(session.spool) == []
    events = dict(told(session))
    assert (events["quarantine.sent"]["target"], events["quarantine.sent"]["by"]) == ("pacs", "alice")
    assert events["audit"]["after"]["reason"] == "the archive takes it"


def test_sent_to_a_folder(session: Session, torn: Path) -> None:
    done = send(session, torn, "delivered")
    assert done.taken, done
    (file,) = (session.root.path / "delivered").rglob("*.dcm")
    assert data_set_of(file.read_bytes()) == torn_image()


def test_what_a_target_does_not_take_stays_and_the_try_is_audited(session: Session, torn: Path) -> None:
    node = RecordingNode()
    session = with_target(session, "pacs", kind="dicom", host="127.0.0.1", port=node.port, called_aet="NODE")
    done = send(session, torn, "pacs")
    assert (done.taken, bool(done.text)) == (False, True)
    assert entries(session.spool) == [torn]
    assert [name for name, _ in told(session)][-1:] == ["audit"]


def test_discarded_with_a_reason(session: Session, torn: Path) -> None:
    done = desk.discard_object(session, DiscardObject(entry=torn.name, reason="a test of the vendor"))
    assert done.entry == torn.name
    assert entries(session.spool) == []
    events = dict(told(session))
    assert events["quarantine.discarded"] == {
        "entry": torn.name, "by": "alice", "reason": "a test of the vendor", "target": "", "series": "", "file": "",
    }  # fmt: skip
    with pytest.raises(ValueError, match="reason"):
        DiscardObject(entry=torn.name, reason="")


def test_a_query_by_when_it_came_last(session: Session, torn: Path) -> None:
    (one,) = desk.list_quarantine(session, ListQuarantine()).entries
    assert desk.list_quarantine(session, ListQuarantine(since=one.last)).found == 1
    assert desk.list_quarantine(session, ListQuarantine(since=one.last + timedelta(seconds=1))).found == 0


def test_what_gets_images_only_processed_gets_no_object_as_it_is(session: Session, torn: Path) -> None:
    path = session.root.path / "config" / "mercure.json"
    content = json.loads(path.read_text())
    content["targets"]["research"] = {"kind": "folder", "path": str(session.root.path / "research")}
    content["modules"] = {"anon": {"runner": "command", "image": "/usr/bin/true"}}
    content["rules"]["r"] = {"rule": "True", "action": "process", "modules": ["anon"], "targets": ["research"]}
    path.write_text(json.dumps(content))
    session = Session(session.root, "alice", clock=session.clock)
    with pytest.raises(ControlError, match="only processed, by rule 'r'"):
        send(session, torn, "research")
    assert entries(session.spool) == [torn]
    assert send(session, torn, "delivered").taken


def test_two_people_at_once_and_what_is_not_there(session: Session, torn: Path) -> None:
    claim = Claim.take(torn)
    assert claim is not None
    with claim, pytest.raises(ControlError) as caught:
        desk.discard_object(session, DiscardObject(entry=torn.name, reason="gone"))
    assert caught.value.kind == "busy"
    for name in ("../../config", "abc", "20261121T110000000000-00000000"):
        with pytest.raises(ControlError) as caught:
            desk.show(session, OneObject(entry=name))
        assert caught.value.kind == "not-found"
    assert entries(session.spool) == [torn]


def test_roles(client: Client, session: Session, torn: Path, as_role: AsRole) -> None:
    as_role("viewer")
    assert client.call(api.quarantine.LIST).entries
    with pytest.raises(Refused) as caught:
        client.call(api.quarantine.DISCARD, DiscardObject(entry=torn.name, reason="no"))
    assert caught.value.role == "operator"
    client.close()
    as_role("operator")
    with pytest.raises(Refused) as caught:
        client.call(api.quarantine.SEND, SendObject(entry=torn.name, target="delivered"))
    assert caught.value.role == "admin"
    assert entries(session.spool) == [torn]
