"""The backups: write one, compare one with its digests."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar, Final

from appliance.control.rpc.client import AnyVerb, ControlError, Nothing, Progress, api
from appliance.presentation.figures import duration, moment, size
from appliance.presentation.phrases import plural
from mercure.printable import printable
from tui.actions import bindings_of
from tui.screens.long_actions import LongActions, bar_line
from tui.screens.table_page import TablePage
from tui.screens.task import pair
from tui.styles import Line
from tui.widgets.dialogs import Choose
from tui.widgets.grid import Column

if TYPE_CHECKING:
    from textual.binding import BindingType

Backup = api.backup.BackupFile
_CREATE, _CHECK = api.backup.CREATE, api.backup.CHECK
_WORDS: Final = {_CREATE.name: "backup", _CHECK.name: "check"}
_CONTENTS: Final = (
    ("without images", "configuration, history, state"),
    ("with images", "these, and all that is in the spool"),
)


class BackupsPage(LongActions, TablePage[Backup]):
    """Those in the router's own folder, the newest first."""

    NAME: ClassVar[str] = "backups"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_of("backups")]
    WORDS: ClassVar[tuple[str, str]] = ("backup", "backups")
    EMPTY: ClassVar[str] = "there is no backup in the router's folder backup/: n writes one"
    LONG: ClassVar[Mapping[str, AnyVerb]] = {verb.name: verb for verb in (_CREATE, _CHECK)}

    def __init__(self) -> None:
        super().__init__()
        self._last: tuple[Line, ...] = ()

    def columns(self) -> Sequence[Column[Backup]]:
        """Return the columns."""
        return (
            Column("backup", lambda row: (printable(row.name), "bold"), 44, lambda row: row.name),
            Column("size", lambda row: (size(row.bytes), ""), 8, lambda row: row.bytes, right=True),
            Column("written", lambda row: (moment(datetime.fromtimestamp(row.modified, UTC)), "")),
        )

    def key_of(self, row: Backup) -> object:
        """Return the name of the file."""
        return row.name

    def text_of(self, row: Backup) -> str:
        """Return its name."""
        return row.name

    def below(self, row: Backup) -> Iterable[Line]:
        """Return where it is, and what brings it back."""
        columns = self.below_columns
        yield from pair("file", row.path, columns)
        yield from pair("bring back", f"mercure restore {row.path} --root NEW_ROOT", columns, "dim")

    def below_all(self) -> Iterable[Line]:
        """Return what was done last."""
        return self._last

    def refresh_data(self) -> None:
        """Ask for the backups, and for what is under way."""
        if self.router.connected:
            self.ask(api.backup.LIST, Nothing(), lambda answer: self.fill(answer.backups), failed=self.fail)
            self.look_for_jobs()

    def handlers(self) -> Mapping[str, Callable[[], None]]:
        """Return what is called for each action."""
        return {"check": self.with_row(self._check), "new": self._new}

    def _check(self, row: Backup) -> None:
        self.begin(_CHECK, api.backup.OneBackup(name=row.name))

    def _new(self) -> None:
        def chosen(contents: str) -> None:
            self.begin(_CREATE, api.backup.CreateBackup(images=contents == "with images"))

        texts = ["It is written into backup/ in the router's folder; the router goes on meanwhile."]
        self.when_answered(Choose("What goes into the backup?", texts, _CONTENTS), chosen)

    # What is under way, and what it came to.

    def _tell(self, *lines: Line) -> None:
        self._last = lines
        self.show_below()

    def show_progress(self, verb: str, about: str, progress: Progress) -> None:
        """Show how far one is."""
        self._tell(bar_line(_WORDS[verb], progress), *pair("of", about, self.below_columns))

    def show_answer(self, verb: str, about: str, answer: Any, by: str) -> None:  # noqa: ANN401 - of its verb
        """Show what was written, or whether it is as it was written."""
        lines = _made(answer) if verb == _CREATE.name else _checked(answer)
        columns = self.below_columns
        self._tell(*(line for name, text, style in lines for line in pair(name, text, columns, style)))
        if verb == _CREATE.name:
            self.ask(api.backup.LIST, Nothing(), lambda found: self.fill(found.backups), failed=self.fail)

    def show_failure(self, verb: str, about: str, error: ControlError, by: str) -> None:
        """Show why one failed."""
        self._tell(*pair(_WORDS[verb], f"‼ {error.text} {error.advice}", self.below_columns, "bad"))


def _made(made: api.backup.BackupMade) -> Iterator[tuple[str, str, str]]:
    name = made.path.rpartition("/")[2]
    what = f"{size(made.bytes)}, {plural(made.files, 'file')}, in {duration(made.seconds)}"
    with_images = "with images" if made.images else "without images"
    style = "warn" if made.left_out else "good"
    yield "written", f"{'▲' if made.left_out else '•'} {name}: {what}, {with_images}", style
    for text in made.left_out:
        yield "left out", text, "warn"


def _checked(found: api.backup.BackupChecked) -> Iterator[tuple[str, str, str]]:
    name = found.path.rpartition("/")[2]
    if not found.ok:
        yield "checked", f"‼ {name} is NOT as it was written: {found.problem}", "bad"
        return
    holds = f"{plural(found.files, 'file')}, revision {found.revision}, history: {found.history or 'none'}"
    yield "checked", f"• {name} is as it was written: {holds}", "good"
    for text in found.left_out:
        yield "left out", text, "warn"
