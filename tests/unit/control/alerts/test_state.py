"""Alerts: raised once, cleared when over, kept over restarts, acknowledged; silence by habit; certificates; clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from appliance.control.alerts.conditions import RULE_OF, alerts_of
from appliance.control.alerts.health import current_alerts, status
from appliance.control.alerts.inputs import ClockState, Signals, clock_state, look
from appliance.control.alerts.monitor import AlertWatch, acknowledge
from appliance.control.alerts.sender_silence import HOUR, silent_senders
from appliance.control.alerts.state import Book, Shelf, news, step
from appliance.control.api.status import AcknowledgeAlert, Acknowledgement, Alert, Alerts
from appliance.control.api.tls import KnownCertificate
from appliance.control.errors import ControlError
from appliance.control.session import Session
from appliance.control.tls.known import of_files
from mercure.clock import ManualClock
from mercure.config import Root
from mercure.config.alerts import AlertSettings as Rules
from mercure.config.alerts import SilenceAlert
from mercure.event_details import AssociationRefused, ImageRefused, ImageTruncated
from mercure.events import EventWriter
from mercure.notifications.queue import MessageQueue
from mercure.spool import Stage
from mercure.spool.altered_images import AlteredBook, AlteredImage
from mercure.spool.notices import post
from tests.support.certificates import make_certificate
from tests.support.faults import Crash, counted, crash_at
from tests.support.tasks import events_of, place_task

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)  # a Monday
RULES = Rules.model_validate({"clear_seconds": 60, "repeat_seconds": 3600, "target_down": {"after_seconds": 300}})


def alert(key: str = "failed", **more: object) -> Alert:
    base = {"key": key, "kind": "failed", "severity": "critical", "object": "error", "text": "t", "advice": "a"}
    return Alert.model_validate(base | more)


class Watched:
    """A book that is looked into at given seconds."""

    def __init__(self) -> None:
        self.book = Book()
        self.told: list[tuple[float, str]] = []

    def look(self, second: float, *found: Alert, rules: Rules = RULES) -> None:
        now = NOW + timedelta(seconds=second)
        self.book = step(self.book, Alerts(alerts=found), rules, now)
        for key, _, what in news(self.book.entries):
            self.told.append((second, what))
            self.book = self.book.noted(key, now)


def test_an_alert_is_told_once_and_its_end_once() -> None:
    watched = Watched()
    for second in (0, 5, 10):
        watched.look(second, alert())
    for second in (15, 40, 74, 75, 80, 200):
        watched.look(second)
    assert watched.told == [(0, "raised"), (75, "cleared")]


def test_what_comes_and_goes_is_one_alert() -> None:
    watched = Watched()
    for second in range(0, 600, 10):
        watched.look(second, *([alert()] if second % 40 == 0 else []))
    assert watched.told == [(0, "raised")]
    assert watched.book.listed().alerts[0].over is not None


def test_it_is_raised_when_it_has_lasted_as_long_as_the_rule_wants() -> None:
    watched = Watched()
    down = {"kind": "outage", "key": "outage:pacs"}
    watched.look(0, alert(**down))
    assert [item.severity for item in watched.book.listed().alerts] == ["watch"]
    assert watched.book.listed().health == "watch"
    watched.look(299, alert(**down))
    watched.look(300, alert(**down))
    assert watched.told == [(300, "raised")]
    known = Watched()
    known.look(0, alert(**down, since=NOW - timedelta(seconds=301)))
    assert known.told == [(0, "raised")], "its own beginning counts"
    passing = Watched()
    passing.look(0, alert(**down))
    passing.look(150)
    passing.look(301, alert(**down))
    assert passing.told == []


def test_people_are_reminded_unless_somebody_knows() -> None:
    watched = Watched()
    for second in (0, 3599, 3600, 3605, 7200):
        watched.look(second, alert())
    assert watched.told == [(0, "raised"), (3600, "again"), (7200, "again")]
    known = Acknowledgement(by="alice", at=NOW, until=NOW + timedelta(seconds=20_000))
    entry = watched.book.entries["failed"].model_copy(update={"acknowledged": known})
    watched.book = watched.book.model_copy(update={"entries": {"failed": entry}})
    for second in (11_000, 19_000, 20_001, 20_002):
        watched.look(second, alert())
    assert watched.told[3:] == [(20_001, "again")], "until that ends"


def test_what_gets_worse_is_told_again() -> None:
    watched = Watched()
    watched.look(0, alert(severity="warning"))
    watched.look(5, alert())
    watched.look(10, alert(severity="warning"))
    watched.look(15, alert(severity="warning"))
    assert watched.told == [(0, "raised"), (5, "again")]


def test_a_clock_that_is_set_back_raises_and_clears_all_the_same() -> None:
    watched = Watched()
    down = alert("outage:pacs", kind="outage")
    watched.look(0, down)
    watched.look(-5000, down)
    watched.look(-4699, down)
    watched.look(-4600)
    watched.look(-9000)
    watched.look(-8940)
    assert [what for _, what in watched.told] == ["raised", "cleared"]


@pytest.fixture
def watched_root(root: Root) -> tuple[Session, ManualClock]:
    clock = ManualClock(NOW)
    session = Session(root, "alice", service="control", clock=clock)
    content = session.config.model_dump(mode="json", exclude_defaults=True)
    mail = {"kind": "email", "host": "h", "sender": "a@b.c", "recipients": ["d@e.f"]}
    content |= {
        "notifications": {"channels": {"mail": mail}},
        "alerts": {"channels": ["mail"], "service": {"enabled": False}, "history": {"enabled": False}},
    }
    session.store.mercure.save(
        session.store.parse(content), author="t", comment="", edited_from=session.loaded.revision
    )
    fresh = Session(root, "alice", service="control", clock=clock)
    events_of(fresh)
    return fresh, clock


def watch(session: Session) -> AlertWatch:
    return AlertWatch(lambda: Session(session.root, "control", service="control", clock=session.clock))


def told(session: Session) -> list[tuple[str, str]]:
    return [(event.type, event.details["key"]) for event in events_of(session) if event.type.startswith("alert.")]


def test_the_watch_tells_the_history_and_the_mailbox_and_forgets_nothing_at_a_restart(
    watched_root: tuple[Session, ManualClock],
) -> None:
    session, clock = watched_root
    task = place_task(session, Stage.ERROR)
    watch(session).look()
    clock.advance(10)
    watch(session).look()
    assert told(session) == [("alert.raised", "failed")]
    [message] = MessageQueue(session.spool).messages("queue")
    assert (message.occasion, message.subject) == ("alert_raised", "[mercure] CRITICAL: 1 task has failed")
    [shown] = current_alerts(session).alerts
    assert (shown.key, shown.raised) == ("failed", NOW)
    known = Acknowledgement(by="alice", at=clock.now(), comment="looking")
    assert acknowledge(session, AcknowledgeAlert(key="failed", comment="looking")).acknowledged == known
    assert current_alerts(session).alerts[0].acknowledged == known
    with pytest.raises(ControlError, match="no alert 'nonsense'"):
        acknowledge(session, AcknowledgeAlert(key="nonsense"))
    session.spool.entry(Stage.ERROR, task.id).rename(session.spool.entry(Stage.SUCCESS, task.id))
    for _ in range(4):
        clock.advance(30)
        watch(session).look()
    assert current_alerts(session).alerts == ()
    assert told(session) == [("alert.cleared", "failed")]
    assert [message.occasion for message in MessageQueue(session.spool).messages("queue")] == [
        "alert_raised",
        "alert_cleared",
    ]


def test_a_crash_at_any_step_of_a_look_tells_once(watched_root: tuple[Session, ManualClock]) -> None:
    session, clock = watched_root
    place_task(session, Stage.ERROR)
    book, queue = Shelf(session.spool), MessageQueue(session.spool)
    with counted() as steps:
        watch(session).look()
    begun = list(steps.taken)
    assert len(begun) > 6
    for number in range(1, len(begun) + 1):
        with book.exclusive():
            book.write(Book(), Book())
        for state in ("queue", "sent"):
            for message in list(queue.messages(state)):
                queue.remove(state, message.id)
        events_of(session)
        try:
            with crash_at(number):
                watch(session).look()
        except Crash:
            pass
        for _ in range(3):
            clock.advance(1)
            watch(session).look()
        assert queue.count("queue") == 1, begun[number - 1]
        raised = [event.id for event in events_of(session) if event.type == "alert.raised"]
        assert len(set(raised)) == 1, "told once, or again as the same event"


def test_without_somebody_who_watches_what_is_found_is_listed(watched_root: tuple[Session, ManualClock]) -> None:
    session, clock = watched_root
    place_task(session, Stage.ERROR)
    assert [item.key for item in current_alerts(session).alerts] == ["failed"]
    watch(session).look()
    clock.advance(3600)
    assert current_alerts(session).alerts[0].raised is None, "the book is old"


def test_each_kind_has_a_rule_and_can_be_switched_off(watched_root: tuple[Session, ManualClock]) -> None:
    session, _ = watched_root
    assert set(RULE_OF.values()) == set(Rules().rules())
    place_task(session, Stage.ERROR)
    found = status(session)
    assert "failed" in {item.kind for item in alerts_of(found).alerts}
    off = Rules.model_validate({key: {"enabled": False} for key in Rules().rules()})
    assert alerts_of(found, look(session), off).alerts == ()


def test_a_refused_scanner_is_an_alert_for_a_day(watched_root: tuple[Session, ManualClock]) -> None:
    session, clock = watched_root
    receiver = EventWriter(session.spool.stage(Stage.OUTBOX), "receiver", clock)
    refused = AssociationRefused(address="10.0.0.7", calling_aet="CT1", called_aet="X", reason="called AE not known")
    receiver.emit(refused)
    watching = watch(session)
    watching.look()
    clock.advance(5)
    for _ in range(3):
        receiver.emit(ImageRefused(association="a", status="0xA700", reason="no room", address="10.0.0.8"))
    watching.look()
    watching.look()
    found = {item.key: item.text for item in current_alerts(session).alerts}
    assert found == {
        "refused:CT1@10.0.0.7": "CT1@10.0.0.7 was refused: called AE not known",
        "refused:@10.0.0.8": "@10.0.0.8 was refused an image (0xA700): no room (3 times)",
    }
    again = watch(session)
    again.look()
    assert len(current_alerts(session).alerts) == 2, "and counted once, although it is read again"
    assert "(3 times)" in current_alerts(session).alerts[1].text
    for _ in range(3):
        clock.advance(86400)
        again.look()
    assert not [item for item in current_alerts(session).alerts if item.kind == "refused"]
    receiver.close()


def test_images_that_are_not_whole_are_one_alert_of_their_sender(watched_root: tuple[Session, ManualClock]) -> None:
    session, clock = watched_root
    receiver = EventWriter(session.spool.stage(Stage.OUTBOX), "receiver", clock)
    short = ImageTruncated(image="i", association="a", reason="the pixel data has 2 of 8 bytes", address="10.0.0.7")
    for _ in range(3):
        receiver.emit(short)
    watching = watch(session)
    watching.look()
    (found,) = [item for item in current_alerts(session).alerts if item.kind == "truncated"]
    assert (found.severity, found.object) == ("warning", "@10.0.0.7")
    assert found.text == "@10.0.0.7 sent an image that is not whole: the pixel data has 2 of 8 bytes (3 times)"
    receiver.close()


def test_a_notice_is_an_alert_with_its_place_and_advice(watched_root: tuple[Session, ManualClock]) -> None:
    session, clock = watched_root
    post(session.spool, "unrouted", "CT1@x", "no rule wants it", "see the rules", now=clock.now())
    watch(session).look()
    (found,) = current_alerts(session).alerts
    assert (found.kind, found.object, found.advice, found.since) == ("unrouted", "CT1@x", "see the rules", clock.now())


def test_one_and_many(session: Session) -> None:
    place_task(session, Stage.ERROR)
    assert "1 task has failed" in [item.text for item in alerts_of(status(session)).alerts]
    assert any(text.startswith("1 task has failed: look at it") for text in status(session).problems)
    place_task(session, Stage.ERROR)
    assert "2 tasks have failed" in [item.text for item in alerts_of(status(session)).alerts]


def test_a_bad_copy_is_told_until_somebody_decides(session: Session) -> None:
    """One that waits asks for a resend; one that was delivered whole before asks to look at the disk."""
    task = place_task(session, Stage.ERROR).id

    def note(name: str, state: str, **more: str) -> None:
        told = {"path": f"error/{task}/{name}", "task": task, "state": state, "text": "its data set", "target": "pacs"}
        image = AlteredImage.model_validate({**told, "found_by": "delivery", "found": "2026-01-01T00:00:00Z", **more})
        (session.spool.root / image.path).write_bytes(b"image")
        assert AlteredBook(session.spool).note(image, None)

    def alerts() -> list[tuple[str, str]]:
        found = alerts_of(status(session)).alerts
        return [(item.severity, item.text) for item in found if item.kind == "altered"]

    assert alerts() == []
    note("1.dcm", "altered")
    assert alerts() == [("critical", "1 image is altered on our disk: ask for a resend")]
    note("2.dcm", "altered")
    note("3.dcm", "unreadable", sender="CT1@192.0.2.7")
    text = "2 images are altered on our disk and 1 image is lost on our disk"
    assert alerts() == [("critical", f"{text}: ask CT1@192.0.2.7 for a resend")]
    assert any(problem.startswith(text) for problem in status(session).problems)
    session.spool.entry(Stage.ERROR, task).rename(session.spool.entry(Stage.SUCCESS, task))
    assert alerts() == [("warning", f"{text}; what was delivered before was checked as it left")]
    session.spool.entry(Stage.SUCCESS, task).rename(session.spool.entry(Stage.DISCARD, task))
    assert alerts() == []


def test_certificates(tmp_path: Path, session: Session) -> None:
    found = status(session)
    made = make_certificate(tmp_path, ends=datetime(2026, 6, 1, tzinfo=UTC))
    (tmp_path / "two.pem").write_bytes(make_certificate(tmp_path, "other").file.read_bytes() + made.file.read_bytes())

    def seen(path: Path) -> list[KnownCertificate]:
        rules = {"certificate": {"files": [str(path)]}}
        return list(of_files(session.config.model_copy(update={"alerts": Rules.model_validate(rules)})))

    assert [it.ends for it in seen(made.file)] == [datetime(2026, 6, 1, tzinfo=UTC)]
    assert [it.subject for it in seen(tmp_path / "two.pem")] == ["CN=other", "CN=server"]
    assert "no certificate" in seen(made.key)[0].problem
    assert seen(tmp_path / "nowhere")[0].problem == "No such file or directory"

    def at(*days: float) -> list[tuple[str, str]]:
        ends = [found.time + timedelta(days=each) for each in days]
        states = tuple(KnownCertificate(use="watched", about="", file="c.pem", ends=end) for end in ends)
        alerts = alerts_of(found, Signals(certificates=states)).alerts
        return [(item.severity, item.text[:28]) for item in alerts if item.kind == "certificate"]

    assert at(31) == []
    assert at(29) == [("warning", "the certificate c.pem expire")]
    assert at(6)[0][0] == "warning"
    assert at(2.9)[0][0] == "critical"
    assert at(-1) == [("critical", "the certificate c.pem has ex")]
    assert at(500, 2, 400) == [("critical", "the certificate c.pem expire")], "of a file the first one to end"


def test_people_are_told_of_a_certificate_at_each_threshold_also_where_somebody_acknowledged_it(
    session: Session,
) -> None:
    found, watched = status(session), Watched()

    def look(days_left: float) -> None:
        days = 100 - days_left
        state = KnownCertificate(use="sender", about="ct1", subject="CN=ct1", ends=found.time + timedelta(days=100))
        later = found.model_copy(update={"time": found.time + timedelta(days=days)})
        alerts = [it for it in alerts_of(later, Signals(certificates=(state,))).alerts if it.kind == "certificate"]
        watched.look(days, *alerts, rules=Rules.model_validate({"repeat_seconds": 0}))

    for left in (31, 29.9):
        look(left)
    ((key, entry),) = watched.book.entries.items()
    assert (key, entry.alert.object) == ("certificate:sender:ct1", "ct1")
    known = Acknowledgement(by="alice", at=NOW)
    watched.book = watched.book.model_copy(update={"entries": {key: entry.model_copy(update={"acknowledged": known})}})
    for left in (20, 14.1, 13.9, 10, 3.1, 2.9, 1, -0.1, -5):
        look(left)
    assert [100 - day for day, _ in watched.told] == pytest.approx([29.9, 13.9, 2.9, -0.1])
    assert [what for _, what in watched.told] == ["raised", "again", "again", "again"]


def test_the_clock(session: Session) -> None:
    assert clock_state() is not None, "Linux always answers"

    def texts(state: ClockState) -> list[str]:
        return [item.text for item in alerts_of(status(session), Signals(clock=state)).alerts if item.kind == "clock"]

    assert texts(ClockState(synchronised=True, error_seconds=0.02)) == []
    assert texts(ClockState(synchronised=False)) == ["the time of this machine is not synchronised"]
    assert texts(ClockState(synchronised=True, error_seconds=9)) == ["the machine's clock may be wrong by 9.0 s"]


MONDAY = datetime(2026, 1, 5, tzinfo=UTC)


def by_day(weeks: int = 5, hours: range = range(8, 17), days: range = range(5)) -> list[datetime]:
    """Make the hours of a scanner that works by day from Monday to Friday."""
    return [
        MONDAY + timedelta(weeks=week, days=day, hours=hour) for week in range(weeks) for day in days for hour in hours
    ]


def silent(active: list[datetime], now: datetime, **rule: object) -> list[str]:
    return [item.sender for item in silent_senders({"CT@10.0.0.1": active}, SilenceAlert.model_validate(rule), now)]


class TestSilence:
    end = MONDAY + timedelta(weeks=5)

    @pytest.mark.parametrize(
        ("hours_after_monday", "is_silent"),
        [(0, False), (7, False), (10.5, False), (11.5, True), (30, True)],
        ids=["weekend", "before work", "two hours late", "over three", "a day"],
    )
    def test_nights_and_weekends_are_no_silence(self, hours_after_monday: float, is_silent: bool) -> None:
        now = self.end + timedelta(hours=hours_after_monday)
        assert silent(by_day(), now) == (["CT@10.0.0.1"] if is_silent else [])

    def test_a_new_sender_has_no_habit(self) -> None:
        assert silent(by_day(weeks=1), MONDAY + timedelta(weeks=3)) == []
        rare = [MONDAY + timedelta(weeks=week) for week in range(5)]
        assert silent(rare, self.end + timedelta(days=20)) == []

    def test_one_that_pauses_often_is_given_more_time(self) -> None:
        irregular = [hour for hour in by_day() if not (hour.day % 2 and hour.hour > 9)]
        assert silent(by_day(), self.end + timedelta(hours=13)) == ["CT@10.0.0.1"]
        assert silent(irregular, self.end + timedelta(hours=13)) == []

    def test_a_sender_can_be_left_out_or_given_a_time_of_its_own(self) -> None:
        now = self.end + timedelta(hours=30)
        assert silent(by_day(), now, senders={"CT": {"enabled": False}}) == []
        assert silent(by_day(), now, senders={"CT@10.0.0.1": {"enabled": False}}) == []
        assert silent(by_day(), self.end, senders={"CT": {"seconds": 3600}}) == ["CT@10.0.0.1"]
        assert silent(by_day(weeks=1)[:1], MONDAY + 9 * HOUR, senders={"CT": {"seconds": 3600}}) == []

    def test_the_reason_is_told(self) -> None:
        [found] = silent_senders({"CT@h": by_day()}, SilenceAlert(), self.end + timedelta(hours=14))
        assert found.last == MONDAY + timedelta(weeks=4, days=4, hours=17)
        assert found.reason.startswith("6.0 hours in which it usually sends; its longest silence before was")


def test_every_rule_is_in_the_table_of_the_manual() -> None:
    manual = Path(__file__).parents[4] / "docs" / "administration" / "alerts-and-notifications.md"
    rows = [line.split("|") for line in manual.read_text("utf-8").splitlines() if line.startswith("| ")]
    named = [row[1].strip().replace(" ", "_") for row in rows]
    for name in Rules().rules():
        assert named.count(name) == 1, name
