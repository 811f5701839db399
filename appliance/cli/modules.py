"""``mercure modules``."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import click

from appliance.cli import exit_codes
from appliance.cli.assignments import values_of
from appliance.cli.common import Failure, end_with, json_option, narrate, root_option, show, watch_option
from appliance.cli.entries import add_entry_commands
from appliance.cli.lazy import OrderedGroup
from appliance.cli.requests import ask
from appliance.cli.text import table
from appliance.presentation.figures import short_moment
from mercure.printable import printable

if TYPE_CHECKING:
    from appliance.control.api.configuration import Modules, ModuleState
    from appliance.control.api.modules import Step


@click.group(cls=OrderedGroup)
@root_option
def modules() -> None:
    """See processing modules, change them, try them out, and read what they printed."""


def _known() -> Modules:
    from appliance.control import api  # noqa: PLC0415

    return ask(api.configuration.MODULES)


def _find(known: Modules, name: str) -> ModuleState:
    for module in known.modules:
        if module.name == name:
            return module
    names = ", ".join(module.name for module in known.modules)
    raise Failure(f"there is no module {name!r}", f"there are {names}" if names else "there are no modules")


@modules.command("list")
@watch_option
@root_option
@json_option(modules="appliance.control.api.configuration:ModuleState")
def list_() -> None:
    """List the modules, what waits for them, and which cannot be run."""
    found = _known().modules
    show({"modules": found}, lambda: table(["MODULE", "RUNNER", "WAITING", "FAILED", "STATE", "IMAGE"], _rows(found)))


def _rows(found: Iterable[ModuleState]) -> Iterator[tuple[str, ...]]:
    for module in found:
        state = "disabled" if module.disabled else "no outage known"
        if module.outage is not None and not module.disabled:
            state = f"cannot be run since {short_moment(module.outage.since)}: {module.outage.error}"
        yield (module.name, module.runner, str(module.waiting), str(module.failed), state, module.image)


@modules.command("show")
@click.argument("name", metavar="MODULE")
@root_option
@json_option("appliance.control.api.configuration:ModuleState")
def show_(name: str) -> None:
    """Show the settings of a module."""
    module = _find(_known(), name)

    def lines() -> Iterator[str]:
        yield from (f"{key}: {printable(_text(value))}" for key, value in module.settings.items())
        yield f"rules: {printable(', '.join(module.rules) or 'none')}"

    show(module, lines)


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


add_entry_commands(modules, "modules")


@modules.command()
@click.argument("name", metavar="MODULE")
@root_option
@json_option("appliance.control.api.modules:ModuleChecked")
def check(name: str) -> None:
    """Ask whether a module could be run now. Exit code 0: it could; 1: it could not."""
    from appliance.control import api  # noqa: PLC0415

    found = ask(api.modules.CHECK, api.modules.CheckModule(name=name))
    word = "well" if found.ok else "bad"
    show(found, lambda: [printable(f"{found.module} ({found.runner}): {word}: {found.text}")])
    end_with(exit_codes.WELL if found.ok else exit_codes.FAILED)


@modules.command()
@click.argument("name", metavar="MODULE")
@click.argument("task", metavar="TASK")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="A setting of the module for this test.")
@root_option
@json_option("appliance.control.api.modules:ModuleTest")
def test(name: str, task: str, settings: tuple[str, ...]) -> None:
    """Run a module on the images of a task that is in the spool; nothing is sent.

    The test is a task of its own: `mercure modules steps` and `mercure modules log` tell how it goes on.
    """
    from appliance.control import api  # noqa: PLC0415

    made = ask(api.modules.TEST, api.modules.TestModule(name=name, task=task, settings=values_of(settings)))
    narrate(f"{made.images} images wait for module {made.module}")
    show(made, lambda: [made.task])


@modules.command()
@click.argument("task", metavar="TASK")
@root_option
@json_option("appliance.control.api.modules:Steps")
def steps(task: str) -> None:
    """Tell how the modules of a task have run."""
    from appliance.control import api  # noqa: PLC0415

    found = ask(api.modules.STEPS, api.modules.OneTask(task=task))
    show(found, lambda: table(["STEP", "RUN", "MODULE", "STATE", "SECONDS", "IMAGES", ""], _step_rows(found.steps)))


def _step_rows(found: Iterable[Step]) -> Iterator[tuple[str, ...]]:
    for step in found:
        text = step.text or (_text(step.result) if step.result is not None else "")
        yield (str(step.step), str(step.number), step.module, step.state, f"{step.seconds:.1f}", str(step.images), text)


@modules.command()
@click.argument("task", metavar="TASK")
@click.option("--step", type=click.IntRange(1), help="Of which module of the chain.  [default: the last run]")
@click.option("--run", "number", type=click.IntRange(1), help="Of which run.")
@root_option
@json_option("appliance.control.api.modules:StepLog")
def log(task: str, step: int | None, number: int | None) -> None:
    """Print what a module printed when it ran on a task."""
    from appliance.control import api  # noqa: PLC0415

    found = ask(api.modules.LOG, api.modules.ReadLog(task=task, step=step, number=number))
    show(found, found.text.splitlines)


@modules.command()
@click.argument("task", metavar="TASK")
@click.option("--reason", default="", help="Why; it is kept in the audit.")
@root_option
@json_option("appliance.control.api.modules:Stopping")
def stop(task: str, reason: str) -> None:
    """Stop the run of a task's module; the task is put aside, and can be retried."""
    from appliance.control import api  # noqa: PLC0415

    stopping = ask(api.modules.STOP, api.modules.StopRun(task=task, reason=reason))
    show(stopping, lambda: [f"the run of task {stopping.task} is being stopped"])
