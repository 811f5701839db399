"""A morning at the desk, with the terminal UI alone, at a router that runs and a real archive.

A rule with a typo discards what came; it is mended, all is decided again and arrives; an object that could not be read
is looked at and forwarded; the archive lost three images and gets just these; the receipt is good.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mercure.spool import Spool, Stage
from tests.support.data_sets import ct_image
from tests.support.dicom_peer import Peer, associate_rq
from tests.support.orthanc import orthanc
from tests.support.polling import eventually
from tests.support.quarantine import torn_image
from tests.tui.screenplay import Person, play
from tui.router_client import RouterClient

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.orthanc import Orthanc
    from tests.support.router import Router

IMAGES = 312
EXAMS = {"1.2.840.99.1": IMAGES, "1.2.840.99.2": 2}


def send(port: int) -> None:
    """Send two exams, and an object that nobody can read."""
    for study, images in EXAMS.items():
        with Peer(port) as peer:
            peer.associate(associate_rq(calling=b"CT1"))
            for number in range(images):
                sop = f"{study}.1.{number}"
                data = ct_image(sop, f"{study}.1", study=study, pixels=b"\1\2" * 8, patient=f"P{study[-1]}")
                assert peer.store(data, sop).status == 0
            peer.release()
    with Peer(port) as peer:
        peer.associate(associate_rq(calling=b"OLD"))
        assert peer.store(torn_image(), "1.2.3.0").status == 0xC000
        peer.release()


def prove(router: Router) -> None:
    """Have all that was acknowledged proven to be somewhere."""
    eventually(lambda: router.call("verify", code=None).code == 0, seconds=30, what="verify to be clean")


async def mend_and_decide_again(person: Person) -> None:
    await person.open("finished")
    await person.press("slash", *"no rule", "enter")
    await person.see("2 of 2 tasks", "discarded")
    await person.open("rules")
    await person.press("enter")
    await person.see("Rule ct", "CTX")
    await person.press("tab", "end", "backspace", "backspace")
    await person.write('"')
    await person.see("condition is good")
    await person.press("ctrl+s")
    await person.see("edited by hand", "^s once more")  # by this test, before the router began
    await person.press("ctrl+s")
    await person.see("saved as revision")
    await person.open("finished")
    await person.see("2 tasks")
    await person.press("asterisk", "d")
    await person.see("Decide again on 2 series?", "314 images", "2 → pacs")
    await person.press("shift+tab")
    await person.write("misspelt")
    await person.press("tab", "right", "enter")
    await person.see("sends 2 series again")
    await person.open("resends")
    await person.see("misspelt", "2 of 2")


async def look_and_forward(person: Person) -> None:
    await person.open("quarantine")
    await person.see("1 object", "OLD")
    await person.press("enter")
    await person.see("bytes around the fault", "ends in the middle of the header")
    await person.press("escape", "t")
    await person.see("Forward to which target?", "shelf")
    await person.press("down", "enter")
    await person.see("Forward 1 object to shelf?")
    await person.press("tab", "enter")
    await person.see("1 object forwarded to shelf")


async def send_what_is_missing(person: Person) -> None:
    await person.open("history")
    await person.see("2 exams", "P1")
    await person.press("f")
    await person.write("P1")
    await person.press("enter")
    await person.see("found for 'P1'", "1 exam")
    await person.press("m")
    await person.see("What is missing at which target?", "pacs")
    await person.press("enter")
    await person.see("What pacs has of", "missing there")
    await person.press("s")
    await person.see("Send 3 images again?", "1 → pacs")
    await person.press("tab", "enter")
    await person.see("sends 1 series again")


async def take_a_receipt(person: Person) -> None:
    await person.open("history")
    await person.press("f")
    await person.write("P1")
    await person.press("enter")
    await person.see("found for 'P1'", "1 exam")
    await person.press("p")
    await person.see("Sign a receipt?")
    await person.press("tab", "enter")
    await person.until(lambda: [*Path.cwd().glob("mercure-receipt-*.json")], "the receipt to be written")


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Orthanc]:
    """Give an archive that answers queries of anybody."""
    with orthanc(tmp_path / "orthanc", {"DicomAlwaysAllowFind": True}) as server:
        yield server


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_morning(router: Router, archive: Orthanc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    spool = Spool(router.root / "spool")
    shelf = router.root / "shelf"
    shelf.mkdir()

    def configure(content: dict[str, Any]) -> None:
        pacs = {"kind": "dicom", "host": "127.0.0.1", "port": archive.port, "called_aet": "ORTHANC"}
        content["targets"] = {"pacs": pacs, "shelf": {"kind": "folder", "path": str(shelf)}}
        content["rules"] = {"ct": {"rule": 'tags.Modality == "CTX"', "targets": ["pacs"]}}

    router.edit(configure)

    with router.running():
        client = RouterClient(router.root)
        send(router.port)
        eventually(lambda: len(spool.names(Stage.DISCARD)) == len(EXAMS), seconds=40, what="both exams discarded")
        assert archive.images() == {}
        play(client, mend_and_decide_again)
        eventually(lambda: len(archive.images()) == sum(EXAMS.values()), seconds=60, what="all to be there")
        eventually(lambda: len(spool.names(Stage.SUCCESS)) == len(EXAMS), seconds=30, what="both delivered")
        prove(router)

        play(RouterClient(router.root), look_and_forward)
        assert len([*shelf.rglob("*.dcm")]) == 1
        assert spool.names(Stage.QUARANTINE) == []
        prove(router)

        lost = sorted(sop for sop in archive.images() if sop.startswith("1.2.840.99.1."))[:3]
        for sop in lost:
            archive.request("DELETE", f"/instances/{archive.images()[sop]}")
        play(RouterClient(router.root), send_what_is_missing)
        eventually(lambda: len(archive.images()) == sum(EXAMS.values()), seconds=60, what="the lost ones to be there")
        eventually(lambda: len(spool.names(Stage.SUCCESS)) == len(EXAMS) + 1, seconds=30, what="they are delivered")
        newest = max(spool.names(Stage.SUCCESS))
        assert sorted(path.stem for path in spool.entry(Stage.SUCCESS, newest).glob("*.dcm")) == lost
        prove(router)

        play(RouterClient(router.root), take_a_receipt)
        (receipt,) = tmp_path.glob("mercure-receipt-*.json")
        fingerprint = router.call("receipt", "key", "--json").json["fingerprint"]
        router.call("receipt", "verify", receipt, "--fingerprint", fingerprint)
        counts = json.loads(receipt.read_text())["statement"]["counts"]
        assert counts["images"] == IMAGES
        assert counts["deliveries"] >= IMAGES + len(lost)
        prove(router)
