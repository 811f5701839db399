"""Write ``docs/conformance.md``, the DICOM conformance statement, from the tables in the code: ``make docs``.

Its form is that of PS3.2 annex A. What the programs in C++ do is read from the tables that they are compiled with, and
settings from their models. A test fails when the page is behind, and others hold real associations against it.
"""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from pydantic import BaseModel

from mercure.config.models import Receiver, Retry
from mercure.dicom.receipt import CREATOR_UID
from mercure.dicom.uids import registry, uid_name
from mercure.targets import DicomSettings

_PROJECT: Final = Path(__file__).resolve().parents[1]
PAGE: Final = _PROJECT / "docs" / "conformance.md"
_SOURCES: Final = _PROJECT / "getdcmtags" / "src"
VERIFICATION: Final = "1.2.840.10008.1.1"
NATIVE: Final = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1")
"""Implicit and Explicit VR Little Endian, which stand in the code by their names."""

_UID: Final = r'"([0-9][0-9.]+)"'


def found_in(file: str, pattern: str, table: str = "") -> list[tuple[str, ...]]:
    """Return what a pattern finds in a file of the C++ programs, its groups for each place.

    Parameters
    ----------
    file : str
        Below ``getdcmtags/src``.
    pattern : str
        A regular expression.
    table : str, optional
        Only in the table of this name.

    Raises
    ------
    ValueError
        There is nothing: the table has another form or place now.
    """
    text = (_SOURCES / file).read_text(encoding="utf-8")
    body = re.search(rf"\b{table}\b[^;]*?\{{(.*?)\n}}+;", text, re.DOTALL) if table else None
    found = re.findall(pattern, body.group(1) if body else "" if table else text)
    if not found:
        raise ValueError(f"nothing in {table or 'it'} of {file} looks like {pattern!r}: has it another form now?")
    return [each if isinstance(each, tuple) else (each,) for each in found]


def refused_services() -> list[str]:
    """Return the services whose abstract syntaxes are refused, each with all that is below it."""
    return [uid for (uid,) in found_in("receive/sop_classes.cc", _UID, "kOtherServices")]


def stored_classes() -> list[str]:
    """Return the SOP classes of the standard that are accepted for storage, in its order."""
    refused = refused_services()
    return [
        uid
        for uid, entry in registry().items()
        if entry.kind == "SOP Class"
        and uid != VERIFICATION
        and not any(uid == other or uid.startswith(f"{other}.") for other in refused)
    ]


def ranks() -> dict[str, str]:
    """Return which syntax of several is accepted: ``Compressed`` before ``Uncompressed`` before ``Other``, by UID."""
    return {uid: rank for uid, rank in found_in("receive/transfer_syntaxes.cc", rf"\{{{_UID}, k(\w+)}}", "kRanks")}


def uncompressed() -> list[str]:
    """Return the transfer syntaxes without compression from which images are converted."""
    return [*NATIVE, *(uid for (uid,) in found_in("convert/native_syntax.cc", rf"\{{{_UID}", "kSyntaxes"))]


def decoded() -> list[str]:
    """Return the compressed transfer syntaxes from which images are converted."""
    return [uid for (uid,) in found_in("convert/compressed_syntax.cc", rf"\{{{_UID}", "kSyntaxes")]


def encoded() -> list[str]:
    """Return the compressed transfer syntaxes into which images are converted where the settings name them."""
    row = rf"\{{{_UID}, [\w:]+, true"
    return [uid for (uid,) in found_in("convert/compressed_syntax.cc", row, "kSyntaxes")]


def answered() -> dict[str, str]:
    """Return the statuses of the receiver's answers, by their names in the code."""
    return {name: number for name, number in found_in("receive/statuses.h", r"k(\w+) = (0x[0-9A-F]{4});")}


def understood() -> list[tuple[str, ...]]:
    """Return what the sender makes of statuses: first and last of a range, outcome, meaning. The first that fits."""
    row = r'\{(0x[0-9A-F]{4}), (0x[0-9A-F]{4}), \{Outcome::(\w+), "([^"]*)"'
    return found_in("storescu/outcome.cc", row, "kStatuses")


def character_sets() -> list[str]:
    """Return the defined terms of the character sets that are read, without the prefix of the standard."""
    return list(dict.fromkeys(term for (term,) in found_in("tags/character_set.cc", r'\{"(\w+)", "', "kCodeSets")))


def implementation() -> tuple[str, str]:
    """Return implementation class UID and version name."""
    ((uid,),) = found_in("receipt.h", r'kImplementationClassUid\[\] = "([^"]+)"')
    ((version,),) = found_in("receipt.h", r'kImplementationVersion\[\] = "([^"]+)"')
    return uid, version


_STATUS_MEANINGS: Final = {
    "Success": "the image, its sender and its digest are on stable storage",
    "DataSetDoesNotMatch": "a warning: stored by the UIDs of the data set; those of the command differ",
    "OutOfResources": "refused: the disk is fuller than `min_free_bytes` allows, the object is too large, or a quota "
    "of the sender is used up",
    "CannotUnderstand": "error: no data set, or one that cannot be read; it is kept in the quarantine",
    "ProcessingFailure": "error: the disk refuses",
    "SopClassNotSupported": "a C-STORE over a presentation context that was not accepted for storage",
    "UnrecognizedOperation": "any other operation",
}
"""Of the receiver's statuses, in the order of the page."""

_REJECTIONS: Final = (
    ("1", "1", "2", "the application context is not that of DICOM"),
    ("1", "1", "7", "the called AE title is none of ours (`ae_title`, `called_aets`; any where none is listed)"),
    ("1", "1", "3", "`receiver.access` is `listed`, and the sender is none of `senders`; or it is disabled there"),
    ("2", "3", "1", "the spool cannot be written"),
    (
        "2",
        "3",
        "2",
        "as many associations as `max_associations` or `max_associations_per_sender` allow, or the sender's quota",
    ),
)
"""Result, source and reason of an A-ASSOCIATE-RJ (PS3.8 table 9-21), and when."""

_BY_CODE_EXTENSION: Final = ("87", "159", "149", "58")
"""Character sets that the standard has with code extensions alone."""

_COLUMNS: Final = 118


def _names(uids: Iterable[str]) -> str:
    return ", ".join(uid_name(uid) for uid in uids)


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"| {' | '.join('---' for _ in head)} |"
    for row in rows:
        yield f"| {' | '.join(str(cell) for cell in row)} |"
    yield ""


def _settings(model: type[BaseModel], names: Sequence[str], where: str) -> Iterator[tuple[str, str]]:
    for name in names:
        yield f"`{where}.{name}`", str(model.model_fields[name].default)


def page() -> str:
    """Return the page of now."""
    parts = (_introduction(), _model(), _receiver(), _sender(), _communication(), _rest())
    lines = [line for part in parts for text in part for line in _wrapped(text)]
    return "\n".join(lines).rstrip() + "\n"


def _wrapped(line: str) -> list[str]:
    """Break a line of prose; a row of a table is one line however long."""
    return [line] if line.startswith("|") or not line else textwrap.wrap(line, _COLUMNS, break_on_hyphens=False)


def _introduction() -> Iterator[str]:
    uid, version = implementation()
    yield from (
        "# DICOM conformance statement",
        "",
        "Made by `make docs` (`tools/conformance_page.py`) from the tables in the code, in the form of PS3.2",
        "annex A. Real associations are held against it by `tests/integration/test_conformance.py`.",
        "",
        "## 1 Overview",
        "",
        "The router receives composite objects from any number of senders, decides by rules where they belong,",
        "and sends them to one or many nodes. It stores nothing for good, answers no query, and makes no objects",
        "of its own but test images that a person asks for. What a processing module makes is sent like what was",
        "received.",
        "",
    )
    yield from _table(
        ("network service", "user (SCU)", "provider (SCP)"),
        (
            ("Verification", "yes", "yes"),
            ("Storage, every storage SOP class of the standard and private ones", "yes", "yes"),
        ),
    )
    yield "No media interchange, no query/retrieve, no storage commitment, no worklist, no print, no DICOMweb."
    yield ""
    yield from _table(
        ("identification", "value"),
        (
            ("Implementation class UID", f"`{uid}`"),
            ("Implementation version name", f"`{version}`"),
            ("Application context name", "`1.2.840.10008.3.1.1.1`"),
        ),
    )


def _model() -> Iterator[str]:
    yield from (
        "## 2 Implementation model",
        "",
        "```text",
        " sender ──association──► RECEIVER ─► spool ─► rules ─► SENDER ──association──► target",
        "                        (SCP)        (disk)            (SCU)",
        "```",
        "",
        "RECEIVER and SENDER are application entities of one device; AE titles are configured, each target may be",
        "called by another one. A received object is sent by itself, later, over another association: the two",
        "never wait for each other. An object is acknowledged when it is on stable storage; it is sent until the",
        "target has confirmed it, or a person decides ([reliability](reliability.md)).",
        "",
    )


def _receiver() -> Iterator[str]:
    order = ranks()
    yield from (
        "## 3 RECEIVER",
        "",
        "### 3.1 SOP classes",
        "",
        "As SCP: Verification, and Storage. Accepted is every abstract syntax that is no other service of the",
        "standard: all of the list in [the annex](#7-annex-storage-sop-classes), classes newer than this program,",
        "and private ones. `receiver.sop_classes` can restrict that. Storage is of level 2 (full): all attributes",
        "are kept, private ones too, bit by bit. Nothing is coerced, and no digital signature is lost.",
        "",
        "### 3.2 Association policies",
        "",
    )
    names = ("max_associations", "max_associations_per_sender", "max_pdu", "max_object_bytes")
    times = ("acse_timeout_seconds", "idle_timeout_seconds", "max_association_seconds", "stop_timeout_seconds")
    yield from _table(("setting", "default"), _settings(Receiver, (*names, *times), "receiver"))
    yield from (
        "Asynchronous operations, role selection, extended negotiation of SOP classes and user identity are",
        "passed over: one operation at a time, in the default roles. No association is initiated.",
        "",
        "### 3.3 Presentation contexts",
        "",
        "Of a context with one transfer syntax that one is accepted, whatever it is. Of several one is accepted:",
        "a compressed one before one without compression before others, because the sender then most likely need",
        "not convert; within these the sender's order decides.",
        "So it is by default (`receiver.transfer_syntaxes`: `as-the-sender-holds-it`). `uncompressed`, for all or",
        "for one sender (`senders.NAME.transfer_syntaxes`), prefers Explicit and Implicit VR Little Endian, then",
        "other forms without compression; a sender that showed that it cannot send what was accepted gets that by",
        "itself.",
        "",
        "A row stands for all UIDs below it that no other row names.",
        "",
    )
    yield from _table(
        ("transfer syntaxes", "rank"),
        [(f"`{uid}` {uid_name(uid) if uid in registry() else ''}".strip(), rank.lower()) for uid, rank in order.items()]
        + [(f"`{NATIVE[0]}` {uid_name(NATIVE[0])}", "uncompressed"), ("all others", "other")],
    )
    yield "An abstract syntax that is not accepted is answered by 3 (abstract syntax not supported)."
    yield ""
    yield "### 3.4 Answers"
    yield ""
    numbers = answered()
    yield from _table(
        ("C-STORE status", "when"), [(f"`{numbers[name]}`", text) for name, text in _STATUS_MEANINGS.items()]
    )
    yield from _table(("result", "source", "reason", "an association is rejected when"), _REJECTIONS)
    yield "A PDU or message that breaks the protocol is answered by A-ABORT."
    yield ""


def _sender() -> Iterator[str]:
    yield from (
        "## 4 SENDER",
        "",
        "### 4.1 SOP classes",
        "",
        "As SCU: Verification (when a person asks, and to find out whether a target is back), and Storage of",
        "whatever was received or made by a module. What a node takes is also asked by negotiations without a",
        "message, when a person wants it ([probe](reference/targets.md#what-a-node-takes)).",
        "",
        "### 4.2 Association policies",
        "",
    )
    names = ("associations", "concurrency", "max_pdu", "connect_timeout_seconds", "acse_timeout_seconds")
    others = ("dimse_timeout_seconds", "timeout_seconds")
    yield from _table(("setting of a target", "default"), _settings(DicomSettings, (*names, *others), "targets.NAME"))
    yield from _table(
        ("setting of a target", "default"), _settings(Retry, tuple(Retry.model_fields), "targets.NAME.retry")
    )
    yield from (
        "`concurrency` tasks with `associations` each are sent at once. No asynchronous operations, no role",
        "selection, no extended negotiation. No association is accepted.",
        "",
        "### 4.3 Presentation contexts",
        "",
        "For each pair of SOP class and transfer syntax one context with that one syntax; more than 128 go over",
        "several associations. What is proposed for an object depends on the form in which it was received, and",
        "on `transfer_syntaxes` of the target:",
        "",
    )
    native, either = uncompressed(), f"{_names(reversed(NATIVE))}"
    yield from _table(
        ("received in", "proposed by `as-needed` (default)"),
        [
            (_names(native), f"itself, {either}"),
            (_names(decoded()), f"itself, {either}"),
            ("all others (video, JPIP, private)", "itself"),
        ],
    )
    yield from (
        "`as-received` proposes itself alone; `uncompressed` leaves a compressed form out; a list of UIDs",
        f"replaces it, and may name for compression without loss: {_names(encoded())}. Conversions keep every",
        "pixel of what is decoded, and the SOP Instance UID; what was received in the form that goes out goes bit",
        "by bit.",
        "",
        "### 4.4 Statuses",
        "",
        "The first row that fits counts. *confirmed* and *warning*: the target has the object. *refused* and",
        "*failed*: it has not, and is sent again until it has, or a person decides; which statuses speak of",
        "the object and which of the target is told in [targets](reference/targets.md#whose-trouble-it-is).",
        "",
    )
    yield from _table(
        ("C-STORE status", "outcome", "meaning"),
        [
            (f"`{first}`" if first == last else f"`{first}` to `{last}`", outcome, text or "success")
            for first, last, outcome, text in understood()
        ],
    )


def _communication() -> Iterator[str]:
    yield from (
        "## 5 Communication and configuration",
        "",
        "TCP/IP over IPv4 and IPv6, names by the resolver of the host; one with addresses of both is reached over",
        "IPv4. The receiver listens on",
        f"`receiver.port` (default {Receiver.model_fields['port'].default}; the playbook lets in 104 and 11112) of",
        "`receiver.bind`. AE titles, addresses, ports, time limits, access by calling and called AE title and by",
        "address are configured ([configuration](reference/configuration.md)).",
        "",
        "From the addresses in `receiver.proxies` each connection begins with a header of the PROXY protocol, version",
        "2, before TLS; the address in it is the sender's. Otherwise that protocol is not spoken.",
        "",
        "The receiver speaks TLS on `receiver.tls_port` (2762) by choice, and",
        "targets are reached over TLS by choice: TLS 1.3, or TLS 1.2 with ECDHE and AES-GCM or ChaCha20-Poly1305, as",
        "the BCP 195 TLS profiles (PS3.15 annex B) ask; certificates of both sides, names by RFC 9525. No",
        "compression, renegotiation or resumption ([targets](reference/targets.md)).",
        "",
    )


def _rest() -> Iterator[str]:
    terms = [
        term if not term.isdigit() else f"ISO 2022 IR {term}" if term in _BY_CODE_EXTENSION else f"ISO_IR {term}"
        for term in character_sets()
    ]
    yield from (
        "## 6 Character sets",
        "",
        "Objects are passed on in the character set in which they came. For rules, screens and the history these",
        "are read, with code extensions where the standard has them; what cannot be read is marked:",
        "",
        f"{', '.join(terms)}.",
        "",
        "## 7 Annex: storage SOP classes",
        "",
    )
    classes = registry()
    yield from _table(
        ("SOP class", "UID"),
        [(f"{uid_name(uid)}{' (retired)' if classes[uid].retired else ''}", f"`{uid}`") for uid in stored_classes()],
    )


if __name__ == "__main__":
    if implementation()[0] != CREATOR_UID:
        raise SystemExit("Python and C++ know different implementation class UIDs")
    PAGE.write_text(page(), encoding="utf-8")
    sys.exit(0)
