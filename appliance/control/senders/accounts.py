"""Listing senders: the entries of the configuration joined with what came, by the history."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from appliance.control.alerts.state import Shelf
from appliance.control.api import senders as api
from appliance.control.api.senders import (
    ListSenderLines,
    OneSender,
    SenderCertificate,
    SenderDetail,
    SenderLine,
    SenderLines,
    SenderStanding,
    SenderTrait,
)
from appliance.control.api.traffic import ListRefusals, RefusalRecord
from appliance.control.errors import ControlError, no_such
from appliance.control.history.search import reading
from appliance.control.history.traffic import refusals
from appliance.control.registry import carries_out
from appliance.control.session import Session
from appliance.control.tls.known import ends_and_subject, latest
from mercure.config import Config
from mercure.config.basics import ae_title
from mercure.config.senders import plain_address
from mercure.history.queries import History
from mercure.history.records import SenderVolume, TraitRecord
from mercure.history.rows import MOST_TRAITS
from mercure.history.traffic import Traffic

HABIT_DAYS: Final = 28
LEARNING: Final = timedelta(days=7)
"""What a sender uses within this time after it came first is its habit."""
RECENT: Final = timedelta(days=30)
"""For so long a change of it is shown."""
CHANGING: Final = ("class", "syntax", "implementation", "version")
"""Traits whose change is worth a word, the weightiest first; by which AE title it calls us is its own affair."""

_KINDS: Final = (*CHANGING, "called", "certificate")
_MOST_REFUSALS: Final = 1000
_BLANK: Final = "blank"
_RANK: Final[dict[SenderStanding, int]] = {"refused": 0, "unlisted": 0, "listed": 1, "disabled": 2}


@dataclass
class SenderAccount:
    """What is known of one sender."""

    name: str
    machines: set[tuple[str, str]] = field(default_factory=set)
    """Calling AE title and address of each that came under this name."""
    volumes: list[SenderVolume] = field(default_factory=list)
    traits: list[TraitRecord] = field(default_factory=list)
    refusals: list[RefusalRecord] = field(default_factory=list)

    @property
    def titles(self) -> set[str]:
        """By which AE titles it came."""
        return {title for title, _ in self.machines}

    @property
    def addresses(self) -> set[str]:
        """From where it came."""
        return {address for _, address in self.machines}

    @property
    def called(self) -> set[str]:
        """The AE titles by which it called us."""
        return {trait.value for trait in self.traits if trait.kind == "called"} | {
            refusal.called_aet for refusal in self.refusals if refusal.called_aet
        }

    @property
    def latest(self) -> SenderVolume | TraitRecord | RefusalRecord | None:
        """What came of it last."""
        seen: list[SenderVolume | TraitRecord | RefusalRecord] = [*self.volumes, *self.traits, *self.refusals]
        return max(seen, key=lambda it: it.last, default=None)

    @property
    def last(self) -> datetime | None:
        """When it was last let in."""
        return max([*(it.last for it in self.volumes), *(it.last for it in self.traits)], default=None)


def accounts(session: Session, days: int, limit: int) -> dict[str, SenderAccount]:
    """Collect what is known of each sender, by its name today.

    Raises
    ------
    ControlError
        The history cannot be asked; so for all functions here.
    """
    config, found = session.config, dict[str, SenderAccount]()

    def account(calling_aet: str, address: str) -> SenderAccount:
        name = config.sender_of(calling_aet, address)
        known = found.setdefault(name, SenderAccount(name))
        known.machines.add((ae_title(calling_aet), plain_address(address)))
        return known

    with reading(session, Traffic) as traffic:
        for volume in traffic.volumes(config.name, session.day_begin(), limit):
            account(volume.calling_aet, volume.address).volumes.append(volume)
        for trait in traffic.traits(config.name, MOST_TRAITS):
            account(trait.calling_aet, trait.address).traits.append(trait)
    for refusal in refusals(session, ListRefusals(hours=min(days * 24, 8760), limit=_MOST_REFUSALS)).refusals:
        # Who said no AE title was no DICOM node, or was turned away before it could.
        if refusal.what == "association" and (refusal.calling_aet or _BLANK in refusal.reason):
            account(refusal.calling_aet, refusal.address).refusals.append(refusal)
    for name in config.senders:
        found.setdefault(name, SenderAccount(name))
    return found


def traits_of(traits: Iterable[TraitRecord], now: datetime) -> tuple[SenderTrait, ...]:
    """Join the traits of the machines of one sender, the newest first."""
    known = [trait for trait in traits if trait.kind in _KINDS]
    if not known:
        return ()
    habit = min(trait.first for trait in known) + LEARNING
    joined: dict[tuple[str, str], list[TraitRecord]] = defaultdict(list)
    for trait in known:
        joined[trait.kind, trait.value].append(trait)
    made = []
    for (kind, value), same in joined.items():
        first = min(trait.first for trait in same)
        made.append(
            SenderTrait(
                kind=kind,
                value=value,
                first=first,
                last=max(trait.last for trait in same),
                times=sum(trait.times for trait in same),
                new=kind in CHANGING and first > habit and now - first < RECENT,
            )
        )
    return tuple(sorted(made, key=lambda trait: (-trait.first.timestamp(), _KINDS.index(trait.kind), trait.value)))


def standing(config: Config, name: str) -> SenderStanding:
    """Tell whether a sender may send."""
    sender = config.senders.get(name)
    if sender is not None:
        return "disabled" if sender.disabled else "listed"
    return "refused" if config.receiver.access == "listed" else "unlisted"


def line_of(session: Session, account: SenderAccount, since: datetime, silences: dict[str, str]) -> SenderLine:
    """Make what is shown of a sender; `since`: from when on refusals and images count."""
    config, name = session.config, account.name
    entry = config.senders.get(name)
    volumes, last_refusal = account.volumes, max(account.refusals, key=lambda it: it.last, default=None)
    traits = traits_of(account.traits, session.clock.now())
    last = account.last
    may = standing(config, name)
    return SenderLine(
        name=name,
        standing=may,
        ae_titles=tuple(sorted(account.titles | set(entry.ae_titles if entry else ()))),
        addresses=tuple(sorted(account.addresses | set(entry.addresses if entry else ()))),
        called_aets=tuple(sorted(account.called | set(entry.called_aets if entry else ()))),
        first=min([*(it.first for it in volumes), *(it.first for it in traits)], default=None),
        last=last,
        last_image=max((it.last for it in volumes), default=None),
        images=sum(it.images for it in volumes),
        images_today=sum(it.images_since for it in volumes),
        bytes_today=sum(it.bytes_since for it in volumes),
        silence=next((silences[label] for label in _labels(account) if label in silences), ""),
        refused=sum(it.times for it in account.refusals),
        refused_last=last_refusal.last if last_refusal else None,
        refusal=last_refusal.reason if last_refusal else "",
        would_be_refused=may == "unlisted" and last is not None and last >= since,
        changed=tuple(sorted((it for it in traits if it.new), key=lambda it: CHANGING.index(it.kind))),
        certificate=_certificate(account),
        comment=entry.comment if entry else "",
        contact=entry.contact if entry else "",
    )


def _certificate(account: SenderAccount) -> SenderCertificate | None:
    """Return what it showed last over TLS; of several machines the certificate that ends first."""
    shown = (ends_and_subject(it.value) for it in latest(it for it in account.traits if it.kind == "certificate"))
    known = [SenderCertificate(subject=subject, ends=ends) for ends, subject in shown if ends is not None]
    return min(known, key=lambda it: it.ends, default=None)


def _labels(account: SenderAccount) -> set[str]:
    """Return how alerts name the machines of a sender, and itself."""
    return {account.name} | {f"{volume.calling_aet}@{volume.address}" for volume in account.volumes}


def silences_of(session: Session) -> dict[str, str]:
    """Return the texts of the alerts on silent senders, by what they are about."""
    entries = Shelf(session.spool).read().entries.values()
    raised = (entry.shown for entry in entries if entry.cleared is None)
    return {alert.object: alert.text for alert in raised if alert.kind == "silence"}


@carries_out(api.LIST)
def list_(session: Session, wanted: ListSenderLines) -> SenderLines:
    """List who sends, who may, and who was refused."""
    now, silences = session.clock.now(), silences_of(session)
    since = now - timedelta(days=wanted.days)
    found = accounts(session, wanted.days, wanted.limit)
    lines = sorted(
        (line_of(session, account, since, silences) for account in found.values()),
        key=lambda line: (not line.refused, not line.silence, _RANK[line.standing], line.name),
    )
    config = session.config
    return SenderLines(
        time=now,
        access=config.receiver.access,
        open_to_all=config.is_open_to_all,
        revision=session.loaded.revision,
        days=wanted.days,
        senders=tuple(lines)[: wanted.limit],
        not_kept=_not_kept(session),
        cut=len(lines) > wanted.limit,
    )


def _not_kept(session: Session) -> int:
    with reading(session, Traffic) as traffic:
        return traffic.traits_not_kept(session.config.name)


def find_account(session: Session, name: str, days: int = 14) -> SenderAccount:
    """Find a sender by its name, by ``AE_TITLE@address``, or by an AE title that only one has.

    Raises
    ------
    ControlError
        There is none, or there are several.
    """
    found = accounts(session, days, ListSenderLines().limit)
    title, at, address = name.rpartition("@")
    known = found.get(name) or (found.get(session.config.sender_of(title, address)) if at else None)
    if known is not None:
        return known
    same = [account for account in found.values() if name in account.titles]
    if len(same) == 1:
        return same[0]
    if same:
        names = ", ".join(sorted(account.name for account in same))
        raise ControlError("bad-parameters", f"several senders have the AE title {name!r}", f"name one of {names}")
    raise no_such("sender", name, found, "nobody has sent anything yet")


@carries_out(api.SHOW)
def show(session: Session, wanted: OneSender) -> SenderDetail:
    """Show a sender."""
    now, account = session.clock.now(), find_account(session, wanted.name)
    entry = session.config.senders.get(account.name)
    since = now - timedelta(days=ListSenderLines().days)
    return SenderDetail(
        sender=line_of(session, account, since, silences_of(session)),
        revision=session.loaded.revision,
        settings=None if entry is None else entry.model_dump(mode="json", exclude_defaults=True),
        traits=traits_of(account.traits, now),
        hours=usual_hours(session, account, now),
        timezone=session.config.site.timezone,
    )


def usual_hours(session: Session, account: SenderAccount, now: datetime) -> tuple[float, ...]:
    """Return a sender's images per day in each hour of the day."""
    if not account.volumes:
        return ()
    first = min(volume.first for volume in account.volumes)
    since = max(first, now - timedelta(days=HABIT_DAYS)).replace(minute=0, second=0, microsecond=0)
    with reading(session, History) as history:
        points = history.counters(["images.received"], since, now, step=60, node=session.config.name)
    labels, zone, hours = _labels(account), session.config.site.zone, [0.0] * 24
    for point in points:
        if point.label in labels:
            hours[point.minute.astimezone(zone).hour] += point.value
    days = max(1.0, (now - since) / timedelta(days=1))
    return tuple(count / days for count in hours)
