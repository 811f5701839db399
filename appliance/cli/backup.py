"""``mercure backup`` and ``mercure restore``."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from appliance.cli import exit_codes, shell_completion
from appliance.cli.common import end_with, json_option, open_session, program, root_option, show, watch_option
from appliance.cli.lazy import OrderedGroup
from appliance.cli.progress import Meter
from appliance.cli.requests import ask, asking
from appliance.cli.text import pairs, table
from appliance.presentation.figures import size, zoned_moment
from mercure.printable import printable

if TYPE_CHECKING:
    from appliance.control.api.backup import BackupChecked, BackupFile, BackupMade
    from appliance.restore import Restored


@click.group(cls=OrderedGroup)
@root_option
def backup() -> None:
    """Write, list and check backups; the router may go on running.

    A backup is one tar file: the configuration with its revisions, the history, the state, and the events that wait to
    be recorded. The images are in it where asked. Each file has a digest in the manifest at its end.
    """


@backup.command()
@click.option("--images", is_flag=True, help="With the images that are in the spool.")
@click.option("--to", type=click.Path(path_type=Path), help="Into this folder.  [default: backup/ in the root]")
@click.option(
    "--recipients", type=click.Path(path_type=Path), help="Encrypt it for the public keys in this file (age)."
)
@root_option
@json_option("appliance.control.api.backup:BackupMade")
def create(*, images: bool, to: Path | None, recipients: Path | None) -> None:
    """Write a backup. Exit code 1 also when something had to be left out, such as a history without pg_dump."""
    from appliance.control import api  # noqa: PLC0415

    folder, keys = (str(path.absolute()) if path is not None else None for path in (to, recipients))
    wanted = api.backup.CreateBackup(images=images, folder=folder, recipients=keys)
    with asking() as ask_for:
        made = ask_for(api.backup.CREATE, wanted)
    show(made, lambda: _made(made))
    end_with(exit_codes.FAILED if made.left_out else exit_codes.WELL)


def _made(made: BackupMade) -> Iterator[str]:
    yield from pairs(
        [
            ("backup", made.path),
            ("size", f"{size(made.bytes)}, {made.files} files, in {made.seconds:.1f} s"),
            ("history", made.history or "none"),
            ("images", "yes" if made.images else "no"),
            ("encrypted", "yes" if made.path.endswith(".age") else "no"),
            *(("! left out", text) for text in made.left_out),
            ("bring back", f"{program()} restore {made.path} --root NEW_ROOT"),
        ]
    )


@backup.command("list")
@watch_option
@root_option
@json_option(backups="appliance.control.api.backup:BackupFile")
def list_() -> None:
    """List the backups in the root's own folder, the newest first."""
    from appliance.control import api  # noqa: PLC0415

    found = ask(api.backup.LIST).backups
    show({"backups": found}, lambda: table(["BACKUP", "SIZE", "WRITTEN"], map(_row, found)))


def _row(item: BackupFile) -> tuple[str, ...]:
    return (item.name, size(item.bytes), zoned_moment(datetime.fromtimestamp(item.modified, UTC)))


@backup.command()
@click.argument("backup", shell_complete=shell_completion.backups)
@click.option("--identity", type=click.Path(path_type=Path, exists=True), help="The private key of an encrypted one.")
@root_option
@json_option("appliance.control.api.backup:BackupChecked")
def check(backup: str, *, identity: Path | None) -> None:
    """Compare each file of a BACKUP with its digest: one that `backup list` names, or any file by its path.

    One that is encrypted is checked by its path, where its private key is: it need not come to the router.
    """
    from appliance.control import api  # noqa: PLC0415

    if "/" in backup or identity is not None:
        from appliance.backup import checked  # noqa: PLC0415

        with Meter() as meter:
            found = checked(Path(backup).absolute(), meter, identity)
    else:
        with asking() as ask_for:
            found = ask_for(api.backup.CHECK, api.backup.OneBackup(name=backup))
    show(found, lambda: _checked(found))
    end_with(exit_codes.WELL if found.ok else exit_codes.FAILED)


def _checked(found: BackupChecked) -> Iterator[str]:
    if not found.ok:
        yield printable(f"NOT as it was written: {found.problem}")
        return
    yield from pairs(
        [
            ("backup", f"{found.path}: as it was written"),
            ("of", f"{found.node}, {zoned_moment(found.time)}, by {found.by}"),
            ("holds", f"{found.files} files, configuration revision {found.revision}"),
            ("history", found.history or "none"),
            ("images", "yes" if found.images else "no"),
            *(("! left out", text) for text in found.left_out),
        ]
    )


@click.command()
@click.argument("backup", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--force", is_flag=True, help="Also where there is something; it is kept aside, images stay.")
@click.option("--identity", type=click.Path(path_type=Path, exists=True), help="The private key of an encrypted one.")
@root_option
@json_option("appliance.restore:Restored")
def restore(backup: Path, *, force: bool, identity: Path | None) -> None:
    """Restore a BACKUP into a root in which no router runs.

    The whole file is compared with its digests first. A root with a configuration, a spool or a history is refused;
    with --force they are kept in a folder `replaced-…` beside them. Images and event files that are there stay as they
    are, whatever the backup holds.
    """
    from appliance.restore import restore as bring_back  # noqa: PLC0415

    with Meter() as meter:
        done = bring_back(open_session(), backup.absolute(), force=force, report=meter, identity=identity)
    show(done, lambda: _restored(done))
    end_with(exit_codes.FAILED if done.left_out else exit_codes.WELL)


def _restored(done: Restored) -> Iterator[str]:
    yield from pairs(
        [
            ("restored", f"{done.root}: {done.files} files of {done.node}, {done.time}"),
            ("configuration", f"revision {done.revision}"),
            ("history", done.history or "none was in the backup"),
            ("images", "those of the backup" if done.images else "none were in the backup"),
            ("stayed", f"{done.kept} folders and event files that were here already" if done.kept else ""),
            *(("kept aside", path) for path in done.replaced),
            *(("! left out", text) for text in done.left_out),
            ("run", f"{program()} run --root {done.root}"),
        ]
    )
