"""Self-test: the checks of `appliance.health`, then a made-up image from a sender to a target.

The image goes through a receiver, a router and a dispatcher of its own, in a folder on the spool's disk that goes with
it, to a second receiver that stands for a target. All listen on loopback. The router's own rules, targets and history
are not touched: a test must not leave an image in a real archive.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from pydicom import dcmread

from appliance.control.api import selftest as api
from appliance.control.api.base import Progress
from appliance.control.api.selftest import RunSelftest, Selftest, Step
from appliance.control.errors import ControlError
from appliance.control.registry import Asked, carries_out_for_caller
from appliance.control.session import Session
from appliance.control.targets.probe_send import job_of, write_images
from appliance.health import CHECKS, HealthFinding, well
from mercure.clock import Clock
from mercure.config import Config, Root
from mercure.dicom.receiver_program import receiver_settings
from mercure.dicom.tools import ToolMissingError, tool_path
from mercure.services.common import Context, open_store
from mercure.services.dispatcher import Dispatcher
from mercure.services.router import Router
from mercure.spool import Changes, Spool, Stage
from mercure.targets import MODELS, ImageResult, open_target

STEP_SECONDS: Final = 30.0
"""The longest that one step may take."""

_LOOPBACK: Final = "127.0.0.1"
_TARGET: Final = "loopback"
_PAUSE: Final = 0.02

Report = Callable[[Progress], None]


class _StepFailedError(Exception):
    """A step of the image's way did not work; the text says what was found."""


@carries_out_for_caller(api.RUN)
def run(asked: Asked, wanted: RunSelftest) -> Selftest:
    """Ask all questions, and send an image through where one is wanted; each step is reported before it begins.

    Raises
    ------
    ControlError
        There is no configuration, or the spool belongs to another user.
    """
    session, image = asked.session, wanted.image
    begin = session.clock.monotonic()
    total = len(CHECKS) + (len(_WAY) if image else 0)
    steps: list[Step] = []

    def take(name: str, ask: Callable[[], HealthFinding]) -> Step:
        asked.report(Progress(done=len(steps), total=total, text=name))
        step = _step(name, ask, session.clock)
        steps.append(step)
        return step

    with session.changing() as events:
        for name, check in CHECKS.items():
            take(name, lambda check=check: check(session))  # type: ignore[misc] # the question of this turn
        if image:
            _send_through(session, take, steps)
        asked.report(Progress(done=total, total=total, text="done"))
        ok = all(step.outcome in {"ok", "warning"} for step in steps)
        done = Selftest(ok=ok, steps=tuple(steps), seconds=round(session.clock.monotonic() - begin, 3))
        found = {step.name: step.outcome for step in steps if step.outcome != "ok"}
        session.audit(events, "selftest.run", "router", after={"ok": ok, "found": dict(found)})
    return done


def _step(name: str, ask: Callable[[], HealthFinding], clock: Clock) -> Step:
    """Take one step; whatever goes wrong in it is its result."""
    begin = clock.monotonic()
    try:
        found = ask()
    except (_StepFailedError, ToolMissingError) as error:
        found = HealthFinding("failed", str(error), "see the log of the control service")
    except ControlError as error:
        found = HealthFinding("failed", error.text, error.advice)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        found = HealthFinding("failed", f"{where}{error.strerror or error}", "see that the disk has room and works")
    seconds = round(clock.monotonic() - begin, 3)
    return Step(name=name, outcome=found.outcome, text=found.text, advice=found.advice, seconds=seconds)


def _send_through(
    session: Session, take: Callable[[str, Callable[[], HealthFinding]], Step], steps: list[Step]
) -> None:
    folder = Path(tempfile.mkdtemp(prefix=".selftest-", dir=session.spool.root))
    try:
        with ExitStack() as stack:
            way = _Way(folder, stack)
            failed = False
            for name, ask in _WAY.items():
                if failed:
                    steps.append(Step(name=name, outcome="not reached", text="a step before it failed"))
                else:
                    failed = take(name, lambda ask=ask: ask(way)).outcome == "failed"  # type: ignore[misc] # of this turn
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class _Way:
    """The way of one image, and what stands along it."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._root = Root(folder / "router")
        self._archive = Root(folder / "archive")
        self._images = folder / "images"
        self._stack = stack
        self._clock = Clock()  # of real programs, whatever the time of who asks
        self._port = 0

    def start(self) -> HealthFinding:
        """Start the receiver and the one that stands for a target."""
        with _free_port() as port, _free_port() as archive_port:
            self._port = port
            target = {"kind": "dicom", "host": _LOOPBACK, "port": archive_port, "called_aet": "ARCHIVE"}
            times = {"quiet_seconds": 5, "after_release_seconds": 0}
            config = self._configure(
                self._root,
                {
                    "receiver": {"bind": _LOOPBACK, "port": port, "ae_title": "SELFTEST", "min_free_bytes": 0},
                    "targets": {_TARGET: target},
                    "rules": {"everything": {"rule": "True", "targets": [_TARGET]}},
                    "completion": times,
                },
            )
            away = self._configure(
                self._archive,
                {"receiver": {"bind": _LOOPBACK, "port": archive_port, "ae_title": "ARCHIVE", "min_free_bytes": 0}},
            )
        for root, settings in ((self._root, config), (self._archive, away)):
            self._receiver(root, settings)
        return well(f"a receiver and a target listen on ports {port} and {archive_port} of {_LOOPBACK}")

    def receive(self) -> HealthFinding:
        """Send the image, as a scanner does."""
        self._images.mkdir()
        now = self._clock.now()
        series = write_images(self._images, 1, now)
        results: list[ImageResult] = []
        settings = MODELS["dicom"].model_validate(
            {"kind": "dicom", "host": _LOOPBACK, "port": self._port, "called_aet": "SELFTEST"}
        )
        trouble = open_target(settings, {}).deliver(job_of(self._images, series, results.append, now))
        if trouble is not None or not all(result.stored for result in results):
            raise _StepFailedError(trouble.text if trouble is not None else results[0].comment)
        return well("an image was sent and acknowledged")

    def route(self) -> HealthFinding:
        """Have the router complete the series and decide on it."""
        router = Router(self._context("router"))
        spool = self._spool
        self._until(lambda: bool(spool.names(Stage.OUTGOING)), router.turn, "the router made no task of it")
        return well("the series was complete, and its rule made a task of it")

    def deliver(self) -> HealthFinding:
        """Have the dispatcher deliver it."""
        dispatcher = Dispatcher(self._context("dispatcher"))
        spool = self._spool
        try:
            self._until(lambda: bool(spool.names(Stage.SUCCESS)), dispatcher.turn, "the task was not delivered")
        finally:
            dispatcher.end()
        return well("the target confirmed it")

    def compare(self) -> HealthFinding:
        """Compare what the target has with what was sent."""
        (sent,) = self._images.glob("*.dcm")
        stage = self._archive.path / "spool" / Stage.INCOMING.value
        arrived = [path for path in stage.glob("*/*.dcm") if not path.name.startswith(".")]
        if len(arrived) != 1:
            raise _StepFailedError(f"the target has {len(arrived)} images instead of one")
        if dcmread(arrived[0]) != dcmread(sent):
            raise _StepFailedError("the image at the target is not the one that was sent")
        return well(f"the target has it as it was sent, {arrived[0].stat().st_size} bytes")

    @property
    def _spool(self) -> Spool:
        return Spool(self._root.path / "spool")

    def _configure(self, root: Root, content: dict[str, object]) -> Config:
        for folder in (root.path, root.config, root.run):
            folder.mkdir()
        Spool(root.path / "spool").create()
        store = open_store(root)
        config = store.parse({"version": 1, "name": "selftest", **content})
        store.mercure.save(config, author="selftest", comment="", edited_from=0)
        return config

    def _receiver(self, root: Root, config: Config) -> None:
        """Start a receiver, and wait until it takes connections."""
        path = root.run / "receiver.json"
        path.write_text(json.dumps(receiver_settings(config, root.path / "spool")))
        log = self._stack.enter_context((root.run / "receiver.log").open("wb"))
        process = subprocess.Popen(
            [str(tool_path("mercure-storescp")), "--end-with-parent", "--config", str(path)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        self._stack.callback(_end, process)
        end = self._clock.monotonic() + STEP_SECONDS
        while not _listens(config.receiver.port):
            if process.poll() is not None or self._clock.monotonic() > end:
                text = (root.run / "receiver.log").read_text("utf-8", "replace")[-300:]
                raise _StepFailedError(f"the receiver does not listen on port {config.receiver.port}: {text}")
            time.sleep(_PAUSE)

    def _context(self, service: str) -> Context:
        context = Context(self._root.path, service, self._clock)
        context.start()
        self._stack.callback(context.finish)
        return context

    def _until(self, done: Callable[[], bool], turn: Callable[[Changes], float], otherwise: str) -> None:
        """Turn a service until something is there."""
        end = self._clock.monotonic() + STEP_SECONDS
        turn(Changes.everything())
        while not done():
            if self._clock.monotonic() > end:
                failed = self._spool.names(Stage.ERROR)
                more = " and is in error/" if failed else ""
                raise _StepFailedError(f"{otherwise} within {STEP_SECONDS:.0f} s{more}")
            time.sleep(_PAUSE)
            turn(Changes.everything())


_WAY: Final[dict[str, Callable[[_Way], HealthFinding]]] = {
    "start": _Way.start,
    "receive": _Way.receive,
    "route": _Way.route,
    "deliver": _Way.deliver,
    "compare": _Way.compare,
}
"""The steps of the image, in their order."""


@contextlib.contextmanager
def _free_port() -> Iterator[int]:
    """Give a free port, and keep it from the next one who asks as long as the block lasts."""
    with socket.socket() as holding:
        holding.bind((_LOOPBACK, 0))
        yield holding.getsockname()[1]


def _listens(port: int) -> bool:
    try:
        socket.create_connection((_LOOPBACK, port), timeout=1.0).close()
    except OSError:
        return False
    return True


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(5.0)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
