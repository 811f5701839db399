"""The kinds of runner, each with its real program behind it that can be taken away and brought back."""

from __future__ import annotations

import shutil
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, Protocol

import pytest

from mercure.config.processing import Processing
from mercure.config.processing import Slurm as SlurmSettings
from mercure.runners.command import CommandRunner
from mercure.runners.podman import PodmanRunner
from mercure.runners.slurm import SlurmRunner
from modules.build import Content, system_content, write_image
from tests.support.folders import short_folder
from tests.support.podman import Podman, rootless_podman
from tests.support.slurm import Slurm, slurm_cluster

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager

    from mercure.runners import Runner, RunRequest

PROBE: Final = Path(__file__).with_name("probe.py")
IMAGE: Final = "localhost/mercure-probe:latest"
INSIDE: Final = "/opt/probe/probe.py"


class Backend(Protocol):
    """One kind of runner, and what is behind it.

    A new kind adds a class here and a line in `BACKENDS`, and has to pass every test of this folder.
    """

    image: str
    """What runs the probe."""

    no_image: str
    """The name of an image (or program) that does not exist."""

    folder: Path
    """Where runs may be made; what is behind the runner can enter it."""

    def runner(self) -> Runner:
        """Make a runner, as a processor that begins anew does."""

    def not_installed(self) -> Runner:
        """Make a runner that does not find its program."""

    def at_work(self, request: RunRequest) -> Path:
        """Return the folder with ``in/`` and ``out/`` that the module sees while it runs."""

    def own(self, *paths: Path) -> None:
        """Give files and folders to the user as whom modules write."""

    def left(self) -> list[str]:
        """Name what the runner has, besides files in the folders of runs."""


@dataclass
class CommandBackend:
    """Programs of this machine in bubblewrap."""

    folder: Path
    image: str = str(PROBE)
    no_image: str = "/usr/bin/no-such-module"

    def __post_init__(self) -> None:
        self.image = str(shutil.copy(PROBE, self.folder / "probe"))
        Path(self.image).chmod(0o755)

    def runner(self) -> Runner:
        return CommandRunner(Processing())

    def not_installed(self) -> Runner:
        return CommandRunner(Processing(), "no-such-program")

    def at_work(self, request: RunRequest) -> Path:
        return request.folder

    def own(self, *paths: Path) -> None:
        pass

    def left(self) -> list[str]:
        return []


@dataclass
class PodmanBackend:
    """Containers of a podman of the test's own."""

    folder: Path
    podman: Podman
    image: str = IMAGE
    no_image: str = "localhost/no-such-module:latest"

    def runner(self) -> Runner:
        return PodmanRunner(Processing(), self.podman.command)

    def not_installed(self) -> Runner:
        return PodmanRunner(Processing(), ("no-such-program",))

    def at_work(self, request: RunRequest) -> Path:
        return request.folder

    def own(self, *paths: Path) -> None:
        self.podman.own(*paths)

    def left(self) -> list[str]:
        return self.podman.containers()


@dataclass
class SlurmBackend:
    """Jobs of a cluster of the test's own, whose nodes shut modules in by bubblewrap."""

    slurm: Slurm
    folder: Path
    container: Literal["none", "podman", "bwrap"] = "bwrap"
    image: str = ""
    no_image: str = ""

    def __post_init__(self) -> None:
        self.image = str(shutil.copy(PROBE, self.slurm.shared / "probe"))
        Path(self.image).chmod(0o755)
        self.no_image = str(self.slurm.shared / "no-such-module")

    def runner(self) -> Runner:
        return SlurmRunner(self._settings(), self.slurm.prefix)

    def not_installed(self) -> Runner:
        return SlurmRunner(self._settings(), ("no-such-program",))

    def _settings(self) -> Processing:
        # The smallest step that a cluster is asked in; people choose seconds.
        cluster = SlurmSettings(folder=self.slurm.shared, container=self.container, poll_seconds=0.05)
        return Processing(slurm=cluster)

    def at_work(self, request: RunRequest) -> Path:
        return self.slurm.shared / request.name

    def own(self, *paths: Path) -> None:
        pass

    def left(self) -> list[str]:
        folders = [path.name for path in self.slurm.shared.iterdir() if path.name.startswith(("mercure-", "."))]
        return self.slurm.jobs() + folders


def probe_image(archive: Path, environment: Mapping[str, str] | None = None) -> None:
    """Write the probe's image."""
    probe = Content()
    probe.add(INSIDE.lstrip("/"), PROBE)
    write_image(archive, IMAGE, [system_content(), probe], ("/usr/bin/python3", INSIDE), environment)


@contextmanager
def _command() -> Iterator[CommandBackend]:
    if shutil.which("bwrap") is None:
        pytest.skip("bubblewrap is not installed: run `make setup-test`")
    with short_folder() as folder:
        yield CommandBackend(folder)


@contextmanager
def podman_backend() -> Iterator[PodmanBackend]:
    """Give a podman that has the probe's image."""
    with ExitStack() as stack:
        podman = stack.enter_context(rootless_podman())
        folder = stack.enter_context(short_folder())
        probe_image(folder / "probe.tar")
        podman.call("load", "--quiet", "--input", str(folder / "probe.tar"))
        yield PodmanBackend(folder, podman)


@contextmanager
def _slurm() -> Iterator[SlurmBackend]:
    with slurm_cluster() as cluster, short_folder() as folder:
        yield SlurmBackend(cluster, folder)


BACKENDS: Final[dict[str, Callable[[], AbstractContextManager[Backend]]]] = {
    "command": _command,
    "podman": podman_backend,
    "slurm": _slurm,
}
