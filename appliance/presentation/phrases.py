"""Numbers and names in words, for all faces: alerts, the status page, the terminal UI, the command line."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from appliance.presentation.figures import percent, process_figures, seconds, size
from mercure.dicom.uids import registry, uid_name

if TYPE_CHECKING:
    from appliance.control.api.services import ProcessState
    from appliance.control.api.status import DiskTraffic, MachineState, NetworkTraffic
    from appliance.control.api.targets import Proposal
    from appliance.control.api.traffic import RefusalRecord, TargetDelays
    from mercure.dicom.capabilities import Capabilities
    from mercure.spool.task import Converted

_COLUMNS: Final = "123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
"""The columns of a matrix: one character each, so that all fit on a terminal."""

_NAMED: Final = 3
"""So many SOP classes of a row are named."""

LOCAL_ONLY: Final = "from this machine alone: set `receiver.bind` to 0.0.0.0, or give --bind the first time"
ANYBODY_SENDS: Final = "Anybody may send from anywhere until receiver.access is 'listed' (:senders)"
OPEN_TO_ALL: Final = "from anybody, from anywhere: `receiver.access` in the configuration makes a list of senders count"


def count(number: float) -> str:
    """Write a whole number, with a narrow gap between the thousands."""
    return f"{number:,.0f}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def plural(number: int, word: str, words: str = "") -> str:
    """Write a number with its word: ``1 task``, ``2 tasks``, ``2 series`` (by `words`)."""
    return f"{count(number)} {word if number == 1 else words or word + 's'}"


def named_uid(uid: str) -> str:
    """Write what a UID of the standard stands for; any other one as it is."""
    name = uid_name(uid)
    return name if name == uid or not uid else f"{name} ({uid})"


def when_it_counts(restart: Sequence[str], renews: Sequence[str]) -> Iterator[str]:
    """Say when a change of settings counts.

    Parameters
    ----------
    restart : sequence of str
        Services that a person must restart for it; one name, or none in an empty text, counts as well.
    renews : sequence of str
        Services that restart by themselves.
    """
    for service in _names(renews):
        yield f"counts within seconds: the {service} ends what it has begun, and restarts by itself"
    for service in _names(restart):
        how = "the router" if service == "all services" else f"the {service}: `mercure service restart {service}`"
        yield f"counts after a restart of {how}"
    if not _names(restart) and not _names(renews):
        yield "counts now"


def _names(names: Sequence[str]) -> Sequence[str]:
    return [names] if isinstance(names, str) and names else names


def conversions_in_words(confirmed: int, converted: Sequence[Converted]) -> str:
    """Say in which form the confirmed images of an attempt went; empty where all went as they were received."""
    parts = [_conversion_in_words(item) for item in converted]
    if not parts:
        return ""
    unchanged = confirmed - sum(item.images for item in converted)
    return ", ".join([f"{unchanged} as received", *parts] if unchanged else parts)


def _conversion_in_words(item: Converted) -> str:
    how = f"{uid_name(item.from_syntax)} → {uid_name(item.to_syntax)}"
    if item.from_syntax == item.to_syntax:
        how = "as received"
    return f"{item.images} {how}" + (f" (not as {item.passed_over})" if item.passed_over else "")


def capabilities_in_words(known: Capabilities) -> Iterator[tuple[str, str]]:
    """Say what a node is and how it answers: what is told, and the text."""
    yield "node", f"{known.node.partition(':')[2]}, asked as {known.calling_aet}"
    yield "implementation", " ".join(filter(None, (known.implementation_version, known.implementation)))
    yield "longest PDU", f"{count(known.max_pdu)} bytes" if known.max_pdu else "any"
    yield "echo", known.echo if known.echo != "answered" else f"answered in {_milliseconds(known.echo_seconds)}"
    slowest = (
        f"in {_milliseconds(known.seconds)}, the slowest of {known.requests} in {_milliseconds(known.slowest_seconds)}"
    )
    yield "associations", f"answered {slowest}"
    if known.at_once is not None:
        at_once = known.at_once
        yield "at once", f"{at_once.accepted} of {at_once.asked}{f': {at_once.text}' if at_once.text else ''}"
    yield "SOP classes", f"{len(known.classes)} of {len(known.asked_classes)} taken"
    for sop_class, kept in known.needed.items():
        text = _need_in_words(sop_class, kept, known.classes.get(sop_class, ()))
        if text:
            yield "in its tasks", text


def _need_in_words(sop_class: str, kept: Sequence[str], taken: Sequence[str]) -> str:
    """Say whether a node takes what is to go there; nothing of a class of the standard that it takes as it is kept."""
    others = [uid_name(syntax) for syntax in kept if syntax not in taken]
    if not taken:
        return f"{uid_name(sop_class)}: not taken"
    if others:
        return f"{uid_name(sop_class)}: taken, and not in {' and '.join(others)}, in which it is kept"
    return "" if sop_class in registry() else f"{uid_name(sop_class)}: taken as it is kept"


def refusal_in_words(record: RefusalRecord) -> tuple[str, str, str]:
    """Say who was refused what while an association began, and why."""
    about = ", ".join(uid_name(uid) for uid in (record.abstract_syntax, record.transfer_syntax) if uid)
    held = ", ".join(f"{address} has {places}" for address, places in (record.held or {}).items())
    sender = f"{record.calling_aet}@{record.address}" if record.calling_aet else record.address
    reason = f"{record.reason} ({held})" if held else record.reason
    return sender, f"{record.what}: {about}" if about else record.what, reason


def proposal_in_words(proposal: Proposal) -> str:
    """Say which setting would suit a node better, and why."""
    now, proposed = (
        ", ".join(uid_name(str(each)) for each in it) if isinstance(it, list) else str(it)
        for it in (proposal.now, proposal.proposed)
    )
    return f"{proposal.setting}: {proposed} instead of {now}: {proposal.reason}"


def taken_in_words(process: ProcessState) -> str:
    """Say what a process takes, and how often it ended unasked."""
    processor, memory, files = process_figures(process.figures)
    return ", ".join(
        part
        for part in (
            f"{processor} of a processor" if processor else "",
            f"{memory} of memory" if memory else "",
            f"{files} files open" if files else "",
            plural(process.restarts, "restart"),
        )
        if part
    )


def machine_in_words(machine: MachineState) -> str:
    """Say how busy the machine is: processors, memory, network, disk; errors of the network where there were any."""
    used = machine.memory_bytes - machine.memory_available_bytes
    parts = [
        f"load {machine.load[0]:g} on {plural(machine.processors, 'processor')}",
        f"memory {size(used)} of {size(machine.memory_bytes)}",
        *(network_in_words(network) for network in machine.networks),
        disk_in_words(machine.disk),
    ]
    return "; ".join(part for part in parts if part)


def delays_in_words(delays: TargetDelays) -> str:
    """Say how long deliveries took: from the last image, and of that waiting and sending."""
    parts = (("", delays.whole), ("waiting ", delays.waiting), ("sending ", delays.sending))
    return " · ".join(f"{name}p50 {seconds(it.p50)}, p95 {seconds(it.p95)}" for name, it in parts)


def disk_in_words(disk: DiskTraffic | None) -> str:
    """Say what a disk reads and writes now; empty where it is not known yet."""
    if disk is None or disk.read_per_second is None:
        return ""
    read, written = size(disk.read_per_second), size(disk.written_per_second or 0.0)
    return f"{disk.device} {read}/s read, {written}/s written, {percent(disk.busy)} busy"


def network_in_words(network: NetworkTraffic) -> str:
    """Say what goes through a network interface now; empty where it is not known yet and nothing is wrong."""
    parts = []
    if network.received_per_second is not None:
        parts.append(f"{size(network.received_per_second)}/s in, {size(network.sent_per_second or 0.0)}/s out")
    if network.errors:
        parts.append(plural(network.errors, "error"))
    return f"{network.interface} {', '.join(parts)}" if parts else ""


def _milliseconds(seconds: float) -> str:
    return f"{count(1000 * seconds)} ms"


def matrix_of(known: Capabilities, columns: int) -> Iterator[str]:
    """Draw what a node takes, SOP classes by transfer syntaxes, as lines of so many columns.

    Rows that are equal are one row, and columns that are equal one column; what nobody takes has none.
    """
    taken = known.classes
    syntaxes: dict[frozenset[str], list[str]] = {}
    for syntax in known.asked_syntaxes:
        syntaxes.setdefault(frozenset(it for it in taken if syntax in taken[it]), []).append(uid_name(syntax))
    syntaxes.pop(frozenset(), None)
    rows: dict[str, list[str]] = {}
    for sop_class in known.asked_classes:
        marks = "".join("x" if sop_class in classes else "-" for classes in syntaxes)
        rows.setdefault(marks, []).append(uid_name(sop_class))
    if not syntaxes:
        return
    yield f"{_COLUMNS[: len(syntaxes)]}  SOP class"
    for marks, names in rows.items():
        yield from hanging(f"{marks}  ", _named(names), columns)
    yield ""
    for key, names in zip(_COLUMNS, syntaxes.values(), strict=False):
        yield from hanging(f"{key}  ", ", ".join(names), columns)


def _named(names: Sequence[str]) -> str:
    """Name some, and say how many more there are."""
    first = ", ".join(names[:_NAMED])
    return f"{first} and {count(len(names) - _NAMED)} more" if len(names) > _NAMED else first


def hanging(head: str, text: str, columns: int) -> list[str]:
    """Write a text behind its head, and the further lines of it below its beginning."""
    return textwrap.wrap(text, columns, initial_indent=head, subsequent_indent=" " * len(head))
