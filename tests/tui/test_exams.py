"""History by exam: series beneath, where each one went, other times, and what is done to a whole exam."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

import pytest

from mercure.event_details import Identity
from mercure.spool import Stage
from tests.support.control_session import record
from tests.support.history import Told
from tests.support.history import lines as written
from tests.tui.views import compare
from tui.screens.history import Period, period_of

if TYPE_CHECKING:
    from appliance.control.session import Session
    from tests.support.terminal_ui import Plays
    from tests.tui.screenplay import Person

HOUR = 3600.0


@dataclass(frozen=True)
class Series(Told):
    """A series of a study."""

    study: str = ""
    description: str = "Axial"
    modality: str = "CT"

    @cached_property
    def identity(self) -> Identity:
        """Whose it is."""
        return super().identity.model_copy(
            update={"StudyInstanceUID": self.study, "PatientID": f"P{self.study[-1]}", "Modality": self.modality,
                    "AccessionNumber": f"A{self.study[-1]}", "SeriesDescription": self.description,
                    "StudyDescription": f"Thorax {self.study[-1]}"}
        )  # fmt: skip


SCOUT = Series(number=1, images=2, start=9 * HOUR, study="1.2.1", description="Topogram")
LUNG = Series(number=2, images=60, start=9.1 * HOUR, study="1.2.1", description="Lung 1.0", targets=("pacs", "cloud"))
HEAD = Series(number=3, images=20, start=8 * HOUR, study="1.2.2", modality="MR")
OLD = Series(number=4, images=5, start=-20 * 24 * HOUR, study="1.2.4")


@pytest.fixture
def told(session: Session) -> Session:
    """A router with three exams: of one a series fails at one of its targets, one is of another month."""
    lung = [*LUNG.receiver(), *LUNG.router(), *LUNG.dispatcher("pacs"), LUNG.dispatcher("cloud")[0]]
    events = [*SCOUT.all(), *lung, *HEAD.all(), *OLD.all()]
    outbox = session.spool.stage(Stage.OUTBOX)
    (outbox / "router-20261121T000000000000-00000001.jsonl").write_bytes(written(events))
    record(session)
    return session


def test_series_are_shown_beneath_their_exam_and_hidden_again(told: Session, plays: Plays) -> None:
    async def scene(person: Person) -> None:
        await person.open("history")
        await person.see("2 exams · last 7 days", "►  2", "Thorax 1", "↕ cloud  ✓ archi", "✓ archive")
        assert "Topogram" not in person.screen
        await compare("history-exams", person, told)
        await person.press("right")
        await person.see("▼  2", "└ CT Topogram", "└ CT Lung 1.0", "2 exams")
        await compare("history-series", person, told)
        await person.press("down", "left")
        await person.see("►  2")
        assert "Topogram" not in person.screen
        await person.press("enter")  # the cursor is on the exam again
        await person.see("P1 A1 CT Thorax 1", "Result", "no route to host", "60 images from CT1")
        await person.press("escape")
        await person.see("2 exams")

    plays(scene)


def test_beside_the_table_stands_all_of_an_exam_with_its_cause_first(told: Session, plays: Plays) -> None:
    async def scene(person: Person) -> None:
        await person.open("history")
        await person.see("↕ cloud  0 of 60 images", "target unreachable:", "Topogram  2 images")
        await person.see("no route to host")
        await compare("history-beside", person, told)
        await person.press("down")
        await person.see("MR Axial  20 images", "archive • delivered")

    plays(scene, size=(120, 40))


def test_exams_of_another_time(told: Session, plays: Plays) -> None:
    async def scene(person: Person) -> None:
        await person.open("history")
        await person.see("2 exams · last 7 days")
        await person.press("v")
        await person.see("Received when?", "today", "all time", "other days")
        await person.press("end", "up", "enter")
        await person.see("3 exams · all time", "Thorax 4")
        await person.press("v", "end", "enter")
        await person.see("Received on which days?")
        await person.write("2026-11-01 to today")
        await person.press("enter")
        await person.see("is no day: write it like 2026-11-21")
        await person.press("v", "end", "enter")
        await person.see("Received on which days?")
        await person.write("2026-11-01")
        await person.press("enter")
        await person.see("1 exam · 2026-11-01", "Thorax 4")
        await person.press("v", "enter")
        await person.see("2 exams · today")
        await person.press("f")
        await person.see("Find an exam")
        await person.write("P4")
        await person.press("enter")
        await person.see("1 exam · found for 'P4'", "Thorax 4")  # of all time

    plays(scene)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [("lung", ["1"]), ("!lung", ["2"]), ("cloud", ["1"]), ("retrying", ["1"]), ("mr", ["2"]), ("A2", ["2"])],
)
def test_the_filter_knows_series_targets_and_states(told: Session, plays: Plays, text: str, numbers: list[str]) -> None:
    async def scene(person: Person) -> None:
        await person.open("history")
        await person.see("2 exams")
        await person.press("slash")
        await person.write(text)
        await person.press("enter")
        await person.see(f"{len(numbers)} of 2 exams, filter: {text}")
        shown = [number for number in "12" if f"Thorax {number}" in person.screen]
        assert shown == numbers

    plays(scene)


def test_exams_are_sorted_by_key_and_by_click_and_their_series_stay_with_them(told: Session, plays: Plays) -> None:
    async def scene(person: Person) -> None:
        await person.open("history")
        await person.see("received▼")
        await person.press("right")
        await person.see("Topogram")
        lines = person.screen.splitlines()
        row = next(number for number, line in enumerate(lines) if "patient" in line)
        await person.pilot.click(offset=(lines[row].index("patient") + 1, row))
        await person.see("patient▲")
        assert order(person) == ["Thorax 1", "Lung", "Topogram", "Thorax 2"]
        await person.pilot.click(offset=(lines[row].index("patient") + 1, row))
        await person.see("patient▼")
        assert order(person) == ["Thorax 2", "Thorax 1", "Lung", "Topogram"]
        await person.press("o")
        await person.see("order: accession upwards")
        assert order(person) == ["Thorax 1", "Lung", "Topogram", "Thorax 2"]

    plays(scene)


def order(person: Person) -> list[str]:
    names = ("Thorax 1", "Thorax 2", "Lung", "Topogram")
    found = {name: person.screen.index(name) for name in names}
    return sorted(found, key=lambda name: found[name])


def test_a_whole_exam_is_marked_and_kept(told: Session, plays: Plays) -> None:
    async def scene(person: Person) -> None:
        await person.open("history")
        await person.see("2 exams")
        await person.press("asterisk")
        await person.see("2 marked")
        await person.press("K")
        await person.see("Keep what?", "1.2.1, 1.2.2")
        await person.press("enter")
        await person.see("Keep for how long?")
        await person.press("enter")
        await person.see("Keep 2 studies?")
        await person.press("escape")

    plays(scene)


def test_who_comes_from_a_sender_sees_its_exams_of_all_time(told: Session, plays: Plays) -> None:
    async def scene(person: Person) -> None:
        await person.open("history")
        await person.see("2 exams · last 7 days")
        await person.press("1")
        person.app.open_filtered("history", "CT1")
        await person.see("3 of 3 exams, filter: CT1 · all time")

    plays(scene)


NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "since", "days"),
    [("today", "11-21", 1), ("yesterday", "11-20", 1), ("last 7 days", "11-15", 7), (" 2026-11-03 ", "11-03", 1),
     ("2026-11-03  2026-11-05", "11-03", 3)],
)  # fmt: skip
def test_a_time_in_words(text: str, since: str, days: int) -> None:
    found = period_of(text, NOW)
    assert found is not None
    assert found.since is not None
    assert found.until is not None
    assert (found.since.strftime("%m-%d"), found.until - found.since) == (since, timedelta(days=days))


def test_what_is_no_time() -> None:
    for text in ("", "soon", "2026-13-01", "2026-11-05 2026-11-03", "2026-11-05 2026-11-06 2026-11-07", "9999-12-31"):
        assert period_of(text, NOW) is None, text
    assert period_of("all time", NOW) == Period() == period_of("today", None)
