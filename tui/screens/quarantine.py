"""Quarantine: what could not be read; look at it, read it again, forward it as it is, discard it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Final

from appliance.control.rpc.client import Nothing, api
from appliance.presentation.figures import duration, moment, short_moment, size
from appliance.presentation.phrases import named_uid, plural
from mercure.printable import printable
from tui.actions import bindings_of
from tui.screens.bulk_page import BulkPage, names
from tui.screens.tags import TagSource, TagsPage
from tui.screens.task import pair
from tui.screens.text_page import TextPage
from tui.styles import Line
from tui.widgets.dialogs import Choose, Confirm
from tui.widgets.grid import Column

if TYPE_CHECKING:
    from textual.binding import BindingType

Object = api.quarantine.QuarantinedObject
WINDOW: Final = 1000
"""So many objects are asked for at most, the latest first."""

_FORWARDED: Final = (
    "It is sent as it is, although it could not be read. What the target takes leaves the quarantine; the rest stays."
)
_READ_AGAIN: Final = (
    "What can be read now leaves the quarantine, and is routed like any other image; the rest stays as it is."
)


class QuarantinePage(BulkPage[Object]):
    """The latest first."""

    NAME: ClassVar[str] = "quarantine"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_of("quarantine")]
    WORDS: ClassVar[tuple[str, str]] = ("object", "objects")
    EMPTY: ClassVar[str] = "• everything that came could be read"

    def __init__(self) -> None:
        super().__init__()
        self._found = api.quarantine.Quarantine()

    def columns(self) -> Sequence[Column[Object]]:
        """Return the columns."""
        return (
            Column("last", lambda row: (short_moment(row.last), ""), 15, lambda row: row.last),
            Column("times", lambda row: (str(row.times), "warn" if row.times > 1 else ""), 6,
                   lambda row: row.times, right=True),
            Column("size", lambda row: (size(row.bytes), ""), 8, lambda row: row.bytes, right=True),
            Column("sender", lambda row: (printable(row.sender), "bold"), 18, lambda row: row.sender),
            Column("reason", lambda row: (printable(row.reason), "warn"), 0, lambda row: row.reason),
            Column("kept for", lambda row: (duration(row.seconds_left), "dim"), 9, lambda row: row.seconds_left,
                   right=True, from_width=110),
        )  # fmt: skip

    def key_of(self, row: Object) -> object:
        """Return its id."""
        return row.entry

    def text_of(self, row: Object) -> str:
        """Return all that is known of it."""
        return f"{row.entry} {row.sender} {row.calling_aet} {row.address} {row.reason} {row.sop_class} {row.sop}"

    def values(self, row: Object) -> Iterable[tuple[str, str]]:
        """Return what can be copied."""
        return (("entry", row.entry), ("SOP instance", row.sop), ("sender", row.sender), ("reason", row.reason))

    def below(self, row: Object) -> Iterable[Line]:
        """Return it in full."""
        columns = self.below_columns
        yield from pair("reason", row.reason, columns, "warn")
        yield from pair("from", _sender(row), columns)
        yield from pair("what", f"{named_uid(row.sop_class)}  {row.sop}", columns)
        came = f"{moment(row.received)}, {plural(row.times, 'time')}; kept for {duration(row.seconds_left)}"
        yield from pair("came", came, columns)

    def about(self) -> str:
        """Return how full it is, and how many are marked."""
        found = self._found
        full = f"{size(found.bytes)} of {size(found.most_bytes)}" if found.objects else ""
        more = f"the last {len(found.entries)} of {found.found}" if found.found > len(found.entries) else ""
        return " · ".join(filter(None, (full, more, self.marked_text())))

    def refresh_data(self) -> None:
        """Ask for what is there."""
        if self.router.connected:
            wanted = api.quarantine.ListQuarantine(limit=WINDOW)
            self.ask(api.quarantine.LIST, wanted, self._fill, failed=self.fail)

    def told(self, event: api.streams.EventItem) -> None:
        """Look again when an object came or went."""
        if event.type.startswith(("image.quarantined", "quarantine.")):
            self.mercure.soon(self, self.refresh_data)

    def _fill(self, found: api.quarantine.Quarantine) -> None:
        self._found = found
        self.fill(found.entries)

    # Actions.

    def handlers(self) -> Mapping[str, Callable[[], None]]:
        """Return what is called for each action."""
        return {
            "look": self.with_row(self._look),
            "tags": self.with_row(self._tags),
            "read-again": self._read_again,
            "forward": self._forward,
            "discard": self._discard,
            **self.mark_handlers(),
        }

    def _look(self, row: Object) -> None:
        self.ask(api.quarantine.SHOW, api.quarantine.OneObject(entry=row.entry), self._show)

    def _tags(self, row: Object) -> None:
        self.app.push_screen(TagsPage(self.NAME, TagSource(f"object {row.entry}", entry=row.entry)))

    def _show(self, detail: api.quarantine.QuarantineDetail) -> None:
        title = f"{detail.object.entry} from {detail.object.sender}"
        self.app.push_screen(TextPage("quarantine", title, lambda columns: detail_lines(detail, columns)))

    def _asked(
        self,
        rows: Sequence[Object],
        title: str,
        texts: Sequence[str],
        word: str,
        then: Callable[[str], None],
        *,
        needed: bool = False,
    ) -> None:
        """Ask before something is done to objects; the title has their number."""
        if not rows:
            self.say(f"there is no object to {word.lower()}", "warning")
            return
        named = names([f"{row.sender}: {row.sop or row.entry}: {row.reason}" for row in rows])
        question = title.format(objects=plural(len(rows), "object"))
        self.when_answered(Confirm(question, [named, *texts], word, reason=True, needed=needed), then)

    def _read_again(self) -> None:
        rows = self.table.chosen

        def sure(reason: str) -> None:
            self.each(
                api.quarantine.READ_AGAIN,
                lambda row: api.quarantine.ChangeObject(entry=row.entry, reason=reason),
                "read, and routed like any other image",
                why_not=lambda answer: "" if answer.read else f"not readable: {answer.reason}",
                rows=rows,
            )

        self._asked(rows, "Read {objects} again?", [_READ_AGAIN], "Read again", sure)

    def _forward(self) -> None:
        rows = self.table.chosen
        if rows:
            self.ask(api.targets.LIST, Nothing(), lambda targets: self._choose_target(rows, targets))
        else:
            self.say("there is no object to forward", "warning")

    def _choose_target(self, rows: Sequence[Object], targets: api.targets.Targets) -> None:
        found = [(target.name, "disabled" if target.disabled else target.kind) for target in targets.targets]
        question = Choose("Forward to which target?", [_FORWARDED], found)
        self.when_answered(question, lambda target: self._forward_to(rows, target))

    def _forward_to(self, rows: Sequence[Object], target: str) -> None:
        def sure(reason: str) -> None:
            self.each(
                api.quarantine.SEND,
                lambda row: api.quarantine.SendObject(entry=row.entry, target=target, reason=reason),
                f"forwarded to {target}: out of the quarantine",
                why_not=lambda answer: "" if answer.taken else f"not taken by {target}: {answer.text}",
                rows=rows,
            )

        self._asked(rows, f"Forward {{objects}} to {target}?", [_FORWARDED], "Forward", sure)

    def _discard(self) -> None:
        rows = self.table.chosen

        def sure(reason: str) -> None:
            self.each(
                api.quarantine.DISCARD,
                lambda row: api.quarantine.DiscardObject(entry=row.entry, reason=reason),
                "removed for good",
                rows=rows,
            )

        texts = ["Removed for good: this cannot be undone."]
        self._asked(rows, "Discard {objects}?", texts, "Discard", sure, needed=True)


def _sender(one: Object) -> str:
    return f"{one.calling_aet} at {one.address}, called {one.called_aet}"


def _short(line: str) -> str:
    """Write a line of bytes so that it fits into 80 columns: without the zeros before the place."""
    mark, place, data, letters = line[0], line[2:10], line[12:60], line[61:]
    return f"{mark}{place.lstrip('0') or '0':>7} {data} {letters}"


def detail_lines(detail: api.quarantine.QuarantineDetail, columns: int) -> Iterator[Line]:
    """Write what is known of an object, what can be read of it, and the bytes around the fault."""
    one = detail.object
    yield ()
    yield from pair("reason", one.reason, columns, "warn")
    if detail.fault != one.reason:
        yield from pair("now", detail.fault or "it can be read: read it again", columns, "notice")
    yield from pair("from", _sender(one), columns)
    yield from pair("came", f"{moment(one.received)}, {plural(one.times, 'time')}, last {moment(one.last)}", columns)
    yield from pair("kept for", duration(one.seconds_left), columns)
    yield from pair("SOP class", named_uid(one.sop_class), columns)
    yield from pair("instance", one.sop, columns)
    yield from pair("syntax", named_uid(one.transfer_syntax), columns)
    yield ()
    yield ((" bytes around the fault" if detail.offset is not None else " the data set begins", "title"),)
    for line in detail.hex:
        yield ((_short(printable(line)), "bad" if line.startswith(">") else "dim"),)
    yield ()
    yield ((" what can be read" if detail.tags else " nothing can be read", "title"),)
    for name, value in detail.tags.items():
        yield from pair(name, str(value), columns)
    yield ()
    yield from pair("file", f"{detail.file}, {size(one.bytes)}", columns, "dim")
