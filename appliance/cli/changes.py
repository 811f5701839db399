"""Changes of the configuration: shown, asked about, saved, and told when they count."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import click

from appliance.cli.common import narrate, show
from appliance.cli.requests import asking
from appliance.presentation.phrases import plural, when_it_counts
from mercure.printable import printable

if TYPE_CHECKING:
    from appliance.control.api.base import Difference, Problem, Q, Saved, Verb

_SIGNS: Final = {"added": "+", "removed": "-", "changed": "~", "order": "↕"}
_SHORT: Final = 60

yes_option: Final = click.option("--yes", is_flag=True, help="Do not ask.")
comment_option: Final = click.option("--comment", default="", help="Why; it is kept with the revision.")


def save_change(verb: Verb[Q, Saved], request: Callable[[int, bool], Q], *, ask: bool, always: bool = False) -> None:
    """Show what a change changes, ask, and save it; nothing is saved where nothing changes.

    Parameters
    ----------
    verb : Verb
        Saves, or only looks.
    request : callable
        Makes its request, of the revision that the change is made from, and whether it is only looked at.
    ask : bool
        Ask before it is saved.
    always : bool
        Also where nothing changes in the configuration.
    """
    from appliance.control import api  # noqa: PLC0415 - as in all commands

    with asking() as ask_for, told_what_others_changed():
        revision = ask_for(api.configuration.REVISIONS, api.configuration.ListRevisions(limit=1)).current
        foreseen = ask_for(verb, request(revision, True))
        if not foreseen.difference and not always:
            narrate("nothing is changed")
            show(foreseen, lambda: ())
            return
        confirm(foreseen, yes=not ask)
        saved = ask_for(verb, request(revision, False))
    show(saved, lambda: saved_lines(saved))


def confirm(foreseen: Saved, *, yes: bool) -> None:
    """Show what will be different, and ask whether to save it."""
    for line in (*difference_lines(foreseen.difference), *warning_lines(foreseen)):
        narrate(line)
    if not yes:
        click.confirm("Save?", abort=True, err=True)


def saved_lines(saved: Saved) -> Iterator[str]:
    """Write what became of a change, and when it counts."""
    yield f"saved as revision {saved.revision}"
    yield from when_it_counts(saved.restart, saved.renews)
    yield from warning_lines(saved)
    if saved.tasks:
        yield f"{plural(saved.tasks, 'waiting task')} renamed"
    if saved.busy:
        names = ", ".join(task[-8:] for task in saved.busy)
        yield printable(f"being worked on, and not renamed yet: {names}; repeat this command when they have ended")


def warning_lines(saved: Saved) -> Iterator[str]:
    """Write what is lost by a change that can be saved all the same."""
    return (f"warning: {printable(text)}" for text in saved.warnings)


@contextmanager
def told_what_others_changed() -> Iterator[None]:
    """Show what somebody else changed meanwhile, where a change is refused for it."""
    from appliance.control.errors import ControlError  # noqa: PLC0415 - not for `--help`

    try:
        yield
    except ControlError as error:
        if error.kind == "stale" and error.difference:
            narrate("meanwhile this was changed:")
            for line in difference_lines(error.difference):
                narrate(line)
        raise


def difference_lines(differences: Iterable[Difference]) -> Iterator[str]:
    """Write each place with its value before and after; long values below each other."""
    for item in differences:
        begin = f"{_SIGNS[item.how]} {item.place}"
        sides = [("-", item.before)] if item.how != "added" else []
        sides += [("+", item.after)] if item.how != "removed" else []
        texts = [(sign, json.dumps(value, ensure_ascii=False)) for sign, value in sides]
        if sum(len(text) for _, text in texts) <= _SHORT:
            yield f"{begin}: {' → '.join(text for _, text in texts)}"
            continue
        yield begin
        yield from (f"    {sign} {text}" for sign, text in texts)


def problem_lines(problems: Iterable[Problem]) -> Iterator[str]:
    """Write what is wrong with a configuration: place, text, advice."""
    for problem in problems:
        advice = f" → {problem.advice}" if problem.advice else ""
        yield printable(f"{problem.place}: {problem.text}{advice}")
