"""What a target takes: asked from its page, drawn as a matrix, and what is proposed is saved by one key."""

from __future__ import annotations

from functools import partial

import pytest

from appliance.control.session import Session
from mercure.dicom.capabilities import CapabilityQuery
from tests.support.counting_node import node
from tests.support.router import FreePort
from tests.support.terminal_ui import Plays
from tests.tui.screenplay import Person

CT, SC = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.7"
VERIFICATION, IMPLICIT = "1.2.840.10008.1.1", "1.2.840.10008.1.2"


def configure(session: Session, port: int) -> None:
    """Make the one target a DICOM node that gets everything as it was received."""
    content = session.store.mercure.load().value.model_dump(mode="json", exclude_defaults=True)
    settings = {"kind": "dicom", "host": "127.0.0.1", "port": port, "called_aet": "NODE"}
    content["targets"] = {"delivered": {**settings, "transfer_syntaxes": ["as-received"]}}
    session.store.mercure.save(session.store.parse(content), author="bob", comment="", edited_from=1)


def test_a_target_is_asked_and_its_proposal_accepted(
    session: Session, plays: Plays, free_port: FreePort, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "mercure.targets.dicom.CapabilityQuery", partial(CapabilityQuery, classes=(CT, SC), pause_seconds=0)
    )

    async def scene(person: Person) -> None:
        await person.open("targets")
        await person.see("dicom")
        await person.press("p")
        await person.see("What delivered accepts", "was never asked", "r ask")
        await person.press("a")
        await person.see("nothing is proposed")
        await person.press("r")
        await person.see("1  SOP class", "x  CT Image Storage, Secondary", "1  Implicit VR Little Endian", "as-needed")
        await person.press("a")
        await person.see("saved: revision 3")
        await person.see_no_more("instead of as-received")
        await person.see("1  Implicit VR Little Endian")

    with node(free_port(), {VERIFICATION: [IMPLICIT], CT: [IMPLICIT], SC: [IMPLICIT]}) as seen:
        configure(session, seen.port)
        plays(scene)
    assert (seen.images, seen.most_open) == ([], 1)
    settings = Session(session.root, "alice").config.targets["delivered"]
    assert settings.model_dump()["transfer_syntaxes"] == ("as-needed",)


def test_a_folder_says_that_it_negotiates_nothing_and_a_viewer_asks_nobody(plays: Plays) -> None:
    async def scene(person: Person) -> None:
        await person.open("targets")
        await person.see("folder")
        await person.press("p")
        await person.see("delivered is a folder and no DICOM node")
        await person.press("r")
        await person.see("ask: this needs the role operator, and yours is viewer")
        await person.press("escape")
        await person.see("kind")

    plays(scene, "viewer", "vera")
