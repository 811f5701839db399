"""What a person can ask of the processing modules: which there are, how they are, and whether they could be run."""

from __future__ import annotations

import os
import time
from collections import Counter

from appliance.control.api import modules as api
from appliance.control.api.base import Nothing, Saved
from appliance.control.api.configuration import MODULES, Modules, ModuleState
from appliance.control.api.modules import ModuleChecked
from appliance.control.configuration import edits
from appliance.control.configuration.entries import save_entry
from appliance.control.configuration.hidden_values import HiddenValues
from appliance.control.errors import entry_named
from appliance.control.registry import carries_out
from appliance.control.session import Session
from mercure.config import ModuleSettings
from mercure.model import described_schema
from mercure.processing.contract import mount_problem
from mercure.processing.module_health import read_outage
from mercure.runners import open_runner
from mercure.spool import Stage


def list_modules(session: Session) -> list[ModuleState]:
    """List all modules with what waits for them, in the order of the configuration."""
    rows = session.rows((Stage.PROCESSING, Stage.ERROR))
    waiting = Counter(row.module for row in rows if row.stage is Stage.PROCESSING)
    failed = Counter(row.module for row in rows if row.stage is Stage.ERROR)
    config = session.config
    table = {name: module.model_dump(mode="json", exclude_defaults=True) for name, module in config.modules.items()}
    shown = HiddenValues.of({"modules": table}).shown((), {"modules": table})["modules"]
    return [
        ModuleState(
            name=name,
            runner=module.runner,
            image=module.image,
            disabled=module.disabled,
            settings=shown[name],
            waiting=waiting[name],
            failed=failed[name],
            rules=tuple(rule for rule, content in config.rules.items() if name in content.modules),
            outage=read_outage(session.spool, name),
        )
        for name, module in config.modules.items()
    ]


@carries_out(MODULES)
def list_(session: Session, wanted: Nothing) -> Modules:
    """List all modules, with what their settings may be."""
    schema = described_schema(ModuleSettings)
    return Modules(modules=tuple(list_modules(session)), revision=session.loaded.revision, settings_schema=schema)


def find_module(session: Session, name: str) -> ModuleSettings:
    """Return the settings of a module.

    Raises
    ------
    ControlError
        There is no such module.
    """
    return entry_named("module", name, session.config.modules)


@carries_out(api.CHECK)
def check(session: Session, wanted: api.CheckModule) -> ModuleChecked:
    """Ask a module's runner whether it could run it now, leaving nothing behind.

    Raises
    ------
    ControlError
        There is no such module, or its settings cannot be used.
    """
    config, name, content = session.config, wanted.name, wanted.settings
    if content is None:
        settings = find_module(session, name)
    else:
        config = edits.tried(session, edits.with_entry("modules", name, content))
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


@carries_out(api.SAVE)
def save(session: Session, wanted: api.SaveModule) -> Saved:
    """Add or change one module."""
    return save_entry(session, "modules.save", "modules", wanted.settings, wanted)


@carries_out(api.SWITCH)
def switch(session: Session, wanted: api.SwitchModule) -> Saved:
    """Switch one module on or off."""
    return edits.apply(
        session, "modules.switch", wanted.name, edits.switched("modules", wanted.name, on=wanted.on), wanted
    )


@carries_out(api.DELETE)
def delete(session: Session, wanted: api.DeleteModule) -> Saved:
    """Remove one module."""
    return edits.apply(session, "modules.delete", wanted.name, edits.without("modules", wanted.name), wanted)


def _program_problem(settings: ModuleSettings) -> str | None:
    if settings.runner == "command" and not os.access(settings.image, os.X_OK):
        return f"there is no program {settings.image!r} that may be executed: install it, or correct 'image'"
    if settings.archive is not None and not settings.archive.is_file():
        return f"there is no file {settings.archive} to load the image from"
    return None
