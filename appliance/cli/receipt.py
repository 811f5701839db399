"""``mercure receipt``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from appliance.cli.common import Failure, JsonOption, json_option, root_option, show
from appliance.cli.lazy import OrderedGroup
from appliance.cli.requests import ask, asking
from appliance.cli.text import pairs
from appliance.presentation.figures import zoned_moment
from appliance.presentation.phrases import plural

if TYPE_CHECKING:
    from appliance.control.api.receipt import ReceiptChecked, ReceiptMade, ShownKey, StatedCounts
    from appliance.signatures import PublicKey

_MAKE: Final = "make"
_HELP: Final = ("-h", "--help")


class ReceiptGroup(OrderedGroup):
    """A group that takes what is none of its commands for an exam: ``mercure receipt A77``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put ``make`` before the first word that is neither ``--root`` nor a command."""
        at = 0
        while at < len(args) and args[at].partition("=")[0] == "--root":
            at += 1 if "=" in args[at] else 2
        if at < len(args) and args[at] not in self.commands and args[at] not in _HELP:
            args = [*args[:at], _MAKE, *args[at:]]
        return super().parse_args(ctx, args)


@click.group(cls=ReceiptGroup)
@root_option
def receipt() -> None:
    """Sign a statement of what was received and delivered of an exam, and verify one.

    `mercure receipt ACCESSION` is short for `mercure receipt make ACCESSION`.
    """


class ReceiptFile(JsonOption):
    """``--json FILE``: of a receipt the file is what counts, to the byte."""

    documents = ((None, "appliance.control.api.receipt:SignedReceipt"),)


@receipt.command(_MAKE)
@click.argument("accession", required=False)
@click.option("--study", metavar="UID", help="StudyInstanceUID, in place of the accession number.")
@click.option(
    "--html", "html_file", type=click.Path(path_type=Path, dir_okay=False), help="Write a page to print into this file."
)
@click.option(
    "--json",
    "json_file",
    cls=ReceiptFile,
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    metavar="FILE",
    help="Write the signed receipt into this new file; - prints it.",
)
@root_option
def make(accession: str | None, study: str | None, html_file: Path | None, json_file: Path | None) -> None:
    """Sign which images of an exam came when from whom, and were delivered where, when and with which status.

    The accession number is meant whole. Without --json FILE the receipt is not kept anywhere: the command prints what
    it would say. The receipt names the patient's id; the audit records who asked for it.

    mercure receipt A4711 --json A4711.json --html A4711.html
    """
    from appliance.control import api  # noqa: PLC0415

    if (accession is None) == (study is None):
        raise click.UsageError("give either an accession number or --study UID")
    for path in (json_file, html_file):
        if path is not None and path != Path("-") and path.exists():
            raise Failure(f"{path} is there already", "take another name: a receipt is never overwritten")
    with asking() as ask_for:
        made = ask_for(api.receipt.MAKE, api.receipt.MakeReceipt(accession=accession, study=study))
    if html_file is not None:
        from appliance.receipts import page  # noqa: PLC0415

        _write(html_file, page(json.loads(made.document), made.sha256).encode())
    if json_file == Path("-"):
        click.echo(made.document, nl=False)
        return
    if json_file is not None:
        _write(json_file, made.document.encode("ascii"))
    for line in _made(made, [path for path in (json_file, html_file) if path is not None]):
        click.echo(line)


def _write(path: Path, data: bytes) -> None:
    from mercure import durable  # noqa: PLC0415

    try:
        with durable.replacing(path, mode=0o600, replace=False) as file:
            file.write(data)
    except FileExistsError:
        raise Failure(f"{path} is there already", "take another name: a receipt is never overwritten") from None


def _made(made: ReceiptMade, files: list[Path]) -> Iterator[str]:
    yield from pairs(
        [
            *_counted(made.counts),
            ("sha256", made.sha256),
            ("key", made.fingerprint),
            *(("file", str(path)) for path in files),
        ]
    )
    if not files:
        yield ""
        yield "not kept: --json FILE writes the signed receipt"


def _counted(counts: StatedCounts) -> list[tuple[str, str]]:
    again = counts.arrivals - counts.images
    return [
        ("series", str(counts.series)),
        ("images", f"{counts.images}, {counts.on_disk} of them on the disk"),
        ("arrived", plural(counts.arrivals, "time") + (f", {again} of them again" if again else "")),
        ("delivered", plural(counts.deliveries, "time")),
    ]


@receipt.command()
@root_option
@json_option("appliance.control.api.receipt:ShownKey")
def key() -> None:
    """Print the public key of the router, as a file for `verify --key`, with its fingerprint.

    The first time the key is made. Keep key or fingerprint outside the router: with the contract, say.

    mercure receipt key > hospital.pem
    """
    from appliance.control import api  # noqa: PLC0415

    found = ask(api.receipt.KEY)
    show(found, lambda: _key_lines(found))


def _key_lines(found: ShownKey) -> Iterator[str]:
    # Text before the first line of a PEM file is a comment (RFC 7468, section 5.2).
    yield f"fingerprint {found.fingerprint}"
    yield from found.public_key.splitlines()


@receipt.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option(
    "--key", "key_file", type=click.Path(path_type=Path, dir_okay=False, exists=True), help="Public key of the router."
)
@click.option("--fingerprint", metavar="HEX", help="Fingerprint of that key, in place of the key.")
@root_option
@json_option("appliance.control.api.receipt:ReceiptChecked")
def verify(file: Path, key_file: Path | None, fingerprint: str | None) -> None:
    """Check that a receipt is what the router with this key signed, to the byte; on any machine, without a router.

    Take key or fingerprint from where you trust it, never from the sender of the receipt. Exit code 1: a byte was
    changed, an image is missing, or another router signed it.

    mercure receipt verify A4711.json --key hospital.pem
    """
    from appliance.receipts import check  # noqa: PLC0415

    found = check(file.read_bytes(), _public_key(key_file, fingerprint))
    show(found, lambda: _checked(found))
    if not found.ok:
        raise Failure(f"{file}: NOT as the router signed it: {found.problem}", "ask for the receipt again")


def _public_key(key_file: Path | None, fingerprint: str | None) -> PublicKey:
    from appliance.signatures import PublicKey, SignatureError  # noqa: PLC0415

    try:
        if key_file is not None and fingerprint is None:
            return PublicKey.from_pem(key_file.read_bytes())
        if fingerprint is not None and key_file is None:
            return PublicKey.from_fingerprint(fingerprint)
    except SignatureError as error:
        raise Failure(str(error), "`mercure receipt key` on the router prints both") from error
    raise click.UsageError("give either --key FILE or --fingerprint HEX, from where you trust it")


def _checked(found: ReceiptChecked) -> Iterator[str]:
    if not found.ok or found.counts is None:
        return
    yield "as the router signed it"
    yield ""
    yield from pairs(
        [
            ("router", found.node),
            ("made", f"{zoned_moment(found.made)} by {found.made_by}"),
            ("accession", found.accession or ""),
            ("study", found.study_uid or ""),
            *_counted(found.counts),
        ]
    )
