"""``backup.*``."""

from __future__ import annotations

from pathlib import Path

from appliance import backup
from appliance.control.api import backup as api
from appliance.control.api.base import Nothing
from appliance.control.verbs import Asked, carries_out


@carries_out(api.CREATE)
def create(asked: Asked, wanted: api.CreateBackup) -> api.BackupMade:
    """Write one."""
    folder = Path(wanted.folder) if wanted.folder is not None else None
    return backup.create(asked.session, images=wanted.images, folder=folder, report=asked.report)


@carries_out(api.LIST)
def list_(asked: Asked, wanted: Nothing) -> api.Backups:
    """List them."""
    return api.Backups(backups=backup.list_backups(asked.session))


@carries_out(api.CHECK)
def check(asked: Asked, wanted: api.OneBackup) -> api.BackupChecked:
    """Compare digests."""
    return backup.check(asked.session, wanted.name, asked.report)
