"""Proposals for the table `senders`: entries for machines that have none."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import Any, Final

from pydantic import ValidationError

from mercure.config import Sender
from mercure.config.basics import AE_TITLE
from mercure.config.senders import is_address

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
