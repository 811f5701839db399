"""Streams: what comes, to whom, and what becomes of who does not read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing

import pytest

from appliance.control import api
from appliance.control.api.streams import CountersItem, EventItem, Item, LogItem, StatusItem
from appliance.control.rpc.client import ControlError, DisconnectedError, Stream
from appliance.control.rpc.streams import OutboxEvents
from appliance.control.session import Session
from mercure.config import Root
from mercure.event_details import ImageReceived, TaskAttempt, Warned
from mercure.events import Event, EventWriter
from mercure.history.outbox import file_names
from mercure.history.queries import History
from mercure.history.reader import HistoryUnavailableError
from mercure.services.bookkeeper import Bookkeeper
from mercure.services.common import Context
from mercure.spool import Changes, Stage
from tests.support.control_server import RawConnection, Served, limits, serving
from tests.support.polling import eventually

IMAGE = ImageReceived(image="i", association="a", file="1.dcm", folder="1.2", bytes=1000, calling_aet="CT1")
SENT = TaskAttempt(target="pacs", number=1, outcome="success", sent=2, confirmed=2, bytes=70)
REFUSED = TaskAttempt(target="pacs", number=2, outcome="failure")


@pytest.fixture
def writer(session: Session) -> Iterator[EventWriter]:
    writer = EventWriter(session.spool.stage(Stage.OUTBOX), "receiver")
    yield writer
    writer.close()


def first(stream: Stream, kind: type[Item]) -> Item:
    return next(item for item in stream.items() if isinstance(item, kind))


def test_events_come_as_they_are_written(served: Served, writer: EventWriter) -> None:
    writer.emit(Warned(text="before"))
    with Stream(served.root, "events") as stream:
        eventually(lambda: served.server.hub._threads, what="somebody looks")
        first_heard(stream, writer)
        event = writer.emit(Warned(text="now"), task="20261121T120000000000-0a1b2c3d")
        found = next(item for item in stream.items() if isinstance(item, EventItem) and item.id == event.id)
        assert (found.type, found.details["text"], found.task) == ("warning", "now", event.task)


def first_heard(stream: Stream, writer: EventWriter) -> None:
    """Write until the stream brings something: from then on it follows the outbox."""
    told: set[str] = set()
    for item in stream_with_nudges(stream, writer, told):
        if isinstance(item, EventItem) and item.id in told:
            return


def stream_with_nudges(stream: Stream, writer: EventWriter, told: set[str]) -> Iterator[Item]:
    told.add(writer.emit(Warned(text="nudge")).id)
    for item in stream.items():
        told.add(writer.emit(Warned(text="nudge")).id)
        yield item


def test_single_images_come_only_to_who_asks_for_them(served: Served, writer: EventWriter) -> None:
    with Stream(served.root, "events", types=("image.",)) as images, Stream(served.root, "events", "counters") as usual:
        first(usual, CountersItem)
        writer.emit(IMAGE)
        last = writer.emit(Warned(text="last"))
        assert first(images, EventItem).type == "image.received"  # type: ignore[union-attr]
        seen = []
        for item in usual.items():
            if isinstance(item, EventItem):
                seen.append(item.type)
                if item.id == last.id:
                    break
        assert "image.received" not in seen


def test_counters_add_up(served: Served, writer: EventWriter) -> None:
    with Stream(served.root, "counters") as stream:
        first(stream, CountersItem)
        for _ in range(30):
            writer.emit(IMAGE)
        for details in (SENT, REFUSED):
            writer.emit(details)
        images = delivered = failed = size = 0
        for item in stream.items():
            if isinstance(item, CountersItem):
                images += item.received.get("CT1", 0)
                size += item.received_bytes.get("CT1", 0)
                delivered += item.delivered.get("pacs", 0)
                failed += item.attempts_failed.get("pacs", 0)
                if failed:
                    break
        assert (images, size, delivered, failed) == (30, 30_000, 2, 1)


def test_status_and_alerts_come_together(served: Served) -> None:
    with Stream(served.root, "status") as stream:
        item = first(stream, StatusItem)
        assert isinstance(item, StatusItem)
        assert item.alerts.alerts[0].kind == "not-running"


def test_log_lines_come_and_a_rotated_log_is_followed(served: Served, root: Root) -> None:
    log = root.log / "router_00.log"
    log.write_text("old\n")
    with Stream(served.root, "logs", logs=("router",)) as stream, log.open("a") as file:
        file.write('{"time": "t", "level": "info", "message": "half')
        file.flush()
        file.write(' done", "extra": 1}\nplain\n')
        file.flush()
        item = first(stream, LogItem)
        assert isinstance(item, LogItem)
        assert [line.message for line in item.lines] == ["half done", "plain"]
        assert item.lines[0].more == "extra: 1"
        log.rename(root.log / "router_00.log.1")
        log.write_text("new\n")
        item = first(stream, LogItem)
        assert isinstance(item, LogItem)
        assert [line.message for line in item.lines] == ["new"]


def test_an_unknown_log_is_refused(served: Served) -> None:
    with pytest.raises(ControlError, match="there is no log"):
        Stream(served.root, "logs", logs=("nobody",))


def test_a_reader_that_does_not_read_is_dropped_and_the_others_go_on(
    root: Root, session: Session, writer: EventWriter
) -> None:
    with serving(root, limits(mailbox_bytes=100_000)) as served:
        slow = RawConnection(served.root)
        slow.send(b'{"jsonrpc":"2.0","id":1,"method":"subscribe","params":{"topics":["events"]}}\n')
        assert slow.read()
        with Stream(served.root, "events") as quick:
            first_heard(quick, writer)
            items = quick.items()
            while len(served.server._connections) > 1:
                event = writer.emit(Warned(text="x" * 20_000))
                next(item for item in items if isinstance(item, EventItem) and item.id == event.id)
            assert len(served.server.hub._streams) == 1
        slow.close()


def test_a_stream_ends_when_its_reader_closes(served: Served) -> None:
    stream = Stream(served.root, "events")
    eventually(lambda: len(served.server.hub._streams) == 1)
    stream.close()
    assert list(stream.items()) == []
    eventually(lambda: not served.server.hub._streams, what="nobody is served any more")


def test_a_reader_that_speaks_is_dropped(served: Served) -> None:
    with RawConnection(served.root) as connection:
        connection.send(b'{"jsonrpc":"2.0","id":1,"method":"subscribe","params":{"topics":["events"]}}\n')
        assert json.loads(connection.read() or b"")["result"]["topics"] == ["events"]
        connection.send(b'{"jsonrpc":"2.0","id":2,"method":"whoami"}\n')
        assert connection.read() is None


def test_the_end_of_the_server_is_told(root: Root) -> None:
    with serving(root) as served:
        stream = Stream(served.root, "events")
    with pytest.raises(DisconnectedError):
        list(stream.items())
    stream.close()


def test_every_item_has_a_method() -> None:
    assert set(api.streams.ITEMS.values()) == set(api.streams.Item.__args__)


class TestFilesThatAreGoneBeforeTheyAreSeen:
    """The bookkeeper may record and remove a file before the stream has looked."""

    @pytest.fixture(autouse=True)
    def blind(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Have each look come too late for the files of the router."""
        monkeypatch.setattr(
            "appliance.control.history.outbox_tail.file_names",
            lambda outbox: [name for name in file_names(outbox) if "router" not in name],
        )

    def write_and_record(self, session: Session, text: str) -> Event:
        quick = EventWriter(session.spool.stage(Stage.OUTBOX), "router")
        event = quick.emit(Warned(text=text))
        quick.sync()
        quick.close()
        context = Context(session.root.path, "bookkeeper")
        assert context.start()
        running = Bookkeeper(context)
        eventually(lambda: running.turn(Changes.everything()) and not self.left(session), what="it is recorded")
        running.end()
        context.events.close()
        return event

    def left(self, session: Session) -> list[str]:
        return [name for name in session.spool.names(Stage.OUTBOX) if "router" in name]

    def test_they_are_told_from_the_history_and_once(
        self, served: Served, session: Session, writer: EventWriter
    ) -> None:
        self.write_and_record(session, "before anybody asked")
        with Stream(served.root, "events") as stream:
            first_heard(stream, writer)
            events = [self.write_and_record(session, text) for text in ("one", "two")]
            last = writer.emit(Warned(text="last"))
            told = []
            for item in stream.items():
                if isinstance(item, EventItem):
                    told.append(item)
                if {last.id, *(event.id for event in events)} <= {item.id for item in told}:
                    break
        assert len({item.id for item in told}) == len(told)
        assert [item.details["text"] for item in told if item.service == "router"] == ["one", "two"]

    def test_what_the_history_was_quicker_to_tell_is_not_told_again_by_its_file(
        self, session: Session, writer: EventWriter
    ) -> None:
        with closing(OutboxEvents(lambda: session, session.spool.stage(Stage.OUTBOX))) as news:
            first = writer.emit(Warned(text="from the file"))
            telling = news.read(["router-quick.jsonl"])  # a file that went before it was read
            assert next(telling).id == first.id
            late = writer.emit(Warned(text="after its file was read"))
            writer.sync()
            self.write_and_record(session, "recorded with all that is there")
            assert late.id in {event.id for event in telling}
            assert late.id not in {event.id for event in news.read([])}
            assert writer.emit(Warned(text="and what comes then")).id in {event.id for event in news.read([])}

    def test_without_a_history_the_stream_goes_on(
        self, served: Served, session: Session, writer: EventWriter, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with Stream(served.root, "events") as stream:
            first_heard(stream, writer)
            monkeypatch.setattr(History, "open", _no_history)
            outbox = session.spool.stage(Stage.OUTBOX)
            (outbox / "router-x.jsonl").touch()
            (outbox / "router-x.jsonl").unlink()
            event = writer.emit(Warned(text="still there"))
            assert any(isinstance(item, EventItem) and item.id == event.id for item in stream.items())


def _no_history(*_: object) -> History:
    raise HistoryUnavailableError("the history is away")
