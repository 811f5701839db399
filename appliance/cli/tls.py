"""``mercure tls``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from appliance.cli.changes import comment_option, saved_lines, warning_lines
from appliance.cli.common import Failure, json_option, narrate, root_option, show
from appliance.cli.lazy import OrderedGroup
from appliance.cli.requests import ask
from appliance.cli.text import pairs, table
from appliance.presentation.figures import grouped, moment, until
from mercure.printable import printable

if TYPE_CHECKING:
    from datetime import datetime

    from appliance.control.api.tls import InstalledCertificate, KnownCertificate, PinnedPeer

_PURPOSES = {"server": "servers", "client": "clients", "any": "anything"}
_NAME = click.option("--name", default="router", show_default=True, help="Of the key and its files.")
_FILE = click.Path(path_type=Path, dir_okay=False, exists=True, allow_dash=True)


@click.group(cls=OrderedGroup)
@root_option
def tls() -> None:
    """See certificates, have one signed for this router, install it, and pin a target.

    \b
    mercure tls request router.hospital.example 10.0.3.5 > router.csr
    mercure tls install router.pem --ca hospital-ca.pem
    mercure tls show
    mercure tls pin pacs --save
    """  # noqa: D301 - click keeps the lines after a backspace


@tls.command("show")
@click.argument("file", type=_FILE, required=False)
@root_option
@json_option(certificates="appliance.control.api.tls:KnownCertificate")
def show_(file: Path | None) -> None:
    """List the certificates that the router knows: its own, of authorities, of targets and of senders.

    Those that end first come first. With a FILE (PEM): what is in it, in words.
    """
    from appliance.control import api  # noqa: PLC0415

    if file is not None:
        found = _in_file(file)
        show({"certificates": found}, lambda: (line for each in found for line in (*in_words(each), "")))
        return
    known = ask(api.tls.SHOW)
    if known.left_out:
        narrate(known.left_out)
    titles = ["ENDS", "OF", "FOR", "SUBJECT", "FILE"]
    show({"certificates": known.certificates}, lambda: table(titles, _rows(known.certificates, known.time)))


def _rows(found: Iterable[KnownCertificate], now: datetime) -> Iterator[tuple[str, ...]]:
    for each in found:
        ends = each.problem if each.ends is None else until(each.ends, now)[0]
        yield ends, each.use, printable(each.about), printable(each.subject), printable(each.file)


def _in_file(file: Path) -> list[KnownCertificate]:
    from cryptography import x509  # noqa: PLC0415

    from appliance.control.tls.known import described  # noqa: PLC0415

    try:
        parsed = x509.load_pem_x509_certificates(_text(file).encode())
    except ValueError as error:
        raise Failure(f"{file} holds no certificate in PEM form", "give the file that the authority sent") from error
    return [described("watched", "", each, str(file)) for each in parsed]


def _text(file: Path) -> str:
    with click.open_file(str(file), encoding="utf-8", errors="replace") as opened:
        return str(opened.read())


def in_words(found: KnownCertificate) -> Iterator[str]:
    """Write what a certificate says."""
    purposes = " and ".join(_PURPOSES.get(purpose, purpose) for purpose in found.purposes) or "anything"
    signed = "itself" if found.issuer == found.subject else found.issuer
    ends = until(found.ends)[0] if found.ends is not None else found.problem
    rows = [
        ("subject", found.subject),
        ("for", ", ".join(found.names) or "no name: nobody who checks names believes it"),
        ("signed by", signed),
        ("valid from", moment(found.begins)),
        ("until", ends),
        ("meant for", purposes),
        ("key", found.key),
        ("fingerprint", grouped(found.fingerprint)),
    ]
    return (printable(line) for line in pairs(rows))


@tls.command()
@click.argument("hosts", nargs=-1, required=True, metavar="HOST...")
@_NAME
@click.option("--organisation", default="", help="Stands in the subject.")
@click.option("--key", type=click.Choice(["rsa-3072", "ec-p256"]), default="rsa-3072", show_default=True,
              help="Kind of key; some scanners know RSA alone.")  # fmt: skip
@click.option("--replace", is_flag=True, help="Forget a key that waits for its certificate.")
@root_option
@json_option("appliance.control.api.tls:CertificateRequest")
def request(hosts: tuple[str, ...], name: str, organisation: str, key: str, replace: bool) -> None:
    """Make a key, and print a request for the hospital's authority to sign.

    HOST are the names and addresses by which others call the router: all of them, the first is its common name.
    The key stays on this machine (mode 0600), and in no backup. What is installed goes on until the answer is.
    """
    from appliance.control import api  # noqa: PLC0415

    wanted = {"name": name, "hosts": hosts, "organisation": organisation, "key": key, "replace": replace}
    made = ask(api.tls.REQUEST, api.tls.RequestCertificate.model_validate(wanted))
    narrate(f"{made.subject}, for {', '.join(made.names)}; the request is in {made.request_file}, too")
    narrate("have it signed for servers and clients, then `mercure tls install FILE`")
    show(made, made.request.splitlines)


@tls.command()
@click.argument("file", type=_FILE)
@click.option("--ca", "ca_file", type=_FILE, help="Certificates of authorities: whose peers are believed.")
@_NAME
@click.option("--receiver", is_flag=True, help="Show it to senders, as by default.")
@click.option("--target", "targets", multiple=True, help="Show it to this target.")
@click.option("--check", is_flag=True, help="Only check it.")
@comment_option
@root_option
@json_option("appliance.control.api.tls:InstalledCertificate")
def install(file: Path, ca_file: Path | None, **given: Any) -> None:  # noqa: ANN401 - those of the request
    """Check what the authority has signed, and use it from the next association on; no restart is needed.

    Key, chain, dates, purpose, names and strength must be right. FILE (PEM) holds the certificate and those between
    it and the authority, in any order. Where an older one of the same --name is in use, the new one takes its place.
    """
    from appliance.control import api  # noqa: PLC0415
    from appliance.control.errors import ControlError  # noqa: PLC0415

    texts = {"certificate": _text(file), "ca": "" if ca_file is None else _text(ca_file)}
    wanted = api.tls.InstallCertificate.model_validate({**given, **texts})
    try:
        found = ask(api.tls.INSTALL, wanted)
    except ControlError as error:
        for problem in error.problems:
            narrate(f"{problem.place}: {problem.text}" + (f" → {problem.advice}" if problem.advice else ""))
        raise
    show(found, lambda: _installed_lines(found))


def _installed_lines(found: InstalledCertificate) -> Iterator[str]:
    yield from in_words(found.certificate)
    yield from (printable(f"warning: {text}") for text in found.warnings)
    places = printable(", ".join(found.places))
    if found.saved is None:
        yield f"no problems; it would be used by {places}"
        return
    yield f"used by {places}"
    yield from saved_lines(found.saved)


@tls.command()
@click.argument("peer", metavar="TARGET|HOST:PORT")
@click.option("--save", is_flag=True, help="Believe the target by this very certificate from now on.")
@click.option("--fingerprint", default="", help="Only if it is this one, by the SHA-256 that its people tell.")
@comment_option
@root_option
@json_option("appliance.control.api.tls:PinnedPeer")
def pin(peer: str, save: bool, fingerprint: str, comment: str) -> None:
    """Look at the certificate of a target or of a machine, and print it with its fingerprint.

    Compare the fingerprint with those who run it before you save: another machine could answer in its place. A pin
    must be saved anew when the certificate is renewed there; a file of authorities does not.
    """
    from appliance.control import api  # noqa: PLC0415

    host, colon, port = peer.rpartition(":")
    where = {"host": host, "port": port} if colon else {"target": peer}
    wanted = {**where, "save": save, "fingerprint": fingerprint, "comment": comment}
    found = ask(api.tls.PIN, api.tls.PinPeer.model_validate(wanted))
    show(found, lambda: _pin_lines(found))


def _pin_lines(found: PinnedPeer) -> Iterator[str]:
    yield from in_words(found.certificate)
    yield from found.pem.splitlines()
    if found.problem:
        yield printable(f"as it is set now it is not believed: {found.problem}")
    if found.saved is not None:
        yield f"saved as revision {found.saved.revision}: this certificate is believed, and no other"
        yield from warning_lines(found.saved)
