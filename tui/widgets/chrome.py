"""What surrounds every page: who and where, the numbers of the pages, the banner, the keys."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from appliance.presentation.figures import clock
from appliance.presentation.phrases import ANYBODY_SENDS
from mercure.printable import printable
from tui.actions import PAGES, Action
from tui.format import fit, width, wrap
from tui.styles import Line, Span
from tui.widgets.lines import Static

if TYPE_CHECKING:
    from tui.state import RouterState

WIDE: Final = 100


def top_lines(router: RouterState, page: str, columns: int) -> tuple[Line, Line]:
    """Return the two lines above every page."""
    return _who_and_where(router, columns), _pages(router, page, columns)


def _who_and_where(router: RouterState, columns: int) -> Line:
    who = router.who
    state: Span = ("• live", "good") if router.connected else ("‼ no connection", "bad")
    person = f"{printable(who.user)} ({who.role or 'no role'})  " if who else ""
    room = columns - width(person) - width(state[0]) - 1
    parts = ("mercure", who.node, who.site, who.root) if who else ("mercure",)
    left = "".join(f" {printable(part)} " for part in parts if part).rstrip()
    return ((fit(left, max(0, room)), "title"), (person, ""), state, (" ", ""))


def _pages(router: RouterState, page: str, columns: int) -> Line:
    line: list[Span] = []
    alerts = len(router.alerts.alerts) if router.alerts else 0
    for entry in PAGES:
        here = entry.name == page
        if not entry.key and not (here and columns >= WIDE):
            continue  # without a number it has no place here, but where there is room enough to say what is open
        title = entry.title if here or columns >= WIDE else entry.short
        if entry.name == "alerts" and alerts:
            title += f"({alerts})"
        style = "here" if here else "bad" if title.endswith(")") else "dim"
        line += [(" ", ""), (f"{entry.key} {title}".strip(), style)]
    return tuple(line)


def banner_lines(router: RouterState, columns: int) -> tuple[Line, ...]:
    """Return what is said above a page while there is no connection, or anybody may send from anywhere."""
    if router.connected:
        is_open = router.status is not None and router.status.config.open_to_all
        line: Line = ((fit(f"▲ {ANYBODY_SENDS}", columns), "notice"),)
        return (line,) if is_open else ()
    seen = f" Shown is the state of {clock(router.heard)}." if router.heard else ""
    text = f"‼ No connection to the router: {printable(router.why)}.{seen} Trying again."
    return tuple(((fit(line, columns), "banner"),) for line in wrap(text, columns))


def key_lines(actions: Iterable[Action], router: RouterState, columns: int) -> list[Line]:
    """Lay out keys and words; what the person may not do is left out: the help names it, with the role it needs."""
    lines: list[Line] = []
    line: list[Span] = []
    used = 0
    for action in actions:
        if router.who is not None and not router.allows(action.verb):
            continue
        needs = width(action.key_text) + width(action.word) + 3
        if line and used + needs > columns:
            lines.append(tuple(line))
            line, used = [], 0
        line += [(" ", ""), (action.key_text, "key"), (f" {action.word} ", "")]
        used += needs
    return [*lines, tuple(line)] if line else lines


class Keys(Static):
    """The keys of a page."""

    def show_keys(self, actions: Iterable[Action], router: RouterState) -> None:
        """Show these."""
        self.show(key_lines(actions, router, self.app.size.width))
