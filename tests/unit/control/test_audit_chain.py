"""The chain of audit records: what was changed or removed is found, and what a crash leaves is none of it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from appliance.cli.app import mercure
from appliance.control.audit_chain import AuditChain, ChainEnd, DailyRoot, roots_in
from mercure.spool import Stage

if TYPE_CHECKING:
    from pathlib import Path

    from appliance.control.session import Session

COUNT = 5
Lines = list[bytes]


@pytest.fixture
def records(session: Session) -> Path:
    """Audit some changes; return the file of the records."""
    with session.changing() as events:
        for number in range(COUNT):
            session.audit(events, "queue.hold", f"task {number}", before={"number": number}, after="M\u00fcller\n")
    return session.spool.stage(Stage.STATE) / "audit" / "records.jsonl"


def texts(session: Session, *roots: ChainEnd) -> list[str]:
    return [finding.text for finding in AuditChain(session.spool).check(roots).findings]


def test_each_record_says_who_changed_what_and_names_the_one_before(session: Session, records: Path) -> None:
    lines = [json.loads(line) for line in records.read_bytes().splitlines()]
    assert [line["number"] for line in lines] == list(range(1, COUNT + 1))
    assert [line["previous"] for line in lines] == ["0" * 64, *(line["digest"] for line in lines[:-1])]
    first = lines[0]
    assert (first["by"], first["verb"], first["object"]) == (session.user, "queue.hold", "task 0")
    assert (first["before"], first["after"]) == ({"number": 0}, "M\u00fcller\n")
    assert texts(session) == []
    assert AuditChain(session.spool).end() == ChainEnd(records=COUNT, digest=lines[-1]["digest"])


def changed(lines: Lines) -> Lines:
    return [lines[0], lines[1].replace(b"task 1", b"task 9"), *lines[2:]]


def changed_with_its_digest(lines: Lines) -> Lines:
    """Replace a record by another that is intact by itself."""
    return [lines[0], lines[2], *lines[2:]]


MANIPULATIONS: dict[str, Callable[[Lines], Lines]] = {
    "changed": changed,
    "replaced by another": changed_with_its_digest,
    "the first removed": lambda lines: lines[1:],
    "one in the middle removed": lambda lines: [*lines[:2], *lines[3:]],
    "in another order": lambda lines: [lines[1], lines[0], *lines[2:]],
    "twice": lambda lines: [*lines[:2], lines[1], *lines[2:]],
    "one blanked": lambda lines: [lines[0], b"\n", *lines[2:]],
    "one cut off": lambda lines: [lines[0], lines[1][:40] + b"\n", *lines[2:]],
}


@pytest.mark.parametrize("manipulate", MANIPULATIONS.values(), ids=MANIPULATIONS)
def test_what_was_changed_or_removed_is_found(
    session: Session, records: Path, manipulate: Callable[[Lines], Lines]
) -> None:
    records.write_bytes(b"".join(manipulate(records.read_bytes().splitlines(keepends=True))))
    assert texts(session)


def test_each_flipped_bit_is_found(session: Session, records: Path) -> None:
    content = records.read_bytes()
    root = AuditChain(session.spool).end()
    for place in range(len(content)):
        if content[place] == ord("\n") and place == len(content) - 1:
            continue  # the last line break: the record before it is whole
        damaged = bytearray(content)
        damaged[place] ^= 1
        records.write_bytes(damaged)
        assert texts(session, root), f"byte {place}"


@pytest.mark.parametrize("left", [0, 1, COUNT - 1])
def test_that_the_last_ones_were_removed_is_known_by_the_journal(session: Session, records: Path, left: int) -> None:
    root = AuditChain(session.spool).end()
    records.write_bytes(b"".join(records.read_bytes().splitlines(keepends=True)[:left]))
    assert texts(session) == [], "by itself it is a chain"
    assert texts(session, root) == [f"the journal knows record {COUNT}, and it is not here: the end was removed"]
    with session.changing() as events:
        for _ in range(COUNT - left):
            session.audit(events, "queue.hold", "made up")
    assert texts(session, root) == [f"record {COUNT} is not what the journal has"]


def test_what_a_crash_left_of_a_line_is_no_record(session: Session, records: Path) -> None:
    whole = records.read_bytes()
    for cut in range(1, len(whole.splitlines(keepends=True)[-1]) + 1):
        records.write_bytes(whole[:-cut])
        with session.changing() as events:
            session.audit(events, "queue.release", "after the crash")
        assert texts(session) == [], f"{cut} bytes missing"
        assert AuditChain(session.spool).end().records == (COUNT if cut > 1 else COUNT + 1)


def test_many_at_once_are_one_chain(session: Session, records: Path) -> None:
    def change() -> None:
        with session.changing() as events:
            for _ in range(10):
                session.audit(events, "queue.hold", "task")

    threads = [threading.Thread(target=change) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert texts(session) == []
    assert AuditChain(session.spool).end().records == COUNT + 40
    assert records.read_bytes().count(b"\n") == COUNT + 40


def test_the_end_is_written_to_the_journal_once_a_day(
    session: Session, records: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    daily, now = DailyRoot(), session.clock.now()
    for moment in (now, now, now + timedelta(days=1)):
        daily.tell(session.spool, moment)
    assert len(caplog.messages) == 2
    (root, again) = roots_in("\n".join(f"Nov 30 mercure[1]: {message}" for message in caplog.messages))
    assert root == again == AuditChain(session.spool).end()
    assert texts(session, root) == []


def test_a_router_in_which_nothing_was_changed_has_a_chain_without_records(session: Session) -> None:
    report = AuditChain(session.spool).check()
    assert (report.ok, report.end) == (True, ChainEnd())


def test_the_command_says_whether_the_record_is_whole(session: Session, records: Path) -> None:
    def verify(journal: str, *more: str) -> Result:
        arguments = ["audit", "verify", "--root", str(session.root.path), *more]
        return CliRunner().invoke(mercure, arguments, input=journal)

    journal = f"Nov 30 01:00:00 box mercure[7]: {AuditChain(session.spool).end()}\n"
    good = verify(journal, "--roots", "-")
    assert good.exit_code == 0, good.output
    assert "1 line of the journal in agreement" in good.output
    assert verify("nothing about it", "--roots", "-").exit_code == 2
    records.write_bytes(b"".join(records.read_bytes().splitlines(keepends=True)[:-1]))
    assert verify("").exit_code == 0, "only the journal can tell"
    bad = verify(journal, "--roots", "-")
    assert bad.exit_code == 1
    assert "the record is NOT whole" in bad.output
