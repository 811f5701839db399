"""The first configuration of a root."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any, Final

from appliance.control.errors import ControlError
from appliance.control.session import Session
from mercure import durable
from mercure.config import ConfigError, Receiver, ServicesFile
from mercure.config.models import Retention
from mercure.config.senders import is_address
from mercure.event_details import ConfigSaved
from mercure.model import Model
from mercure.spool import Spool

DEFAULT_PORT: Final = 11112
DEFAULT_AE_TITLE: Final = "MERCURE"
DEFAULT_BIND: Final = "127.0.0.1"
"""A first run is safe: nobody else reaches a router that its owner has not configured yet."""

DELIVERED: Final = "delivered"
EXAMPLE: Final = Path(sys.prefix) / "share" / "mercure" / "modules" / "statistics"
"""The example module as a program, which ``make setup`` builds."""

_REFUSE_BELOW: Final = 40
_CLEAN_BELOW: Final = 20
"""On a small disk, the floors for free space are this part of it."""


class Initialised(Model):
    """A new root and what it will do."""

    root: str
    bind: str
    port: int
    ae_title: str
    delivered: str
    config: str
    services: str


def is_initialised(session: Session) -> bool:
    """Tell whether a root has a configuration, usable or not."""
    return session.store.mercure.path.exists() or bool(session.store.mercure.revisions())


def initialise(
    session: Session,
    *,
    port: int = DEFAULT_PORT,
    ae_title: str = DEFAULT_AE_TITLE,
    page_port: int | None = None,
    bind: str = DEFAULT_BIND,
) -> Initialised:
    """Write a configuration that sends every series to a folder, and make the spool.

    Parameters
    ----------
    session : Session
        The root, and who makes it.
    port : int
        For DICOM.
    ae_title : str
        The router's.
    page_port : int, optional
        Of the status page, where it is not the usual one.
    bind : str
        Address on which senders are heard; ``0.0.0.0`` or ``::``: all.

    Raises
    ------
    ControlError
        There is a configuration already, or a value is wrong.
    """
    root, store = session.root, session.store
    if is_initialised(session):
        advice = "edit it, or choose another --root; `mercure run` runs it as it is"
        raise ControlError("invalid", f"{root.path} has a configuration already ({store.mercure.path})", advice)
    if not is_address(bind):
        raise ControlError("invalid", f"{bind!r} is no numeric address", "give one of this machine, or 0.0.0.0 for all")
    delivered = root.path / DELIVERED
    try:
        config = store.parse(_default(root.path, port, ae_title, page_port, bind))
    except ConfigError as error:
        raise ControlError("invalid", "; ".join(str(problem) for problem in error.problems)) from error
    for folder in (root.config, root.run, root.log, delivered):
        _make(folder)
    Spool(root.named_spool(config)).create()
    comment = "written by mercure init"
    if store.services.signature() == ():
        store.services.save(ServicesFile(), author=session.user, comment=comment, edited_from=0, clock=session.clock)
    # Last: a root has been initialised when it is there.
    revision = store.mercure.save(config, author=session.user, comment=comment, edited_from=0, clock=session.clock)
    with session.changing() as events:
        events.emit(ConfigSaved(revision=revision, by=session.user, comment=comment))
    return Initialised(
        root=str(root.path),
        bind=bind,
        port=port,
        ae_title=ae_title,
        delivered=str(delivered),
        config=str(store.mercure.path),
        services=str(store.services.path),
    )


def _default(root: Path, port: int, ae_title: str, page_port: int | None, bind: str) -> dict[str, Any]:
    return {
        "version": 1,
        "receiver": {
            "bind": bind,
            "port": port,
            "ae_title": ae_title,
            **_floor(root, Receiver, "min_free_bytes", _REFUSE_BELOW),
        },
        **({} if page_port is None else {"status_page": {"port": page_port}}),
        "retention": _floor(root, Retention, "pressure_free_bytes", _CLEAN_BELOW),
        "targets": {
            DELIVERED: {
                "kind": "folder",
                "path": str(root / DELIVERED),
                "comment": "where a newcomer sees what arrives; replace it by a PACS",
            }
        },
        "modules": {
            "statistics": {
                "runner": "command",
                "image": str(EXAMPLE),
                "disabled": True,
                "comment": "an example: measures the pixels of each series; switch it on and name it in a rule",
            }
        },
        "rules": {
            "everything": {
                "rule": "True",
                "targets": [DELIVERED],
                "comment": "sends every series to the folder 'delivered'",
            }
        },
    }


def _floor(root: Path, model: type[Model], key: str, parts: int) -> dict[str, int]:
    """Lower a floor for free space on a disk that is smaller than it was made for."""
    existing = next(folder for folder in (root, *root.parents) if folder.exists())
    share = shutil.disk_usage(existing).total // parts
    return {key: share} if share < model.model_fields[key].default else {}


def _make(folder: Path) -> None:
    for missing in reversed([path for path in (folder, *folder.parents) if not path.exists()]):
        durable.make_directory(missing)
