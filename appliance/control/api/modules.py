"""The processing modules: what can be done to them, and what their runs left in a task."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import AwareDatetime, Field, JsonValue

from appliance.control.api.base import Saved, Verb
from mercure.model import Model

Comment = Annotated[str, Field(max_length=2000)]


class OneModule(Model):
    """A module."""

    name: str


class CheckModule(Model):
    """A module of the configuration, or settings that are not saved (yet)."""

    name: str
    settings: dict[str, JsonValue] | None = None


class ModuleChecked(Model):
    """Whether a module's runner could run it now, and what was found. An image is not pulled for that."""

    module: str
    runner: str
    ok: bool
    text: str
    seconds: float


class SaveModule(Model):
    """A module as it is to be; `rename_from` gives one that is there a new name, in the rules too."""

    name: str
    settings: dict[str, JsonValue]
    rename_from: str | None = None
    edited_from: int
    comment: Comment = ""


class SwitchModule(OneModule):
    """A module that is to be switched on or off."""

    on: bool
    edited_from: int
    comment: Comment = ""


class DeleteModule(OneModule):
    """A module that is to be removed; the rules that name it must be changed before."""

    edited_from: int
    comment: Comment = ""


class TestModule(OneModule):
    """Run a module on the images of a task that is in the spool, beside what becomes of that; nothing is sent."""

    task: str
    settings: dict[str, JsonValue] = {}


class ModuleTest(Model):
    """The task in which a module is tried out; `modules.steps` tells how it goes on."""

    module: str
    task: str
    images: int


class OneTask(Model):
    """A task, by its id or the end of it."""

    task: str


class Step(Model):
    """A run of a module: ``running``, ``well`` or ``failed``; `how` as in the event ``module.failed``."""

    step: int
    number: int
    module: str
    runner: str
    image: str = ""
    run: str = ""
    where: str = ""
    state: str
    how: str = ""
    text: str = ""
    started: AwareDatetime | None = None
    seconds: float = 0.0
    images: int = 0
    bytes: int = 0
    left_out: tuple[str, ...] = ()
    superseded: tuple[str, ...] = ()
    """Older versions of images, which the module was not given."""
    result: JsonValue = None


class Steps(Model):
    """The runs of a task's modules in their order, and what its next module may use (none when all have run)."""

    task: str
    stage: str
    done: tuple[str, ...]
    to_come: tuple[str, ...]
    steps: tuple[Step, ...]
    limits: dict[str, JsonValue] = {}


class ReadLog(OneTask):
    """The log of a run; of the last one where none is named."""

    step: Annotated[int, Field(ge=1)] | None = None
    number: Annotated[int, Field(ge=1)] | None = None
    chars: Annotated[int, Field(ge=1, le=1_000_000)] = 100_000


class StepLog(Model):
    """The end of what a module printed; control characters are replaced."""

    task: str
    text: str
    bytes: int


class StopRun(OneTask):
    """A run that is to be stopped; its task is put aside into ``error/`` and can be retried."""

    reason: str = ""


class Stopping(Model):
    """The run will be stopped within a moment."""

    task: str


CHECK: Final = Verb(
    "modules.check", CheckModule, ModuleChecked, "operator", "Ask a module's runner whether it could run it now."
)
SAVE: Final = Verb("modules.save", SaveModule, Saved, "admin", "Add or change a module.", changes=True)
SWITCH: Final = Verb("modules.switch", SwitchModule, Saved, "admin", "Switch a module on or off.", changes=True)
DELETE: Final = Verb("modules.delete", DeleteModule, Saved, "admin", "Remove a module.", changes=True)
TEST: Final = Verb(
    "modules.test", TestModule, ModuleTest, "operator", "Run a module on the images of a task; nothing is sent.",
    changes=True,
)  # fmt: skip
STEPS: Final = Verb("modules.steps", OneTask, Steps, "viewer", "Tell how the modules of a task have run.")
LOG: Final = Verb("modules.log", ReadLog, StepLog, "viewer", "Read the log of a module's run.")
STOP: Final = Verb("modules.stop", StopRun, Stopping, "operator", "Stop the run of a task's module.", changes=True)
