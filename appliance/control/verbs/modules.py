"""``modules.*``."""

from __future__ import annotations

from appliance.control.api import configuration
from appliance.control.api import modules as api
from appliance.control.api.base import Nothing, Saved
from appliance.control.configuration import edits
from appliance.control.modules import modules, runs
from appliance.control.verbs import Asked, carries_out
from mercure.config import ModuleSettings
from mercure.model import described_schema


@carries_out(configuration.MODULES)
def list_(asked: Asked, wanted: Nothing) -> configuration.Modules:
    """List them."""
    found = modules.list_modules(asked.session)
    revision, schema = asked.session.loaded.revision, described_schema(ModuleSettings)
    return configuration.Modules(modules=tuple(found), revision=revision, settings_schema=schema)


@carries_out(api.CHECK)
def check(asked: Asked, wanted: api.CheckModule) -> api.ModuleChecked:
    """Ask a runner."""
    return modules.check(asked.session, wanted.name, wanted.settings)


@carries_out(api.SAVE)
def save(asked: Asked, wanted: api.SaveModule) -> Saved:
    """Add or change one."""
    change = edits.with_module(wanted.name, wanted.settings, wanted.rename_from)
    return edits.apply(
        asked.session, "modules.save", wanted.name, change, edited_from=wanted.edited_from, comment=wanted.comment
    )


@carries_out(api.SWITCH)
def switch(asked: Asked, wanted: api.SwitchModule) -> Saved:
    """Switch one on or off."""
    change = edits.module_switched(wanted.name, on=wanted.on)
    return edits.apply(
        asked.session, "modules.switch", wanted.name, change, edited_from=wanted.edited_from, comment=wanted.comment
    )


@carries_out(api.DELETE)
def delete(asked: Asked, wanted: api.DeleteModule) -> Saved:
    """Remove one."""
    change = edits.without("modules", wanted.name)
    return edits.apply(
        asked.session, "modules.delete", wanted.name, change, edited_from=wanted.edited_from, comment=wanted.comment
    )


@carries_out(api.TEST)
def test(asked: Asked, wanted: api.TestModule) -> api.ModuleTest:
    """Try one out."""
    return runs.try_out(asked.session, wanted.name, wanted.task, wanted.settings)


@carries_out(api.STEPS)
def steps(asked: Asked, wanted: api.OneTask) -> api.Steps:
    """Tell how it went."""
    return runs.steps(asked.session, wanted.task)


@carries_out(api.LOG)
def log(asked: Asked, wanted: api.ReadLog) -> api.StepLog:
    """Read what was printed."""
    return runs.log(asked.session, wanted)


@carries_out(api.STOP)
def stop(asked: Asked, wanted: api.StopRun) -> api.Stopping:
    """Stop it."""
    return runs.stop(asked.session, wanted.task, wanted.reason)
