"""Settings that would suit a node better, by what it said that it takes: pure, and nothing is changed by them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from appliance.control.api.targets import Proposal
from appliance.presentation.phrases import plural
from mercure.dicom.association import EXPLICIT_LITTLE, IMPLICIT_LITTLE
from mercure.dicom.capabilities import Capabilities
from mercure.dicom.uids import uid_name
from mercure.targets import DicomSettings

UNCOMPRESSED: Final = (EXPLICIT_LITTLE, IMPLICIT_LITTLE)
"""In these every image can be had that can be converted at all."""

COMPRESSED: Final = (
    "1.2.840.10008.1.2.4.80",
    "1.2.840.10008.1.2.4.90",
    "1.2.840.10008.1.2.4.201",
    "1.2.840.10008.1.2.5",
)
"""Into these images are compressed, without loss, where a target's settings name them."""

_ROOM: Final = 3
"""A time limit is so many times as long as the slowest answer that was seen."""


def proposals(settings: DicomSettings, known: Capabilities) -> tuple[Proposal, ...]:
    """Return what could be set otherwise, and why."""
    return tuple(proposal for rule in _RULES for proposal in rule(settings, known))


def _transfer_syntaxes(settings: DicomSettings, known: Capabilities) -> Iterator[Proposal]:
    """Have images converted where, as it is set now, the node would refuse them."""
    now = settings.transfer_syntaxes
    stuck = {it: taken for it, taken in known.classes.items() if not _gets_through(now, taken, known)}
    choices = (_as_needed(stuck), _compressed(stuck, known))
    for proposed, classes, why in choices:
        if classes and proposed != now:
            which = f"{plural(len(classes), 'SOP class', 'SOP classes')} ({uid_name(classes[0])} …)"
            reason = f"of {which} it does not take every image in the form in which it would go; {why}"
            yield Proposal(setting="transfer_syntaxes", now=list(now), proposed=list(proposed), reason=reason)
            return


_Choice = tuple[tuple[str, ...], list[str], str]
"""A value for the setting, the classes that it helps, and how it does."""


def _as_needed(stuck: Mapping[str, tuple[str, ...]]) -> _Choice:
    helped = [it for it, taken in stuck.items() if any(syntax in taken for syntax in UNCOMPRESSED)]
    return ("as-needed",), helped, "then it is converted without loss"


def _compressed(stuck: Mapping[str, tuple[str, ...]], known: Capabilities) -> _Choice:
    """Name all that it takes: what goes as it is before what can be made, or images would be made that need not be."""
    helped = [it for it, taken in stuck.items() if any(syntax in taken for syntax in COMPRESSED)]
    everything = {syntax for taken in known.classes.values() for syntax in taken}
    made = (*COMPRESSED, *UNCOMPRESSED)
    value = [it for it in known.asked_syntaxes if it in everything and it not in made]
    return (*value, *(it for it in made if it in everything)), helped, "then it is compressed without loss"


def _gets_through(now: tuple[str, ...], taken: tuple[str, ...], known: Capabilities) -> bool:
    """Tell whether an image of a class goes, whatever it is kept in."""
    if now == ("as-received",):
        return set(known.asked_syntaxes) <= set(taken)
    made = UNCOMPRESSED if now in (("as-needed",), ("uncompressed",)) else (*COMPRESSED, *UNCOMPRESSED)
    return any(syntax in taken and (made is UNCOMPRESSED or syntax in now) for syntax in made)


def _associations(settings: DicomSettings, known: Capabilities) -> Iterator[Proposal]:
    """Open no more associations at once than it has."""
    at_once = known.at_once
    if at_once is None or not at_once.text or settings.concurrency * settings.associations <= max(1, at_once.accepted):
        return
    limit = max(1, at_once.accepted)
    concurrency = min(settings.concurrency, limit)
    reason = f"it has {plural(limit, 'association')} at once, and {settings.concurrency} tasks with "
    reason += f"{plural(settings.associations, 'association')} each are set"
    wanted = {"concurrency": concurrency, "associations": limit // concurrency}
    for setting, proposed in wanted.items():
        now = getattr(settings, setting)
        if proposed < now:
            yield Proposal(setting=setting, now=now, proposed=proposed, reason=reason)


def _patience(settings: DicomSettings, known: Capabilities) -> Iterator[Proposal]:
    """Wait longer for a node that answers slowly."""
    wanted = math.ceil(_ROOM * known.slowest_seconds)
    now = settings.acse_timeout_seconds
    if wanted > now:
        reason = f"an answer took {known.slowest_seconds:.1f} s"
        yield Proposal(setting="acse_timeout_seconds", now=now, proposed=wanted, reason=reason)


_RULES: Final[tuple[Callable[[DicomSettings, Capabilities], Iterator[Proposal]], ...]] = (
    _transfer_syntaxes,
    _associations,
    _patience,
)
