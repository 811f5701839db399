"""One name in the history is one router's: another spool, a copied one, and the way to take a name over."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from mercure.clock import ManualClock
from mercure.history.database import disconnect, open_history
from mercure.history.migrate import migrate
from mercure.history.ownership import CLAIM_SECONDS, NameTakenError, Owner, claim, machine_id
from mercure.services.bookkeeper import Bookkeeper
from mercure.services.common import Context
from mercure.spool import Stage
from mercure.spool.identity import read_identity, want_adoption, wants_adoption
from mercure.spool.notices import notices
from tests.integration.history.test_bookkeeper import ANYTHING, images_in, make_context
from tests.support.history import Outbox, Told

MINUTE = 60_000_000
OURS = Owner("spool-a", "machine-a", "run-1")
CASES: dict[str, tuple[Owner, int, bool, str]] = {
    "the same process": (OURS, 0, True, ""),
    "after a restart": (Owner("spool-a", "machine-a", "run-2"), 0, False, ""),
    "another spool": (Owner("spool-b", "machine-a", "run-2"), 0, False, "another spool"),
    "another spool, years later": (Owner("spool-b", "machine-b", "run-2"), 10**9 * MINUTE, False, "another spool"),
    "restored elsewhere while the first still writes": (Owner("spool-a", "m", "run-2"), MINUTE, False, "on another"),
    "restored elsewhere later": (Owner("spool-a", "m", "run-2"), 11 * MINUTE, False, ""),
    "somebody took it from us": (Owner("spool-a", "machine-a", "run-2"), 0, True, "copy of this spool"),
}


@pytest.mark.parametrize("case", CASES)
def test_who_may_write_under_a_name(history_url: str, case: str) -> None:
    owner, later, held, why = CASES[case]
    database = open_history(history_url)
    try:
        migrate(database, ManualClock())
        claim(database, "node-a", OURS, 10**15, held=False)
        claim(database, "node-b", Owner("spool-b", "", "x"), 10**15, held=False)
        if why:
            with pytest.raises(NameTakenError, match=why):
                claim(database, "node-a", owner, 10**15 + later, held=held)
            claim(database, "node-a", owner, 10**15 + later, held=held, adopt=True)
            with pytest.raises(NameTakenError):
                claim(database, "node-a", OURS, 10**15 + later, held=True)
        else:
            claim(database, "node-a", owner, 10**15 + later, held=held)
    finally:
        disconnect(database)


def advance(context: Context, seconds: float) -> None:
    assert isinstance(context.clock, ManualClock)
    context.clock.advance(seconds)


def test_a_second_router_with_the_name_records_nothing_and_says_so_until_it_adopts_it(
    history_url: str, tmp_path: Path
) -> None:
    contexts = [make_context(tmp_path / name, history_url) for name in "ab"]
    first, second = (Bookkeeper(context) for context in contexts)
    for number, context in enumerate(contexts):
        outbox = Outbox(context.spool.stage(Stage.OUTBOX))
        outbox.put(Told(images=4, number=number).receiver(), service=f"receiver{number}")
    first.turn(ANYTHING)
    second.turn(ANYTHING)
    assert images_in(history_url) == 4
    spool = contexts[1].spool
    (notice,) = notices(spool)
    assert (notice.kind, notice.about) == ("name", "node-a")
    assert "another spool" in notice.text
    assert "mercure spool adopt" in notice.advice
    assert spool.names(Stage.OUTBOX), "what it has to tell is kept"
    assert not notices(contexts[0].spool)
    want_adoption(spool)
    advance(contexts[1], 120)
    second.turn(ANYTHING)
    assert images_in(history_url) == 8
    assert not notices(spool)
    assert not wants_adoption(spool)
    advance(contexts[0], CLAIM_SECONDS + 1)
    first.turn(ANYTHING)
    assert [notice.kind for notice in notices(contexts[0].spool)] == ["name"]
    for bookkeeper, context in zip((first, second), contexts, strict=True):
        bookkeeper.end()
        context.finish()


def test_a_cloned_machine_is_noticed_by_the_one_that_was_there(history_url: str, tmp_path: Path) -> None:
    context = make_context(tmp_path / "a", history_url)
    original = Bookkeeper(context)
    original.turn(ANYTHING)
    shutil.copytree(tmp_path / "a", tmp_path / "clone")
    copied = make_context(tmp_path / "clone", history_url)
    assert read_identity(copied.spool) == read_identity(context.spool)
    clone = Bookkeeper(copied)
    clone.turn(ANYTHING)
    advance(context, CLAIM_SECONDS + 1)
    original.turn(ANYTHING)
    (notice,) = notices(context.spool)
    assert "copy of this spool" in notice.text
    for _ in range(3):
        advance(context, 300)
        original.turn(ANYTHING)
    assert notices(context.spool)[0].last > notice.last, "it goes on being told"
    assert notices(context.spool)[0].count == 1
    for bookkeeper, each in ((original, context), (clone, copied)):
        bookkeeper.end()
        each.finish()


def test_the_id_of_the_machine_does_not_leave_it(tmp_path: Path) -> None:
    (tmp_path / "machine-id").write_text("0123456789abcdef0123456789abcdef\n")
    assert len(machine_id(tmp_path / "machine-id")) == 32
    assert "0123456789abcdef" not in machine_id(tmp_path / "machine-id")
    assert machine_id(tmp_path / "missing") == ""
