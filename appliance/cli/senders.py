"""``mercure senders``."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import click

from appliance.cli import exit_codes
from appliance.cli.changes import saved_lines
from appliance.cli.common import end_with, json_option, narrate, root_option, show, watch_option
from appliance.cli.entries import add_entry_commands
from appliance.cli.lazy import OrderedGroup
from appliance.cli.requests import ask, asking
from appliance.cli.text import pairs, table
from appliance.presentation.figures import short_moment, size, zoned_moment
from appliance.presentation.phrases import plural
from mercure.printable import printable

if TYPE_CHECKING:
    from appliance.control.api.senders import ProposedSenders, SenderDetail, SenderLine, SenderLines, SenderTrait

_comment = click.option("--comment", default="", help="Why; it is kept with the revision.")
_days = click.option(
    "--days", type=click.IntRange(1, 366), default=14, show_default=True, help="Of the last so many days."
)
_name = click.argument("name", metavar="SENDER")

MOST_NAMED = 20
"""Senders that one sentence names."""


@click.group(cls=OrderedGroup)
@root_option
def senders() -> None:
    """See who sends, what each uses, who may send; let one in, keep one out.

    SENDER is a name in `senders` of the configuration, AE_TITLE@address, or an AE title that only one has.
    """


@senders.command("list")
@watch_option
@_days
@root_option
@json_option("appliance.control.api.senders:SenderLines")
def list_(days: int) -> None:
    """List the senders: those that were refused first, then those without an entry.

    With `receiver.access` other than `listed`, it ends with those that `listed` would refuse.
    """
    from appliance.control import api  # noqa: PLC0415

    found = ask(api.senders.LIST, api.senders.ListSenderLines(days=days))
    show(found, lambda: _list_lines(found))


def _list_lines(found: SenderLines) -> Iterator[str]:
    head = ["SENDER", "ADDRESS", "STATE", "LAST IMAGE", "TODAY", "BYTES", "NOTES"]
    if found.senders:
        yield from table(head, map(_row, found.senders), whole=True)
    else:
        yield "nobody has sent anything yet, and `senders` is empty"
    yield ""
    if found.not_kept:
        yield f"not all is collected: there was no room for what {plural(found.not_kept, 'message')} said of senders"
    yield from access_lines(found)


def access_lines(found: SenderLines) -> Iterator[str]:
    """Say who may send, and what `listed` would change."""
    if found.access == "listed":
        yield "receiver.access is listed: only senders with an entry may send"
        return
    who = "anybody may send from anywhere" if found.open_to_all else "only this machine can reach the receiver"
    yield f"receiver.access is {found.access}: {who}"
    losing = [sender.name for sender in found.losing]
    if not losing:
        yield f"with 'listed', no sender of the last {found.days} days would be refused"
        return
    more = f" and {len(losing) - MOST_NAMED} more" if len(losing) > MOST_NAMED else ""
    names = ", ".join(map(printable, losing[:MOST_NAMED]))
    who = plural(len(losing), "sender")
    yield f"with 'listed', {who} of the last {found.days} days would be refused: {names}{more}"
    yield "→ `mercure senders propose --save` enters them"


def _row(sender: SenderLine) -> tuple[str, ...]:
    return (
        sender.name,
        ", ".join(sender.addresses),
        sender.standing,
        short_moment(sender.last_image),
        str(sender.images_today),
        size(sender.bytes_today),
        "; ".join(_notes(sender)),
    )


def _notes(sender: SenderLine) -> Iterator[str]:
    from appliance.presentation.senders import trait_in_words  # noqa: PLC0415

    if sender.refused:
        yield f"refused {plural(sender.refused, 'time')}: {sender.refusal}"
    if sender.silence:
        yield "silent"
    for trait in sender.changed:
        yield f"since {short_moment(trait.first)} {trait_in_words(trait)}"


@senders.command("show")
@watch_option
@_name
@root_option
@json_option("appliance.control.api.senders:SenderDetail")
def show_(name: str) -> None:
    """Show a sender: its entry, its usual hours, what it uses since when, why it was refused."""
    from appliance.control import api  # noqa: PLC0415

    detail = ask(api.senders.SHOW, api.senders.OneSender(name=name))
    show(detail, lambda: _detail_lines(detail))


def _detail_lines(detail: SenderDetail) -> Iterator[str]:
    from appliance.presentation.senders import hours_in_bars  # noqa: PLC0415

    sender = detail.sender
    refused = f"{plural(sender.refused, 'time')}, last {zoned_moment(sender.refused_last)}: {sender.refusal}"
    yield from pairs(
        [
            ("sender", sender.name),
            ("state", sender.standing),
            ("AE titles", ", ".join(sender.ae_titles)),
            ("addresses", ", ".join(sender.addresses)),
            ("calls us", ", ".join(sender.called_aets)),
            ("first seen", zoned_moment(sender.first)),
            ("last image", zoned_moment(sender.last_image)),
            ("today", f"{plural(sender.images_today, 'image')}, {size(sender.bytes_today)}"),
            ("images", str(sender.images)),
            ("silence", sender.silence),
            ("refused", refused if sender.refused else ""),
            ("contact", sender.contact),
            ("comment", sender.comment),
            ("hours", f"{hours_in_bars(detail.hours)} ({detail.timezone})" if any(detail.hours) else ""),
            ("entry", json.dumps(detail.settings) if detail.settings is not None else "none"),
        ]
    )
    if detail.traits:
        yield ""
        yield from table(["SINCE", "LAST", "TIMES", "NEW", "WHAT"], map(_trait_row, detail.traits), whole=True)


def _trait_row(trait: SenderTrait) -> tuple[str, ...]:
    from appliance.presentation.senders import trait_in_words  # noqa: PLC0415

    new = "new" if trait.new else ""
    return short_moment(trait.first), short_moment(trait.last), str(trait.times), new, trait_in_words(trait)


@senders.command()
@_days
@click.option("--save", is_flag=True, help="Save the entries as a new revision.")
@_comment
@root_option
@json_option("appliance.control.api.senders:ProposedSenders")
def propose(days: int, save: bool, comment: str) -> None:
    """Propose entries for those who have sent in the last days and have none; --save saves them.

    Each AE title at each address becomes an entry of its own. Exit code 1: nothing is proposed.
    """
    from appliance.control import api  # noqa: PLC0415

    with asking() as ask_for:
        found = ask_for(api.senders.PROPOSE, api.senders.ProposeSenders(days=days))
        show(found, lambda: _proposal_lines(found))
        for machine, reason in found.skipped.items():
            narrate(f"no entry for {machine}: {reason}")
        if not found.senders:
            narrate(f"every sender of the last {days} days has an entry")
        elif save:
            request = api.senders.AddProposed(days=days, edited_from=found.revision, comment=comment)
            for line in saved_lines(ask_for(api.senders.ADD_PROPOSED, request)):
                narrate(line)
    end_with(exit_codes.WELL if found.senders else exit_codes.FAILED)


def _proposal_lines(found: ProposedSenders) -> Iterable[str]:
    return json.dumps({"senders": found.senders}, indent=1, ensure_ascii=False).splitlines()


@senders.command()
@_name
@click.option("--into", default="", help="Name of its entry; one that is there gets its AE title and address too.")
@_comment
@root_option
@json_option("appliance.control.api.base:Saved")
def allow(name: str, into: str, comment: str) -> None:
    """Let in a sender that was refused or only learned: its AE title and address become an entry.

    One that is disabled is enabled; one that was refused for the AE title by which it calls may call by it.
    """
    from appliance.control import api  # noqa: PLC0415

    with asking() as ask_for:
        revision = ask_for(api.configuration.SHOW).mercure.revision
        request = api.senders.AllowSender(name=name, into=into, edited_from=revision, comment=comment)
        saved = ask_for(api.senders.ALLOW, request)
    show(saved, lambda: [f"{printable(name)} may send", *saved_lines(saved)])


def _switch(name: str, comment: str, *, enabled: bool) -> None:
    from appliance.control import api  # noqa: PLC0415

    with asking() as ask_for:
        revision = ask_for(api.configuration.SHOW).mercure.revision
        request = api.senders.SwitchSender(name=name, enabled=enabled, edited_from=revision, comment=comment)
        saved = ask_for(api.senders.SWITCH, request)
    word = "enabled" if enabled else "disabled: its associations are rejected from now on"
    show(saved, lambda: [f"{printable(name)} is {word}", *saved_lines(saved)])


@senders.command()
@_name
@_comment
@root_option
@json_option("appliance.control.api.base:Saved")
def disable(name: str, comment: str) -> None:
    """Reject a sender, whatever `receiver.access` says; one without an entry gets one."""
    _switch(name, comment, enabled=False)


@senders.command()
@_name
@_comment
@root_option
@json_option("appliance.control.api.base:Saved")
def enable(name: str, comment: str) -> None:
    """Let a disabled sender in again."""
    _switch(name, comment, enabled=True)


@senders.command()
@_name
@click.option("--port", type=click.IntRange(1, 65535), help="Where it listens; default: see `port` of its entry.")
@root_option
@json_option("appliance.control.api.senders:SenderEcho")
def echo(name: str, port: int | None) -> None:
    """Ask a sender for a C-ECHO at the address that it sends from. Exit code 0: it answered; 1: it did not."""
    from appliance.control import api  # noqa: PLC0415

    answer = ask(api.senders.ECHO, api.senders.EchoSender(name=name, port=port))
    word = "well" if answer.ok else "bad"
    text = f"{answer.sender} ({answer.place}): {word}, {answer.seconds:.2f} s: {answer.text}"
    show(answer, lambda: [printable(text)])
    end_with(exit_codes.WELL if answer.ok else exit_codes.FAILED)


add_entry_commands(senders, "senders", but=("enable", "disable"))
