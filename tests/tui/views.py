"""The screens of which pictures are kept, as tables: how one comes to each, and what is on it when all is there."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from appliance.control.rpc.client import Progress
from tests.tui.screenplay import Person, lines_of, neutral

if TYPE_CHECKING:
    from appliance.control.session import Session

KEPT = Path(__file__).parent / "screens"


class View(NamedTuple):
    """A screen: the name of its picture, the keys that lead to it, what is on it when all it asks for has come."""

    name: str
    keys: tuple[str, ...]
    there: tuple[str, ...]


def typed(name: str) -> tuple[str, ...]:
    """Return the keys that open a page by its name."""
    return ("colon", *name, "enter")


PAGES: Final[dict[str, tuple[tuple[str, ...], str, str]]] = {
    "overview": (("1",), "quarantine", "quarantine"),
    "queue": (("2",), "Nothing waits", "6 tasks"),
    "history": (("3",), "is not made yet", "P1"),
    "rules": (("4",), "no problems found", "no problems found"),
    "targets": (("5",), "folder", "folder"),
    "modules": (("6",), "statistics", "statistics"),
    "services": (("7",), "bookkeeper", "bookkeeper"),
    "alerts": (("8",), "critical", "critical"),
    "config": (("9",), "in force", "in force"),
    "audit": (("0",), "is not made yet", "task.hold"),
    "senders": (typed("senders"), "is not made yet", "no sender has come"),
    "finished": (typed("finished"), "nothing was delivered or discarded", "nothing was delivered or discarded"),
    "resends": (typed("resends"), "nothing is sent again", "nothing is sent again"),
    "keeps": (typed("keeps"), "nothing is kept", "nothing is kept"),
    "quarantine": (typed("quarantine"), "could be read", "could be read"),
    "sections": (typed("sections"), "Receiver", "Receiver"),
    "refusals": (typed("refusals"), "is not made yet", "2 refusals"),
    "backups": (typed("backups"), "there is no backup", "1 backup"),
    "selftest": (typed("selftest"), "r runs it", "r runs it"),
}
"""Every page: its keys, and what is on it of a router where nothing has happened yet, and of one with a past."""

EMPTY: Final = tuple(View(name, keys, (empty,)) for name, (keys, empty, _) in PAGES.items())
FILLED: Final = tuple(View(name, keys, (filled,)) for name, (keys, _, filled) in PAGES.items())

BUSY: Final = (
    View("overview", ("1",), ("SCANNER1", "8 of 10 processes")),
    View("queue", ("2",), ("↓ arriving", "► running", "6 tasks")),
    View("history", ("3",), ("P1", "1 exam")),
    View("rules", ("4", "d"), ("no problems found", "20 of 80 series tried")),
    View("targets", ("5", "t", "enter"), ("2 of 4 images answered",)),
    View("modules", ("6", "e"), ("• ready", "asking its runner")),
    View("services", ("7",), ("▲ starting", "▼ stopping")),
    View("alerts", ("8",), ("all is well",)),
    View("config", ("9",), ("2 revisions",)),
    View("audit", ("0",), ("modules.switch",)),
    View("senders", typed("senders"), ("no sender has come",)),
    View("finished", typed("finished"), ("nothing was delivered or discarded",)),
    View("resends", typed("resends"), ("nothing is sent again",)),
    View("keeps", typed("keeps"), ("nothing is kept",)),
    View("quarantine", typed("quarantine"), ("could be read",)),
    View("sections", typed("sections"), ("Receiver",)),
    View("refusals", typed("refusals"), ("nothing was refused",)),
    View("backups", (*typed("backups"), "n", "enter"), ("3.0 MB of 6.0 MB copied",)),
    View("selftest", (*typed("selftest"), "r"), ("2 of 9 clock",)),
)
"""Every page of a router at work, with what takes long under way."""

LONG: Final = {
    "rules.dry_run": Progress(done=20, total=80, text="series tried"),
    "targets.test_send": Progress(done=2, total=4, text="images answered"),
    "modules.check": Progress(),
    "backup.create": Progress(done=3_000_000, total=6_000_000, text="copied", unit="bytes"),
    "selftest.run": Progress(done=2, total=9, text="clock"),
}
"""How far these verbs are in the pictures."""

DETAILS: Final = (
    View("task", ("2", "enter"), ("attempts, the last first",)),
    View("discard", ("2", "ctrl+d"), ("Discard 1 task?",)),
    View("reroute", ("2", "t"), ("Reroute to which target?", "folder")),
    View("filter", ("2", "slash", *"failed"), ("1 of 6 tasks",)),
    View("command", ("2", "colon", *"bac"), ("backups",)),
    View("help", ("2", "question_mark"), ("Retry a failed task",)),
    View("find", ("3", "f"), ("Find an exam",)),
    View("explained", ("4", "x", "enter"), ("the rule applies",)),
    View("dry-run", ("4", "d"), ("for the last series",)),
    View("rule-form", ("4", "enter"), ("the condition is good",)),
    View("target", ("5", "enter"), ("esc back",)),
    View("target-kinds", ("5", "n"), ("A target of which kind?",)),
    View("target-form", ("5", "m"), ("Target delivered", "retry.cap_seconds")),
    View("test-send", ("5", "t"), ("How many?",)),
    View("target-delete", ("5", "ctrl+d"), ("type its name",)),
    View("module", ("6", "enter"), ("esc back",)),
    View("module-form", ("6", "m"), ("Module statistics", "persistence")),
    View("module-switch", ("6", "x"), ("Switch module statistics on?",)),
    View("log", ("7", "enter"), ("receiver_00", "listens")),
    View("scale", ("7", "plus"), ("Scale receiver?",)),
    View("stop", ("7", "ctrl+x"), ("Stop receiver?",)),
    View("compared", ("9", "enter"), ("rules.everything.comment",)),
    View("roll-back", ("9", "down", "ctrl+b"), ("Roll mercure.json back to revision 1?",)),
    View("change", ("0", "enter"), ("waiting", "held")),
    View("backup-contents", (*typed("backups"), "n"), ("What goes into the backup?",)),
)
"""What lies over the pages: details, forms, dialogs; of a router with a past."""

OF_A_VIEWER: Final = frozenset({"task", "help", "rule-form", "log"})
"""Details that look otherwise to somebody who may change nothing."""

WITHOUT_CONNECTION: Final = frozenset({"task", "rule-form", "target-form", "log"})
"""Details that stay open when the connection is lost."""


async def compare(name: str, person: Person, session: Session) -> None:
    """Wait for the screen to be as the kept one, in text; ``UPDATE_SCREENS=1`` keeps what it is when it is at rest.

    A difference of text is what a person can review. Colours have tests of their own (``test_colours``).
    """
    path = KEPT / f"{name}.txt"
    if os.environ.get("UPDATE_SCREENS"):
        await person.at_rest()
        path.write_text(picture(person, session))
    kept = path.read_text()
    with contextlib.suppress(AssertionError):
        await person.until(lambda: picture(person, session) == kept, name)
    assert picture(person, session) == kept, f"{path.name} looks different; UPDATE_SCREENS=1 keeps the new look"


def picture(person: Person, session: Session) -> str:
    """Draw the screen as text, without what differs from run to run."""
    svg = neutral(person.app.export_screenshot(title="mercure-tui"), session.root.path)
    return "\n".join(lines_of(svg, person.app.size)) + "\n"


async def look_at(person: Person, view: View, state: str, session: Session) -> None:
    """Open a screen and compare it."""
    await person.press(*view.keys)
    await person.see(*view.there)
    await compare(f"{view.name}-{state}", person, session)


async def leave(person: Person) -> None:
    """Close what lies over a page: once for it, once for a filter of the page or the page itself."""
    await person.press("escape", "escape")
    await person.until(lambda: len(person.app.screen_stack) == 1, "nothing to lie over the page")
