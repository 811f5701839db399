"""TLS to a DICOM node: options of the sender, a context of Python's `ssl`, and a probe that says in words why not.

Both follow the same settings; the words for what goes wrong are the sender's (``getdcmtags/src/dimse/tls_words.cc``).
"""

from __future__ import annotations

import json
import ssl
import stat
import subprocess
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from mercure.dicom.tools import tool_path
from mercure.model import Record
from mercure.names import place_of

if TYPE_CHECKING:
    import socket
    from pathlib import Path

    from mercure.config.tls import TargetTls

CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""Of TLS 1.2: authenticated encryption with forward secrecy (RFC 9325 section 4.2)."""

_GRACE_SECONDS: Final = 5.0


class TlsFilesError(Exception):
    """A file of the settings cannot be used; the text says which, why, and what to do."""


class NodeCertificate(Record):
    """What was agreed on with a node, and the certificate that it showed, believed or not."""

    version: str = ""
    cipher: str = ""
    subject: str = ""
    issuer: str = ""
    ends: str = ""
    certificate: str = ""


class ProbeError(Record):
    """Why there was no association, by the words of the sender."""

    kind: str
    text: str


class TlsProbe(Record):
    """What a probe of a node found."""

    tls: NodeCertificate | None = None
    error: ProbeError | None = None


def tls_options(tls: TargetTls | None) -> list[str]:
    """Return the options of ``mercure-storescu`` that say these settings."""
    if tls is None:
        return []
    values = {
        "--tls-ca": tls.ca,
        "--tls-crl": tls.crl,
        "--tls-certificate": tls.certificate,
        "--tls-key": tls.key,
        "--tls-verify": tls.verify,
        "--tls-name": tls.server_name,
    }
    return ["--tls", *(f"{name}={value}" for name, value in values.items() if value)]


def probe(tls: TargetTls, host: str, port: int, titles: tuple[str, str], seconds: float) -> TlsProbe:
    """Open an association with a node over TLS, send nothing, and release it.

    Parameters
    ----------
    tls : TargetTls
        How.
    host, port
        Where.
    titles : tuple of str
        Its AE title and ours.
    seconds : float
        The longest wait for each of the connection and the answer.

    Raises
    ------
    mercure.dicom.tools.ToolMissingError
        The sender is not installed.
    """
    called, calling = titles
    command = [
        str(tool_path("mercure-storescu")),
        "--probe",
        f"--host={host}",
        f"--port={port}",
        f"--called-aet={called}",
        f"--calling-aet={calling}",
        f"--connect-timeout={seconds}",
        f"--acse-timeout={seconds}",
        *tls_options(tls),
    ]
    try:
        ended = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=2 * seconds + _GRACE_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return TlsProbe(
            error=ProbeError(kind="timeout", text=f"{place_of(host, port)} did not answer within {2 * seconds:g} s")
        )
    try:
        return TlsProbe.model_validate(json.loads(ended.stdout))
    except (ValueError, ValidationError):
        return TlsProbe(error=ProbeError(kind="local", text=f"the sender ended with code {ended.returncode}"))


class _Context(ssl.SSLContext):
    """Keeps the sockets that it makes: pynetdicom leaves those open that come to nothing."""

    sockets: list[socket.socket]

    def wrap_socket(self, *arguments: Any, **named: Any) -> ssl.SSLSocket:  # noqa: ANN401 - as the one that it overrides
        made = super().wrap_socket(*arguments, **named)
        self.sockets.append(made)
        return made


def client_context(tls: TargetTls, sockets: list[socket.socket]) -> ssl.SSLContext:
    """Make a context for connections to a node; it adds their sockets to a list.

    Raises
    ------
    TlsFilesError
        A file cannot be used.
    """
    context = _Context(ssl.PROTOCOL_TLS_CLIENT)
    context.sockets = sockets
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.check_hostname = tls.verify == "full"
    context.hostname_checks_common_name = False
    try:
        if tls.ca is None:
            context.load_default_certs()
        else:
            context.load_verify_locations(tls.ca)
    except (OSError, ssl.SSLError) as error:
        raise TlsFilesError(f"the file 'ca', {tls.ca}, cannot be used: {_reason(error)}") from error
    if tls.crl is not None:
        _revoke(context, tls.crl)
    if tls.certificate is not None and tls.key is not None:
        _show(context, tls.certificate, tls.key)
    if tls.verify == "pin" and tls.ca is not None:
        context.sslsocket_class = _pinned(_in_file(tls.ca))
    return context


def check_private(key: Path) -> None:
    """Refuse a private key that others can read.

    Raises
    ------
    TlsFilesError
        They can, or it is not there.
    """
    try:
        mode = stat.S_IMODE(key.stat().st_mode)
    except OSError as error:
        raise TlsFilesError(f"the private key {key} cannot be read: {error.strerror}") from error
    if mode & 0o077:
        mend = f"chmod 600 it ({mode:04o} now), and think of a new one"
        raise TlsFilesError(f"the private key {key} can be read by others than the router: {mend}")


def _revoke(context: ssl.SSLContext, crl: Path) -> None:
    """Refuse nodes whose own certificate is on a list; the sender looks at those above it, too."""
    try:
        context.load_verify_locations(crl)
    except (OSError, ssl.SSLError) as error:
        raise TlsFilesError(f"the file 'crl', {crl}, cannot be used: {_reason(error)}") from error
    context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF


def _show(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    check_private(key)
    try:
        # Without a passphrase OpenSSL would ask for one at the terminal.
        context.load_cert_chain(certificate, key, password=lambda: "")
    except (OSError, ssl.SSLError) as error:
        raise TlsFilesError(
            f"the certificate {certificate} with the key {key} cannot be used: {_reason(error)}"
        ) from error


def _reason(error: OSError) -> str:
    return getattr(error, "reason", "") or error.strerror or str(error)


def _in_file(file: Path) -> frozenset[bytes]:
    """Return the certificates of a PEM file as bytes: a context lists only those that may sign others."""
    text = file.read_text(encoding="utf-8", errors="replace")
    begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    parts = (part.partition(end)[0] for part in text.split(begin)[1:])
    return frozenset(ssl.PEM_cert_to_DER_cert(f"{begin}{part}{end}") for part in parts)


def _pinned(known: frozenset[bytes]) -> type[ssl.SSLSocket]:
    class Pinned(ssl.SSLSocket):
        def do_handshake(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401 - as the one that it overrides
            super().do_handshake(*arguments, **named)
            if self.getpeercert(binary_form=True) not in known:
                raise ssl.SSLError("another certificate than the pinned one")

    return Pinned
