"""One run of one module: begun or found again, watched, and its result or failure put on record.

The order of the steps is what a crash cannot break. A run is asked for by name before it is started; its result (or
what is left of its failure) appears in the task by one rename; then it is told; then the task's model counts it; and
only then the runner forgets it. Whoever comes back finds out from the files how far that went, and goes on there.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Literal

from mercure import durable
from mercure.clock import Clock
from mercure.config import Config, ModuleSettings
from mercure.dicom.copies import AlteredImageError
from mercure.event_details import ImagesSuperseded, ModuleStarted, Warned
from mercure.events import EventWriter
from mercure.processing.adopt import adopt
from mercure.processing.contract import build_inputs, mount_problem, task_content, write_task_file
from mercure.processing.inputs import StepInputs, step_inputs
from mercure.processing.module_health import ModuleHealth
from mercure.processing.record import StepRecorder
from mercure.processing.result import Result, ResultError
from mercure.processing.steps import (
    LOG_FILE,
    RECORD_FILE,
    RESULT_FILE,
    RUN_FILE,
    STOP_FILE,
    RunRecord,
    StepRecord,
    failed_folder,
    read_run,
    run_folder,
    step_folder,
)
from mercure.processing.survey import used_bytes
from mercure.runners import (
    Run,
    RunLimits,
    RunMount,
    Runner,
    RunnerUnavailableError,
    RunOutcome,
    RunRequest,
    RunStatus,
    open_runner,
    run_name,
)
from mercure.spool import Claim, Failure, Spool, Stage, Task, nudge, read_tags
from mercure.spool.altered_images import AlteredBook, AlteredImage
from mercure.spool.images import text
from mercure.spool.task_events import NAMED_IMAGES

LOOK_SECONDS: Final = 1.0
"""A run is looked at this often: for its limits, for the end of the service, for a person who wants it stopped."""

AWAY_SECONDS: Final = 5.0
"""A runner that does not answer is asked again after this time."""

_NOTE_BYTES: Final = 256
"""A bounded log may be longer than its limit by the note about what was left out."""

_ALTERED_ADVICE: Final = (
    "ask for the series to be sent again from the scanner: it then arrives late and is processed by the rules; after "
    "that discard this task. `mercure verify --deep` checks what else the disk holds, `smartctl -a` the disk; retry "
    "reads the copy once more"
)
_log = logging.getLogger(__name__)


class ModuleNotAllowedError(Exception):
    """The configuration of the module asks for something that is not allowed."""


@dataclass(frozen=True)
class StepExecutor:
    """Runs the next module of a task.

    Parameters
    ----------
    spool, events, clock
        Where, who is told, and when.
    config : Config
        The configuration of now.
    name : str
        The module.
    settings : ModuleSettings
        Its settings.
    runner : Runner
        What runs it.
    health : ModuleHealth
        To be told that it can be run.
    persistence : Path
        The folder of the modules' persistence folders.
    stopping : callable
        Tells whether the service is ending.
    """

    spool: Spool
    events: EventWriter
    clock: Clock
    config: Config
    name: str
    settings: ModuleSettings
    runner: Runner
    health: ModuleHealth
    persistence: Path
    stopping: Callable[[], bool]

    def attempt(self, claim: Claim, task: Task) -> Task | None:
        """Run the module on a task whose earlier runs are all on record.

        Returns
        -------
        Task or None
            The model after the run; None when the service is ending and the run goes on without it, or will be run
            again.

        Raises
        ------
        RunnerUnavailableError, mercure.runners.ImageMissingError, NotAllowedError
            It could not be run; the task is as it was.
        OSError
            As the disk says; the run is taken up or repeated later.
        """
        step, number = len(task.done) + 1, task.attempts_made + 1
        folder = run_folder(claim.path, step, number)
        request = self._request(task, folder, step, number)
        inputs = step_inputs(claim.path, task, self.config.character_set_of)
        run = self._found(folder, request)
        if run is None:
            try:
                self._build(inputs, task, folder, request)
            except AlteredImageError as error:
                durable.remove_tree(folder)
                return self._altered(claim.path, task, error)
            self._tell_start(task, inputs, request, step, number)
            run = self.runner.start(request)
        # Only now it is known that the module can be run: an image that is there says nothing of a start that fails.
        self.health.worked()
        nudge(claim.path)
        watch = _Watch(run, request, self.runner, self.stopping, claim.path / STOP_FILE)
        status = watch.to_the_end()
        if status is None or status.outcome is None:
            return None
        self._put_on_record(claim.path, task, inputs, status, status.outcome)
        return StepRecorder(self.events, self.clock).settle(claim.path, task, self.settings)

    def _request(self, task: Task, folder: Path, step: int, number: int) -> RunRequest:
        settings, shared = self.settings, self.config.processing
        problem = mount_problem(self.config, settings)
        if problem:
            raise ModuleNotAllowedError(problem)
        persistence = None
        if settings.persistence is not None:
            persistence = self.persistence / settings.persistence
            for path in (self.persistence, persistence):
                if not path.is_dir():
                    durable.make_directory(path)
        return RunRequest(
            name=run_name(task.id, step, number),
            folder=folder,
            image=settings.image,
            arguments=settings.arguments,
            environment=settings.environment,
            limits=RunLimits(
                memory_bytes=settings.memory_bytes,
                cores=settings.cores,
                gpus=settings.gpus,
                processes=settings.processes,
                seconds=settings.time_limit_seconds,
                output_bytes=settings.output_limit_bytes,
                log_bytes=shared.log_limit_bytes,
            ),
            mounts=[RunMount(mount.source, mount.target, mount.writable) for mount in settings.mounts],
            persistence=persistence,
            network=settings.network,
            shared_memory=settings.shared_memory,
            grace_seconds=shared.stop_grace_seconds,
        )

    def _found(self, folder: Path, request: RunRequest) -> Run | None:
        """Find the run of this name that an earlier processor started; remove what is left of one that never began."""
        known = read_run(folder)
        if known is not None:
            same = known.runner == self.settings.runner
            runner = self.runner if same else open_runner(known.runner, self.config.processing)
            run = runner.attach(request)
            if run is not None and same:
                _log.info("a run was found again", extra={"run": request.name})
                return run
            if run is not None:  # the module has another runner now: the old one must not go on beside it
                run.stop("stopped")
                run.clean_up()
        if folder.is_dir():
            durable.remove_tree(folder)
        return None

    def _build(self, inputs: StepInputs, task: Task, folder: Path, request: RunRequest) -> None:
        durable.make_directory(folder, sync=False)
        build_inputs(inputs, folder, copies=not self.runner.guards_inputs, sync=not self.runner.local)
        write_task_file(folder, task_content(self.config, self.name, self.settings, task))
        known = RunRecord(runner=self.settings.runner, module=self.name, run=request.name)
        durable.write_file(folder / RUN_FILE, known.model_dump_json().encode())

    def _altered(self, directory: Path, task: Task, error: AlteredImageError) -> Task:
        """Note an image that is not what was received, and return the task as it fails for it: no module sees it."""
        now = self.clock.now()
        path = directory / error.file
        found = AlteredImage(
            path=str(path.relative_to(self.spool.root)),
            task=task.id,
            series=task.identity.SeriesInstanceUID or None,
            sop=_sop(directory, error.file),
            sender=task.origin.known_as,
            text=error.what,
            found_by="processing",
            found=now,
        )
        AlteredBook(self.spool).note(found, self.events)
        reason = f"{error.file} is altered on our disk, and module {self.name!r} was not run: {error.what}"
        failure = Failure(stage=Stage.PROCESSING.value, reason=reason, advice=_ALTERED_ADVICE, at=now)
        return task.model_copy(update={"failure": failure, "next_attempt": None})

    def _tell_start(self, task: Task, inputs: StepInputs, request: RunRequest, step: int, number: int) -> None:
        started = ModuleStarted(
            module=self.name,
            step=step,
            steps=step + len(task.modules),
            number=number,
            runner=self.settings.runner,
            image=self.settings.image,
            run=request.name,
            images=len(inputs.images),
        )
        series = task.identity.SeriesInstanceUID or None
        self.events.emit(started, task=task.id, series=series, key=f"module.started:{step}:{number}")
        if inputs.superseded:
            sops = tuple(text(image.record, "SOPInstanceUID") for image in inputs.superseded[:NAMED_IMAGES])
            older = ImagesSuperseded(target="", module=self.name, sops=sops, images=len(inputs.superseded), by=task.id)
            self.events.emit(older, task=task.id, series=series, key=f"images.superseded:module:{step}")

    def _put_on_record(
        self, directory: Path, task: Task, inputs: StepInputs, status: RunStatus, outcome: RunOutcome
    ) -> None:
        """Make the folder that says how the run ended, with the result where it is good; it appears by one rename."""
        step, number = len(task.done) + 1, task.attempts_made + 1
        folder = run_folder(directory, step, number)
        record = StepRecord(
            step=step,
            number=number,
            module=self.name,
            runner=self.settings.runner,
            image=self.settings.image,
            run=run_name(task.id, step, number),
            where=status.where,
            started=self.clock.now() - timedelta(seconds=outcome.seconds),
            seconds=outcome.seconds,
            well=outcome.well,
            how=outcome.how,
            code=outcome.code,
            text=outcome.text,
            superseded=tuple(image.file for image in inputs.superseded[:NAMED_IMAGES]),
            superseded_files=len(inputs.superseded),
        )
        if outcome.well:
            try:
                self._take_result(directory, task, inputs, folder, record)
            except ResultError as error:
                record = record.model_copy(update={"well": False, "how": "result", "text": str(error)})
            else:
                return
        building = _begin(failed_folder(directory, step, number))
        _finish(building, failed_folder(directory, step, number), folder, record, self._log_limit)

    def _take_result(self, directory: Path, task: Task, inputs: StepInputs, folder: Path, record: StepRecord) -> None:
        step = record.step
        building = _begin(step_folder(directory, step))
        try:
            assumed = self.config.character_set_of(task.origin.calling_aet, task.origin.address)
            adopted = adopt(folder / "out", building, inputs, self.settings, task, character_set=assumed)
            needed = bool(task.modules) or (bool(task.then_targets) and not task.also_routed)
            if needed and not adopted.images and not _settles(adopted.result):
                follows = f"module {task.modules[0]!r}" if task.modules else "the rule's targets"
                raise ResultError(f"it ended well and wrote no image for {follows}")
        except ResultError:
            durable.remove_tree(building)
            raise
        if adopted.replaced:
            self._tell_replaced(task, record, adopted.replaced)
        if adopted.result is not None:
            durable.write_file(building / RESULT_FILE, json.dumps(adopted.result.content, indent=1).encode())
        update = {
            "images": adopted.images,
            "bytes": adopted.bytes,
            "left_out": adopted.left_out,
            "left_out_files": adopted.left_out_files,
        }
        full = record.model_copy(update=update)
        _finish(building, step_folder(directory, step), folder, full, self._log_limit)

    def _tell_replaced(self, task: Task, record: StepRecord, replaced: tuple[str, ...]) -> None:
        text = (
            f"module {self.name!r} wrote {len(replaced)} images with other content under the SOP Instance UID of one "
            f"that went in ({replaced[0]} ...)"
        )
        advice = (
            "a changed image needs a UID of its own (PS3.4 C.6.1); a target that has the original keeps one of them"
        )
        key = f"replaced:{record.step}:{record.number}"
        self.events.emit(Warned(text=text, advice=advice), task=task.id, key=key)

    @property
    def _log_limit(self) -> int:
        return self.config.processing.log_limit_bytes + _NOTE_BYTES


@dataclass
class _Watch:
    """A run on its way to its end."""

    run: Run
    request: RunRequest
    runner: Runner
    stopping: Callable[[], bool]
    stop_file: Path
    _begun: float | None = None

    def to_the_end(self) -> RunStatus | None:
        """Wait for the end of the run, or bring it about; None when the service ends before.

        A runner that goes away meanwhile says nothing of the run: it is asked until it answers.
        """
        while True:
            try:
                status = self.run.wait(LOOK_SECONDS)
                if status.state != "ended":
                    if self.stopping():
                        if not self.runner.outlives:
                            self.run.stop("stopped")
                            self.run.clean_up()
                        return None
                    how = self._beyond(status)
                    if how is None:
                        continue
                    status = status.model_copy(update={"state": "ended", "outcome": self.run.stop(how)})
                self.run.collect()
            except RunnerUnavailableError as error:
                _log.warning("the runner does not answer: %s", error, extra={"run": self.request.name})
                if self.stopping():
                    return None
                time.sleep(AWAY_SECONDS)
                continue
            return status

    def _beyond(self, status: RunStatus) -> Literal["time", "output", "stopped"] | None:
        """Tell for which reason the run is to be stopped, if for any."""
        if self.stop_file.exists():
            return "stopped"
        if status.state == "running" and self._seconds(status) > self.request.limits.seconds:
            return "time"
        if used_bytes(self.request.outputs) > self.request.limits.output_bytes:
            return "output"
        return None

    def _seconds(self, status: RunStatus) -> float:
        """Return for how long it runs: by our own clock since we know it, and before that as the runner says."""
        now = time.monotonic()
        if self._begun is None:
            before = (datetime.now(UTC) - status.started).total_seconds() if status.started else 0.0
            self._begun = now - max(0.0, before)
        return now - self._begun


def _settles(result: Result | None) -> bool:
    """Tell whether a result says itself that nothing is to be sent."""
    return result is not None and result.routing.discard


def _sop(directory: Path, file: str) -> str:
    record = next((record for record in read_tags(directory) if record.get("FileName") == file), {})
    return text(record, "SOPInstanceUID")


def _begin(final: Path) -> Path:
    """Make the hidden folder in which what will appear as `final` is built."""
    building = final.with_name(f".{final.name}.new")
    if building.exists():
        durable.remove_tree(building)
    durable.make_directory(building, sync=False)
    return building


def _finish(building: Path, final: Path, run: Path, record: StepRecord, log_limit: int) -> None:
    durable.write_file(building / LOG_FILE, _read_bounded(run / LOG_FILE, log_limit))
    durable.write_file(building / RECORD_FILE, record.model_dump_json(indent=1).encode())
    durable.rename(building, final)


def _read_bounded(path: Path, limit: int) -> bytes:
    """Read a log, which may be anything where a module could reach it; nothing when there is none."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return b""
    with open(descriptor, "rb") as file:
        return file.read(limit)
