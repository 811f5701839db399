"""Sending files by C-STORE: to this router, as a scanner does, or to a target."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from appliance.control.errors import ControlError
from appliance.control.session import Session
from appliance.control.targets.targets import find_target
from mercure.config.tls import TargetTls
from mercure.dicom.send import SendError, StorePeer, send
from mercure.dicom.tools import ToolMissingError
from mercure.model import Model
from mercure.targets import DicomSettings

LONGEST_SECONDS: Final = 86400.0
_PREAMBLE: Final = 128
_MAGIC: Final = b"DICM"
_HEAD: Final = 512
_DICOMDIR: Final = b"\x02\x00\x02\x00UI\x14\x001.2.840.10008.1.3.10"
"""MediaStorageSOPClassUID of Media Storage Directory Storage, as it stands in the meta header (PS3.3 annex F)."""

CALLING_AET: Final = "MERCURE-SEND"
ANY_CALLED_AET: Final = "ANY-SCP"

Outcome = Literal["confirmed", "warning", "refused", "failed", "not-sent", "skipped"]
TAKEN: Final[frozenset[Outcome]] = frozenset({"confirmed", "warning"})


class FileSent(Model):
    """What became of one file; ``skipped``: it is no image, and was not sent."""

    file: str
    outcome: Outcome
    status: str | None = None
    comment: str = ""


class Sent(Model):
    """What became of all files; ``problem`` says what went wrong with the sending as a whole."""

    host: str
    port: int
    called_aet: str
    calling_aet: str
    files: tuple[FileSent, ...]
    problem: str = ""

    def count(self, *outcomes: Outcome) -> int:
        """Count the files with one of these outcomes."""
        return sum(file.outcome in outcomes for file in self.files)

    @property
    def complete(self) -> bool:
        """Whether every image was taken, and there was one."""
        taken = self.count(*TAKEN)
        return not self.problem and taken > 0 and taken == len(self.files) - self.count("skipped")


@dataclass(frozen=True)
class Destination:
    """Whom to send to; what is not given comes from the target or the router.

    Parameters
    ----------
    target : str or None
        A dicom target of the configuration.
    host, port : str and int or None
        An address instead.
    called_aet, calling_aet : str or None
        AE titles instead of the usual ones.
    """

    target: str | None = None
    host: str | None = None
    port: int | None = None
    called_aet: str | None = None
    calling_aet: str | None = None


def send_files(
    session: Session,
    paths: Iterable[Path],
    to: Destination,
    report: Callable[[FileSent], None],
) -> Sent:
    """Send files, and all files below folders.

    Parameters
    ----------
    session : Session
        Whose router and targets.
    paths : iterable of Path
        Files and folders.
    to : Destination
        Whom to.
    report : callable
        Told of each file when its outcome is known.

    Raises
    ------
    ControlError
        A path or target is not there, or the sender cannot be run.
    """
    peer = _peer(session, to)
    wanted, results = [], []

    def note(result: FileSent) -> None:
        results.append(result)
        report(result)

    for path in _files(paths):
        why = _not_sendable(path)
        if why:
            note(FileSent(file=str(path), outcome="skipped", comment=why))
        else:
            wanted.append(path)
    problem = _send(peer, wanted, note) if wanted else ""
    return Sent(
        host=peer.host,
        port=peer.port,
        called_aet=peer.called_aet,
        calling_aet=peer.calling_aet,
        files=tuple(results),
        problem=problem,
    )


def _send(peer: StorePeer, files: list[Path], note: Callable[[FileSent], None]) -> str:
    """Send, and return what went wrong as a whole."""
    unanswered: dict[str, list[str]] = {}
    for path in files:
        unanswered.setdefault(_as_answered(path), []).append(str(path))

    def report(line: dict[str, Any]) -> None:
        answered = unanswered.get(str(line.get("file", "")))
        if answered:
            known = {key: line[key] for key in FileSent.model_fields if line.get(key) is not None}
            note(FileSent.model_validate(known | {"file": answered.pop(0)}))

    try:
        failure = send(peer, files, seconds=LONGEST_SECONDS, report=report, stopping=lambda: False)
    except ToolMissingError as error:
        raise ControlError("failed", str(error)) from error
    except SendError as error:
        failure = ("local", str(error))
    for name in itertools.chain.from_iterable(unanswered.values()):
        note(FileSent(file=name, outcome="not-sent"))
    return failure[1] if failure else ""


def _as_answered(path: Path) -> str:
    """Return a file's name as the sender writes it in JSON, where bytes that are no UTF-8 cannot stand."""
    return os.fsencode(path).decode("utf-8", "replace")


def _not_sendable(path: Path) -> str:
    """Say why a file is no image to send; empty when it is one (PS3.10 section 7.1)."""
    try:
        with path.open("rb") as file:
            file.seek(_PREAMBLE)
            head = file.read(_HEAD)
    except OSError as error:
        return error.strerror or "cannot be read"
    if not head.startswith(_MAGIC):
        return "no DICOM file"
    if _DICOMDIR in head:
        return "a directory of images (DICOMDIR), and no image"
    return "its name holds a line break" if "\n" in path.name else ""


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            for folder, folders, names in os.walk(path):
                folders.sort()
                yield from (Path(folder, name).absolute() for name in sorted(names))
        elif path.exists():
            yield path.absolute()
        else:
            raise ControlError("not-found", f"there is no {path}")


def _peer(session: Session, to: Destination) -> StorePeer:
    tls: TargetTls | None = None
    if to.target is not None:
        settings = find_target(session, to.target)
        if not isinstance(settings, DicomSettings):
            raise ControlError("invalid", f"target {to.target!r} is a {settings.kind}, and takes no DICOM associations")
        host, port, called, calling = settings.host, settings.port, settings.called_aet, settings.calling_aet
        tls = settings.tls
    elif to.host is not None or to.port is not None:
        receiver_port = session.config.receiver.port if to.port is None else to.port
        host, port, called, calling = to.host or "127.0.0.1", receiver_port, ANY_CALLED_AET, CALLING_AET
    else:
        receiver = session.config.receiver
        host = "127.0.0.1" if receiver.bind in {"0.0.0.0", "::", ""} else receiver.bind  # noqa: S104 - compared
        port, called, calling = receiver.port, receiver.ae_title, CALLING_AET
    called, calling = to.called_aet or called, to.calling_aet or calling
    return StorePeer(host=host, port=port, called_aet=called, calling_aet=calling, tls=tls)
