"""What a person does about senders: enter them, disable them, ask them for an echo."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from datetime import timedelta
from typing import Any, Final

from pydantic import ValidationError

from appliance.control.api import senders as api
from appliance.control.api.base import Saved
from appliance.control.api.senders import (
    AddProposed,
    AllowSender,
    EchoSender,
    ListSenderLines,
    ProposedSenders,
    ProposeSenders,
    SenderEcho,
    SwitchSender,
)
from appliance.control.configuration import edits
from appliance.control.errors import ControlError
from appliance.control.registry import Asked, carries_out, carries_out_for_caller
from appliance.control.senders.accounts import SenderAccount, accounts, find_account
from appliance.control.session import Session
from mercure.config import Sender
from mercure.config.basics import AE_TITLE
from mercure.config.senders import is_address
from mercure.dicom.echo import echo as dicom_echo

DICOM_PORT: Final = 104
"""The port that is registered for DICOM."""


@carries_out(api.PROPOSE)
def propose(session: Session, wanted: ProposeSenders) -> ProposedSenders:
    """Propose entries for those who have sent and have none."""
    since = session.clock.now() - timedelta(days=wanted.days)
    found = accounts(session, wanted.days, ListSenderLines().limit)
    machines = [
        machine
        for account in found.values()
        if account.name not in session.config.senders and account.last is not None and account.last >= since
        for machine in account.machines
    ]
    entries, skipped = proposed(machines, session.config.senders)
    return ProposedSenders(days=wanted.days, revision=session.loaded.revision, senders=entries, skipped=skipped)


@carries_out(api.ADD_PROPOSED)
def add_proposed(session: Session, wanted: AddProposed) -> Saved:
    """Save the proposed entries.

    Raises
    ------
    ControlError
        There are none, or the configuration was changed meanwhile.
    """
    found = propose(session, wanted)
    if not found.senders:
        raise ControlError("invalid", f"nobody without an entry has sent in the last {wanted.days} days")
    return edits.apply(session, "senders.add_proposed", "", edits.with_entries("senders", found.senders), wanted)


@carries_out(api.ALLOW)
def allow(session: Session, wanted: AllowSender) -> Saved:
    """Let a sender in: by an entry, a further AE title and address in one, or without what kept it out.

    Raises
    ------
    ControlError
        There is no such sender, it may send already, or no entry can be made for it.
    """
    account = find_account(session, wanted.name)
    if account.name in session.config.senders:
        return _let_in(session, account, wanted)
    title, address = next(iter(account.machines))
    try:
        new = entry_of(title, address)
    except ValueError as error:
        raise ControlError("invalid", f"{account.name} cannot be entered: {error}", "enter it by hand") from error
    if wanted.into and wanted.into in session.config.senders:
        name, entry = wanted.into, _joined(_entry(session, wanted.into), new)
    else:
        name, entry = wanted.into or entry_name(title, address, session.config.senders), new
    return edits.apply(session, "senders.allow", account.name, edits.with_entries("senders", {name: entry}), wanted)


def _let_in(session: Session, account: SenderAccount, wanted: AllowSender) -> Saved:
    """Take from an entry what keeps its sender out: that it is disabled, or its list of our AE titles."""
    name, entry = account.name, _entry(session, account.name)
    called = entry.get("called_aets")
    missing = account.called - set(called) if called else set()
    if not entry.get("disabled") and not missing:
        advice = "`mercure senders show` says why it was refused"
        raise ControlError("invalid", f"the sender {name} may send already", advice)
    changed = {key: value for key, value in entry.items() if key != "disabled"}
    if called:
        changed["called_aets"] = [*called, *sorted(missing)]
    return edits.apply(session, "senders.allow", name, edits.with_entries("senders", {name: changed}), wanted)


def _entry(session: Session, name: str) -> Entry:
    return session.config.senders[name].model_dump(mode="json", exclude_defaults=True)


def _joined(entry: Entry, new: Entry) -> Entry:
    """Add AE titles and addresses to an entry; what it takes any of already stays so."""
    more: Entry = {
        key: [*entry[key], *(each for each in new[key] if each not in entry[key])]
        for key in ("ae_titles", "addresses")
        if key in entry and key in new
    }
    return {**entry, **more}


@carries_out(api.SWITCH)
def switch(session: Session, wanted: SwitchSender) -> Saved:
    """Disable or enable a sender; one without an entry gets one, disabled.

    Raises
    ------
    ControlError
        There is no such sender.
    """
    name = wanted.name
    if name not in session.config.senders:
        account = find_account(session, name)
        name = account.name
    verb = "senders.switch"
    if name in session.config.senders:
        return edits.apply(session, verb, name, edits.switched("senders", name, on=wanted.enabled), wanted)
    if wanted.enabled:
        raise ControlError("invalid", f"{name} has no entry that is disabled", "`mercure senders allow` enters it")
    title, _, address = name.rpartition("@")
    try:
        entry = {**entry_of(title, address), "disabled": True}
    except ValueError as error:
        raise ControlError("invalid", f"{name} cannot be entered: {error}", "enter it by hand") from error
    new = entry_name(title, address, session.config.senders)
    return edits.apply(session, verb, name, edits.with_entries("senders", {new: entry}), wanted)


@carries_out_for_caller(api.ECHO)
def echo(asked: Asked, wanted: EchoSender) -> SenderEcho:
    """Ask a sender for a C-ECHO at the address that it sends from; at another port than the known one for admins.

    Raises
    ------
    ControlError
        There is no such sender, it has no single address, or the caller may not choose the port.
    """
    session = asked.session
    account = find_account(session, wanted.name)
    latest = account.latest
    entry = session.config.senders.get(account.name)
    host = latest.address if latest else next(filter(is_address, entry.addresses if entry else ()), "")
    if not host:
        raise ControlError("invalid", f"nothing has come from {account.name}, and no address of it is known")
    title = latest.calling_aet if latest else next(iter(entry.ae_titles if entry else ()), "")
    known = (entry.port if entry else None) or _listens_on(session, host)
    port = wanted.port or known
    if port != known:
        asked.require("admin", f"an echo at port {port}, where {account.name} is not known to listen")
    found = dicom_echo(host, port, called_aet=title or "ANY-SCP", calling_aet=session.config.receiver.ae_title)
    text = found.text + (f": {found.advice}" if found.advice else "")
    return SenderEcho(sender=account.name, ok=found.ok, host=host, port=port, text=text, seconds=found.seconds)


def _listens_on(session: Session, host: str) -> int:
    """Return the port of a target at an address; without one, that of DICOM."""
    nodes = (settings.node() for settings in session.config.targets.values())
    return next((node[1] for node in nodes if node and node[0] == host), DICOM_PORT)


Entry = dict[str, Any]

_UNUSUAL: Final = re.compile(r"[^a-z0-9_.-]+")
_MOST_CHARS: Final = 56  # of the 64 of a name: a number comes behind


def entry_name(title: str, address: str, taken: Collection[str]) -> str:
    """Make the name of an entry: of the AE title, else of the address; a number tells two of a name apart."""
    words = (_UNUSUAL.sub("-", text.lower()).strip("-_.")[:_MOST_CHARS] for text in (title, address))
    name = next(filter(None, words), "sender")
    return next(each for each in (name, *(f"{name}-{number}" for number in range(2, 10_000))) if each not in taken)


def entry_of(title: str, address: str) -> Entry:
    """Make the entry that stands for an AE title at an address.

    Raises
    ------
    ValueError
        There can be none.
    """
    entry: Entry = {}
    if title.strip() and AE_TITLE.fullmatch(title):
        entry["ae_titles"] = [title]
    if is_address(address):
        entry["addresses"] = [address]
    if "ae_titles" not in entry:
        shown = f"the AE title {title!r} is none of DICOM" if title.strip() else "the AE title is blank"
        entry["comment"] = f"{shown}: known by its address"
    try:
        Sender.model_validate(entry)
    except ValidationError as error:
        raise ValueError("it has neither an AE title of DICOM nor an address that can be entered") from error
    return entry


def proposed(machines: Iterable[tuple[str, str]], taken: Collection[str]) -> tuple[dict[str, Entry], dict[str, str]]:
    """Make entries for machines.

    Each AE title at each address becomes an entry of its own, as it counts as a sender of its own today: what is
    decided for each stays as it is. Whether two are one machine, only a person knows.

    Parameters
    ----------
    machines : iterable of (AE title, address)
        That have no entry.
    taken : collection of str
        Names that there are.

    Returns
    -------
    tuple
        The entries, and why there is none for some (``AE_TITLE@address``).
    """
    entries: dict[str, Entry] = {}
    skipped: dict[str, str] = {}
    ordered = sorted(set(machines))
    # An address without a title would be the sender of all others there, too.
    titled = {address for title, address in ordered if "ae_titles" in _try(title, address)}
    for title, address in ordered:
        entry = _try(title, address)
        if not entry:
            skipped[f"{title}@{address}"] = "it has neither an AE title of DICOM nor an address"
        elif "ae_titles" not in entry and address in titled:
            skipped[f"{title}@{address}"] = "its AE title is none of DICOM, and others send from its address"
        elif entry not in entries.values():
            entries[entry_name(title, address, {*taken, *entries})] = entry
    return entries, skipped


def _try(title: str, address: str) -> Entry:
    try:
        return entry_of(title, address)
    except ValueError:
        return {}
