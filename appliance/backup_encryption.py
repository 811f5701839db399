"""Encryption of backups by ``age``, a program of Debian: for public keys, so that the router cannot read what it wrote.

``age`` and not restic: a backup stays one file that any place can keep, and the private key never comes to the router,
while restic needs the password of its store at every backup. Who has the private key, and where it lies, is told in
``docs/administration/upgrade.md``.
"""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import IO, BinaryIO, Final

SUFFIX: Final = ".age"
"""Of the name of an encrypted backup, after that of a plain one."""

_PROGRAM: Final = "age"
_MOST_WORDS: Final = 500


class EncryptionError(Exception):
    """It cannot be encrypted or decrypted; the text says why."""


@contextlib.contextmanager
def encrypted(file: BinaryIO, recipients: Path) -> Iterator[BinaryIO]:
    """Give a file to write into; what is written goes into another one, encrypted.

    Parameters
    ----------
    file : binary file
        Where the encrypted bytes go; nothing was written into it yet.
    recipients : Path
        Public keys, one a line: each of their owners can decrypt it.

    Raises
    ------
    EncryptionError
        The program is missing, or refuses; what was written is worth nothing then.
    """
    with _age("--encrypt", "--recipients-file", str(recipients), stdin=subprocess.PIPE, stdout=file) as process:
        with contextlib.suppress(BrokenPipeError):  # it says why it ended
            yield _pipe(process.stdin)
            _pipe(process.stdin).close()
        _end(process)


@contextlib.contextmanager
def decrypted(path: Path, identity: Path) -> Iterator[BinaryIO]:
    """Give the content of an encrypted file, to be read from its beginning to its end.

    Parameters
    ----------
    path : Path
        The file.
    identity : Path
        The private key.

    Raises
    ------
    EncryptionError
        The program is missing, the key is not one of those for which it was encrypted, or it is damaged or cut short.
        It counts before any other exception of the block: that is what comes of it.
    """
    command = ("--decrypt", "--identity", str(identity), str(path))
    with _age(*command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
        try:
            yield _pipe(process.stdout)
        except BaseException:
            _pipe(process.stdout).close()
            if process.wait() > 0:
                _end(process)
            raise
        while _pipe(process.stdout).read(1024 * 1024):
            pass
        _end(process)


@contextlib.contextmanager
def _age(*arguments: str, stdin: int, stdout: int | BinaryIO) -> Iterator[subprocess.Popen[bytes]]:
    try:
        process = subprocess.Popen((_PROGRAM, *arguments), stdin=stdin, stdout=stdout, stderr=subprocess.PIPE)
    except FileNotFoundError as error:
        raise EncryptionError("install Debian's package 'age': it encrypts and decrypts backups") from error
    with process:
        try:
            yield process
        finally:
            process.kill()  # nothing where it has ended


def _pipe(pipe: IO[bytes] | None) -> BinaryIO:
    assert pipe is not None  # noqa: S101 - it was asked for
    return pipe  # type: ignore[return-value] # a pipe is one


def _end(process: subprocess.Popen[bytes]) -> None:
    said = _pipe(process.stderr).read().decode(errors="replace")
    if process.wait() == 0:
        return
    lines = [line.removeprefix("age: error: ") for line in said.splitlines() if not line.startswith("age: report")]
    raise EncryptionError(f"age: {' '.join(lines)[:_MOST_WORDS] or f'ended with code {process.returncode}'}")
