"""Senders: who sends, who may, what each uses; allow, disable, echo."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Final

from appliance.control.rpc.client import ControlError, api
from appliance.presentation.figures import duration, moment, short_moment, since, size
from appliance.presentation.phrases import count, plural
from appliance.presentation.senders import hours_in_bars, trait_in_words
from appliance.presentation.states import SENDER, Look
from mercure.printable import printable
from tui.actions import bindings_of
from tui.format import fit
from tui.screens.settings_page import SettingsPage, certificate_lines, name_column, settings_lines
from tui.screens.task import pair
from tui.screens.text_page import TextPage
from tui.styles import Line
from tui.widgets.dialogs import Confirm
from tui.widgets.grid import Column

if TYPE_CHECKING:
    from textual.binding import BindingType

Sender = api.senders.SenderLine
_NAMED: Final = 8
"""Proposed entries that a dialog names."""


def look_of(row: Sender) -> Look:
    """Return the state of a sender as it is shown."""
    if row.standing == "refused" and not row.refused:
        return SENDER["unlisted"]
    return SENDER["silent"] if row.silence and row.standing in ("listed", "unlisted") else SENDER[row.standing]


def notes_of(row: Sender) -> Iterator[str]:
    """Say what is worth a word of a sender, the worst first."""
    if row.refused:
        yield f"refused {plural(row.refused, 'time')}: {row.refusal}"
    for trait in row.changed:
        yield f"new: {trait_in_words(trait)}"
    if row.comment:
        yield row.comment


class SendersPage(SettingsPage[Sender]):
    """Those that need a person first."""

    NAME: ClassVar[str] = "senders"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_of("senders")]
    WORDS: ClassVar[tuple[str, str]] = ("sender", "senders")
    EMPTY: ClassVar[str] = "no sender has come yet, and none is listed"

    def __init__(self) -> None:
        super().__init__()
        self._found: api.senders.SenderLines | None = None
        self._answers: dict[str, tuple[str, str]] = {}

    def columns(self) -> Sequence[Column[Sender]]:
        """Return the columns."""
        return (
            name_column("sender", 17),
            Column("state", lambda row: look_of(row).span(), 12, lambda row: look_of(row).rank),
            Column("last image", lambda row: (short_moment(row.last_image), ""), 14,
                   lambda row: row.last_image.timestamp() if row.last_image else 0.0),
            Column("today", lambda row: (count(row.images_today), ""), 6, lambda row: row.images_today, right=True),
            Column("bytes", lambda row: (size(row.bytes_today), "dim"), 8, lambda row: row.bytes_today, right=True),
            Column("AE title", lambda row: (printable(", ".join(row.ae_titles)), ""), 17,
                   lambda row: row.ae_titles, from_width=120),
            Column("address", lambda row: (printable(", ".join(row.addresses)), ""), 16,
                   lambda row: row.addresses, from_width=100),
            Column("notes", lambda row: (printable("; ".join(notes_of(row))), "warn")),
        )  # fmt: skip

    def text_of(self, row: Sender) -> str:
        """Return all that is shown."""
        return " ".join((row.name, *row.ae_titles, *row.addresses, look_of(row).word, *notes_of(row), row.contact))

    def values(self, row: Sender) -> Iterable[tuple[str, str]]:
        """Return what can be copied."""
        yield "name", row.name
        yield "AE title", ", ".join(row.ae_titles)
        yield "address", ", ".join(row.addresses)

    def about(self) -> str:
        """Return who may send, and what `listed` would change."""
        found = self._found
        if found is None:
            return ""
        if found.access == "listed":
            return "access: listed"
        losing = len(found.losing)
        what = f", 'listed' would refuse {losing}" if losing else ", 'listed' would refuse none"
        return f"access: {found.access}{' to anybody' if found.open_to_all else ''}{what}"

    def below(self, row: Sender) -> Iterator[Line]:
        """Return where it sends from, what is wrong, and what it said."""
        columns = self.below_columns
        text, style = self._answers.get(row.name, ("", ""))
        yield from pair("echo", text, columns, style)
        if row.refused:
            ago = since(row.refused_last, self.router.heard)
            last = f"{plural(row.refused, 'time')}, last {ago} ago: {row.refusal}"
            yield from pair("refused", last, columns, "bad")
        yield from pair("silence", row.silence, columns, "warn")
        for trait in row.changed:
            yield from pair("changed", f"since {moment(trait.first)}: {trait_in_words(trait)}", columns, "warn")
        machine = f"{', '.join(row.ae_titles)} at {', '.join(row.addresses)}"
        yield from pair("from", machine, columns)
        yield from pair("calls us", ", ".join(row.called_aets), columns, "dim")
        yield from certificate_lines(row.certificate, self.router.heard, columns)
        yield from pair("contact", row.contact, columns)

    def refresh_data(self) -> None:
        """Ask for the senders."""
        if self.router.connected:
            self.ask(api.senders.LIST, api.senders.ListSenderLines(), self._fill, failed=self.fail)

    def _fill(self, found: api.senders.SenderLines) -> None:
        self._found, self.revision = found, found.revision
        self.fill(found.senders)

    def told(self, event: api.streams.EventItem) -> None:
        """Look again when the configuration or an alert has changed: a refusal is an alert."""
        if event.type.startswith(("config.", "alert.")):
            self.mercure.soon(self, self.refresh_data)

    # Actions.

    def handlers(self) -> Mapping[str, Callable[[], None]]:
        """Return what is called for each action."""
        return {
            "series": self.with_row(self._series),
            "detail": self.with_row(self._detail),
            "echo": self.with_row(self._echo),
            "allow": self.with_row(self._allow),
            "switch": self.with_row(self._switch),
            "propose": self._propose,
        }

    def _series(self, row: Sender) -> None:
        self.mercure.open_filtered("history", row.ae_titles[0] if row.ae_titles else row.name)

    def _detail(self, row: Sender) -> None:
        self.ask(api.senders.SHOW, api.senders.OneSender(name=row.name), self._show)

    def _show(self, detail: api.senders.SenderDetail) -> None:
        title = f"{detail.sender.name} · {look_of(detail.sender).word}"
        self.app.push_screen(TextPage("senders", title, lambda columns: detail_lines(detail, columns)))

    def _echo(self, row: Sender) -> None:
        self._tell(row.name, "asking it for an echo …", "dim")

        def told(answer: api.senders.SenderEcho) -> None:
            text = f"{answer.place}: {answer.text} ({duration(answer.seconds)})"
            self._tell(row.name, f"{'•' if answer.ok else '‼'} {text}", "good" if answer.ok else "bad")

        def failed(error: ControlError) -> None:
            self._tell(row.name, f"‼ {error.text}", "bad")

        self.ask(api.senders.ECHO, api.senders.EchoSender(name=row.name), told, failed=failed)

    def _tell(self, name: str, text: str, style: str) -> None:
        self._answers[name] = (text, style)
        self.show_below()

    def _allow(self, row: Sender) -> None:
        where = [f"{', '.join(row.ae_titles)} at {', '.join(row.addresses)}", *notes_of(row)]

        def request(comment: str) -> api.senders.AllowSender:
            return api.senders.AllowSender(name=row.name, edited_from=self.revision, comment=comment)

        dialog = Confirm(f"Allow sender {row.name}?", where, "Allow", reason=True)
        self.change(dialog, api.senders.ALLOW, request, f"sender {row.name} may send")

    def _switch(self, row: Sender) -> None:
        enable = row.standing == "disabled"
        word = "Enable" if enable else "Disable"
        texts = ["It may send again."] if enable else ["Its associations are rejected from now on."]

        def request(comment: str) -> api.senders.SwitchSender:
            return api.senders.SwitchSender(name=row.name, enabled=enable, edited_from=self.revision, comment=comment)

        dialog = Confirm(f"{word} sender {row.name}?", texts, word, reason=True)
        self.change(dialog, api.senders.SWITCH, request, f"sender {row.name} {word.lower()}d")

    def _propose(self) -> None:
        self.ask(api.senders.PROPOSE, api.senders.ProposeSenders(), self._save_proposed)

    def _save_proposed(self, found: api.senders.ProposedSenders) -> None:
        if not found.senders:
            self.say(f"every sender of the last {found.days} days has an entry")
            return
        named = [
            f"{name}: {' '.join(entry.get('ae_titles', ()))} at {' '.join(entry.get('addresses', ()))}"
            for name, entry in [*found.senders.items()][:_NAMED]
        ]
        more = len(found.senders) - len(named)
        texts = ["\n".join([*named, *([f"and {more} more"] if more else [])])]

        def request(comment: str) -> api.senders.AddProposed:
            return api.senders.AddProposed(days=found.days, edited_from=found.revision, comment=comment)

        what = plural(len(found.senders), "sender")
        dialog = Confirm(f"Save entries of {what}?", texts, "Save", reason=True)
        self.change(dialog, api.senders.ADD_PROPOSED, request, f"{what} saved")


def detail_lines(detail: api.senders.SenderDetail, columns: int) -> Iterator[Line]:
    """Write all that is known of a sender."""
    sender = detail.sender
    yield from pair("AE titles", ", ".join(sender.ae_titles), columns)
    yield from pair("addresses", ", ".join(sender.addresses), columns)
    yield from pair("calls us", ", ".join(sender.called_aets), columns)
    yield from certificate_lines(sender.certificate, None, columns)
    yield from pair("first seen", moment(sender.first), columns)
    yield from pair("last image", moment(sender.last_image), columns)
    today = f"{plural(sender.images_today, 'image')}, {size(sender.bytes_today)}"
    yield from pair("today", today, columns)
    yield from pair("images", count(sender.images), columns)
    if sender.refused:
        last = f"{plural(sender.refused, 'time')}, last {moment(sender.refused_last)}: {sender.refusal}"
        yield from pair("refused", last, columns, "bad")
    yield from pair("silence", sender.silence, columns, "warn")
    if any(detail.hours):
        yield from pair("by hour", f"{hours_in_bars(detail.hours)}  0 to 24 h, {detail.timezone}", columns)
    yield ()
    yield ((" What it uses", "title"),)
    for trait in detail.traits:
        new, style = ("new ", "warn") if trait.new else ("    ", "")
        said = f" {new}{short_moment(trait.first)}  {trait_in_words(trait)} ({count(trait.times)})"
        yield ((fit(printable(said), columns), style),)
    yield ()
    yield ((" Its entry in `senders`", "title"),)
    if detail.settings is None:
        yield ((" none: a allows it by one", "dim"),)
    else:
        yield from settings_lines(detail.settings, columns)
