"""``mercure quarantine``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from appliance.cli import shell_completion
from appliance.cli.common import end_with, json_option, narrate, root_option, show, watch_option
from appliance.cli.history import Since
from appliance.cli.lazy import OrderedGroup
from appliance.cli.requests import ask, asking, each
from appliance.cli.text import pairs, table
from appliance.presentation.figures import duration, short_moment, size, zoned_moment
from appliance.presentation.phrases import plural
from mercure.printable import printable

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from appliance.cli.requests import Ask
    from appliance.control.api.quarantine import (
        ObjectDiscarded,
        ObjectRead,
        ObjectSent,
        Quarantine,
        QuarantineDetail,
        QuarantinedObject,
    )

    F = TypeVar("F", bound=Callable[..., Any])

SHORT = 8
_SHOWN_TAGS = 200


@click.group(cls=OrderedGroup)
@root_option
def quarantine() -> None:
    """See objects that could not be read; read them again, forward them as they are, discard them.

    Their senders were told so (0xC000). An ENTRY is named by its id or the end of it, such as the eight characters
    that `quarantine list` shows.
    """


def _query(command: F) -> F:
    """Add the options that say which objects are meant."""
    for option in (
        click.option(
            "--since", type=Since(), help="Only what came since then: 30m, 12h, 7d, 2w ago, or a date or time."
        ),
        click.option("--text", default="", help="Only with this text in reason, sender or UID."),
        click.option("--sender", help="Only from this sender."),
    ):
        command = option(command)
    return command


@quarantine.command("list")
@watch_option
@_query
@click.option("--limit", type=click.IntRange(0), default=50, show_default=True, help="At most so many; 0: all.")
@root_option
@json_option("appliance.control.api.quarantine:Quarantine")
def list_(limit: int, **query: Any) -> None:  # noqa: ANN401 - those of `_query`
    """List what could not be read: by sender and reason, then each object, the latest first."""
    from appliance.control import api  # noqa: PLC0415

    found = ask(api.quarantine.LIST, api.quarantine.ListQuarantine(limit=limit, **query))
    show(found, lambda: _list_lines(found))


def _list_lines(found: Quarantine) -> Iterator[str]:
    if not found.entries:
        yield "nothing is in quarantine" if not found.objects else "no match"
        return
    yield f"{found.objects} of {found.most_objects} objects, {size(found.bytes)} of {size(found.most_bytes)}"
    yield ""
    groups = [
        (one.sender, str(one.objects), str(one.times), size(one.bytes), short_moment(one.last), one.reason)
        for one in found.groups
    ]
    yield from table(["SENDER", "OBJECTS", "TIMES", "SIZE", "LAST", "REASON"], groups)
    yield ""
    yield from table(["ENTRY", "LAST", "TIMES", "SIZE", "SENDER", "KEPT FOR", "REASON"], map(_row, found.entries))
    rest = found.found - len(found.entries)
    if rest:
        narrate(f"{rest} more: --limit 0 shows all")


def _row(one: QuarantinedObject) -> tuple[str, ...]:
    kept = duration(one.seconds_left)
    return (one.entry[-SHORT:], short_moment(one.last), str(one.times), size(one.bytes), one.sender, kept, one.reason)


@quarantine.command("show")
@click.argument("entry")
@root_option
@json_option("appliance.control.api.quarantine:QuarantineDetail")
def show_(entry: str) -> None:
    """Show an object: who sent it, what can be read of it, and the bytes around the place of the fault."""
    from appliance.control import api  # noqa: PLC0415

    detail = ask(api.quarantine.SHOW, api.quarantine.OneObject(entry=entry))
    show(detail, lambda: _detail_lines(detail))


def _detail_lines(detail: QuarantineDetail) -> Iterator[str]:
    one = detail.object
    yield from pairs(
        [
            ("entry", one.entry),
            ("file", detail.file),
            ("size", size(one.bytes)),
            ("from", f"{one.sender} ({one.calling_aet} at {one.address}, called {one.called_aet})"),
            ("came", f"{zoned_moment(one.received)}, {plural(one.times, 'time')}, last {zoned_moment(one.last)}"),
            ("SOP class", one.sop_class),
            ("SOP instance", one.sop),
            ("transfer syntax", one.transfer_syntax),
            ("reason", one.reason),
            ("now", detail.fault or "it can be read: read it again"),
            ("kept for", duration(one.seconds_left)),
        ]
    )
    if detail.hex:
        yield ""
        yield "bytes around the fault:" if detail.offset is not None else "the data set begins:"
        yield from detail.hex
    yield ""
    yield "what can be read:" if detail.tags else "nothing can be read of it"
    for key, value in [*detail.tags.items()][:_SHOWN_TAGS]:
        yield printable(f"  {key}: {value}")


def _entries(
    ask_for: Ask, names: tuple[str, ...], query: dict[str, Any], question: str = "", yes: bool = False
) -> list[str]:
    """Return the objects meant: those named, or those that a query finds, after a yes where there is a question."""
    from appliance.control import api  # noqa: PLC0415

    if bool(names) == any(query.values()):
        raise click.UsageError("name the entries, or say which by --sender, --text or --since")
    if names:
        return list(names)
    found = ask_for(api.quarantine.LIST, api.quarantine.ListQuarantine(**query))
    if question and found.entries and not yes:
        for group in found.groups:
            narrate(f"{plural(group.objects, 'object')} from {group.sender}: {group.reason}")
        click.confirm(question.format(objects=plural(len(found.entries), "object")), abort=True, err=True)
    return [one.entry for one in found.entries]


_REASON = "Why; it is kept in the audit."


@quarantine.command("read-again")
@click.argument("entries", metavar="ENTRY…", nargs=-1)
@_query
@click.option("--reason", default="", help=_REASON)
@root_option
@json_option(read="appliance.control.api.quarantine:ObjectRead")
def read_again(entries: tuple[str, ...], reason: str, **query: Any) -> None:  # noqa: ANN401 - those of `_query`
    """Read objects again, as after an upgrade: what can be read now is routed like any other image.

    Name them, or say which by --sender, --text and --since; all that is given must hold.

    Exit code 0: all could be read; 1: not so.
    """
    from appliance.control import api  # noqa: PLC0415

    done: list[ObjectRead] = []
    with asking() as ask_for:

        def act(entry: str) -> bool:
            done.append(ask_for(api.quarantine.READ_AGAIN, api.quarantine.ChangeObject(entry=entry, reason=reason)))
            return done[-1].read

        code = each(_entries(ask_for, entries, query), act)
    show({"read": done}, lambda: (_read_line(one) for one in done))
    end_with(code)


def _read_line(one: ObjectRead) -> str:
    if one.read:
        return printable(f"read: {one.entry}, now in incoming/{one.series}/{one.file}")
    return printable(f"not readable: {one.entry}: {one.reason}")


@quarantine.command("send")
@click.argument("entries", metavar="ENTRY…", nargs=-1)
@_query
@click.option("--target", required=True, help="To this target.", shell_complete=shell_completion.targets)
@click.option("--reason", default="", help=_REASON)
@click.option("--yes", is_flag=True, help="Do not ask.")
@root_option
@json_option(sent="appliance.control.api.quarantine:ObjectSent")
def send(entries: tuple[str, ...], target: str, reason: str, *, yes: bool, **query: Any) -> None:  # noqa: ANN401
    """Send objects to a target as they are, although they cannot be read; what is taken leaves the quarantine.

    Name them, or say which by --sender, --text and --since; these are shown, and nothing is sent before your yes.

    Exit code 0: all were taken; 1: not so.
    """
    from appliance.control import api  # noqa: PLC0415

    done: list[ObjectSent] = []
    with asking() as ask_for:

        def act(entry: str) -> bool:
            wanted = api.quarantine.SendObject(entry=entry, target=target, reason=reason)
            done.append(ask_for(api.quarantine.SEND, wanted))
            return done[-1].taken

        question = f"Send {{objects}} to {target} as they are?"
        code = each(_entries(ask_for, entries, query, question, yes=yes), act)
    show({"sent": done}, lambda: (_sent_line(one) for one in done))
    end_with(code)


def _sent_line(one: ObjectSent) -> str:
    return printable(f"{'taken' if one.taken else 'NOT taken'} by {one.target}: {one.entry}: {one.text}")


@quarantine.command("discard")
@click.argument("entries", metavar="ENTRY…", nargs=-1)
@_query
@click.option("--reason", required=True, help=_REASON)
@click.option("--yes", is_flag=True, help="Do not ask.")
@root_option
@json_option(discarded="appliance.control.api.quarantine:ObjectDiscarded")
def discard(entries: tuple[str, ...], reason: str, *, yes: bool, **query: Any) -> None:  # noqa: ANN401
    """Remove objects for good: those named, or those from a --sender, with a --text, --since then."""
    from appliance.control import api  # noqa: PLC0415

    done: list[ObjectDiscarded] = []
    with asking() as ask_for:

        def act(entry: str) -> bool:
            wanted = api.quarantine.DiscardObject(entry=entry, reason=reason)
            done.append(ask_for(api.quarantine.DISCARD, wanted))
            return True

        meant = _entries(ask_for, entries, query)
        if meant and not yes:
            click.confirm(f"remove {plural(len(meant), 'object')} for good?", abort=True, err=True)
        code = each(meant, act)
    show({"discarded": done}, lambda: (f"discarded: {one.entry}, {size(one.bytes)}" for one in done))
    end_with(code)
