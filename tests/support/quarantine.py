"""Objects in quarantine, as the receiver puts them there."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING

from mercure.names import id_time, utc_text
from mercure.spool import Spool, Stage
from mercure.spool.quarantine import entries
from tests.support.data_sets import text
from tests.support.dicom_peer import Peer, associate_rq
from tests.support.receiver import receiver

if TYPE_CHECKING:
    from pathlib import Path


def torn_image(number: int = 0) -> bytes:
    """Make a data set whose header ends in the middle, each number another one."""
    return head_of(number) + b"\x08\x00\x50\x00SH\xff\x7f" + b"x" * 40


def head_of(number: int) -> bytes:
    """Return what can be read of it: class and instance."""
    return text(0x00080016, b"UI", "1.2.840.10008.5.1.4.1.1.2") + text(0x00080018, b"UI", f"1.2.3.{number}")


def receive(root: Path, *data: bytes, sop: str = "1.2.3.4", calling: bytes = b"SCANNER") -> None:
    """Let a receiver take data sets into ``root/spool``, over one association that is released."""
    with receiver(root) as program:
        with Peer(program.port) as peer:
            peer.associate(associate_rq(calling=calling))
            for one in data:
                peer.store(one, sop)
            peer.release()
        program.until_idle()


def put_aside(spool: Path, image: Path, name: str) -> Path:
    """Make of an image in ``incoming/`` an object that an older release could not read; return its entry."""
    entry = spool / "quarantine" / name
    entry.mkdir()
    image.rename(entry / "object.part")
    for line in image.parent.glob("*.jsonl"):
        line.unlink()
    with suppress(OSError):  # it was not the only one
        image.parent.rmdir()
    reason = {
        "version": 1,
        "image": name,
        "association": "20261121T000000000000-0000aaaa",
        "time": utc_text(id_time(name)),
        "reason": "an older release could not read it",
        "bytes": (entry / "object.part").stat().st_size,
        "sop_class": "1.2.840.10008.5.1.4.1.1.2",
        "sop": image.stem,
        "transfer_syntax": "1.2.840.10008.1.2.1",
        "address": "192.0.2.7",
        "calling_aet": "SCANNER",
        "called_aet": "MERCURE",
    }
    (entry / "reason.json").write_text(json.dumps(reason))
    return entry


def came_at(spool: Spool, *names: str) -> list[Path]:
    """Give what lies in quarantine these ids, in the order in which it came, and their times: no run differs."""
    moved = []
    for one, name in zip(sorted(entries(spool), key=lambda one: one.name), names, strict=True):
        entry = spool.entry(Stage.QUARANTINE, one.name)
        reason = json.loads((entry / "reason.json").read_text())
        (entry / "reason.json").write_text(json.dumps({**reason, "time": utc_text(id_time(name))}))
        again = entry / "again.json"
        if again.exists():
            again.write_text(json.dumps({**json.loads(again.read_text()), "last": utc_text(id_time(names[-1]))}))
        moved.append(entry.rename(entry.with_name(name)))
    return moved
