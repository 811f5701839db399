"""What a person can ask of the processing modules: which there are, how they are, and whether they could be run."""

from __future__ import annotations

import os
import time
from collections import Counter
from typing import Any

from appliance.control.api.configuration import ModuleState
from appliance.control.api.modules import ModuleChecked
from appliance.control.configuration import edits
from appliance.control.naming import no_such
from appliance.control.queue.listing import rows_of
from appliance.control.session import Session
from mercure.config import ModuleSettings
from mercure.processing.contract import mount_problem
from mercure.processing.module_health import read_outage
from mercure.runners import open_runner
from mercure.spool import Stage


def list_modules(session: Session) -> list[ModuleState]:
    """List all modules with what waits for them, in the order of the configuration."""
    rows = rows_of(session, (Stage.PROCESSING, Stage.ERROR))
    waiting = Counter(row.module for row in rows if row.stage is Stage.PROCESSING)
    failed = Counter(row.module for row in rows if row.stage is Stage.ERROR)
    config = session.config
    return [
        ModuleState(
            name=name,
            runner=module.runner,
            image=module.image,
            disabled=module.disabled,
            settings=module.model_dump(mode="json", exclude_defaults=True),
            waiting=waiting[name],
            failed=failed[name],
            rules=tuple(rule for rule, content in config.rules.items() if name in content.modules),
            outage=read_outage(session.spool, name),
        )
        for name, module in config.modules.items()
    ]


def find_module(session: Session, name: str) -> ModuleSettings:
    """Return the settings of a module.

    Raises
    ------
    ControlError
        There is no such module.
    """
    modules = session.config.modules
    if name not in modules:
        raise no_such("module", name, modules)
    return modules[name]


def check(session: Session, name: str, content: dict[str, Any] | None) -> ModuleChecked:
    """Ask a module's runner whether it could run it now, leaving nothing behind.

    Parameters
    ----------
    session : Session
        At which router.
    name : str
        The module.
    content : dict, optional
        Its settings, where they are not saved (yet).

    Raises
    ------
    ControlError
        There is no such module, or its settings cannot be used.
    """
    config = session.config
    if content is None:
        settings = find_module(session, name)
    else:
        config = edits.tried(session, edits.with_module(name, content, None))
        settings = config.modules[name]
    begun = time.monotonic()
    found = open_runner(settings.runner, config.processing).check()
    problem = mount_problem(config, settings) or _program_problem(settings)
    return ModuleChecked(
        module=name,
        runner=settings.runner,
        ok=found.ok and problem is None,
        text=found.text if problem is None else problem,
        seconds=round(time.monotonic() - begun, 3),
    )


def _program_problem(settings: ModuleSettings) -> str | None:
    if settings.runner == "command" and not os.access(settings.image, os.X_OK):
        return f"there is no program {settings.image!r} that may be executed: install it, or correct 'image'"
    if settings.archive is not None and not settings.archive.is_file():
        return f"there is no file {settings.archive} to load the image from"
    return None
