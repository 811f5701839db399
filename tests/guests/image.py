"""Debian's root file system and kernel, made from packages once and kept."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.guests.commands import run
from tests.guests.places import cache
from tests.guests.registries import apt_sources

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGES: Final = (
    "ca-certificates",
    "dbus",
    "ifupdown",
    "iproute2",
    "kmod",
    "libpam-systemd",
    "openssh-server",
    "procps",
    "python3",
    "python3-apt",
    "sudo",
    "systemd",
    "systemd-sysv",
    "udev",
)
"""What a server has after Debian's installer with "SSH server" chosen, as far as the playbook meets it."""
KERNEL_PACKAGE: Final = "linux-image-cloud-amd64"
"""Has ext4, NVMe and virtio built in: a guest needs no initramfs, which would take minutes to make under emulation."""


def root_archive(release: str) -> Path:
    """Return a tar archive of a bare Debian; it is made where it is not there yet (half a minute).

    Parameters
    ----------
    release : str
        ``bookworm`` or ``trixie``.
    """
    sources = apt_sources(release)
    recipe = "\n".join([release, sources, *PACKAGES])
    archive = cache() / f"{release}-{_digest(recipe)}.tar"
    with _made_once(archive) as part:
        if part is not None:
            run("mmdebstrap", "--quiet", "--variant=apt", f"--include={','.join(PACKAGES)}", "--format=tar",
                release, part, _sources_file(part, sources))  # fmt: skip
    return archive


def kernel(release: str) -> Path:
    """Return a folder with ``vmlinuz`` and ``modules/VERSION`` of Debian's kernel, not installed anywhere."""
    sources = apt_sources(release)
    folder = cache() / f"kernel-{release}-{_digest(sources)}"
    with _made_once(folder) as part:
        if part is not None:
            tree = part.with_name(f"{part.name}.tree")
            shutil.rmtree(tree, ignore_errors=True)
            run("mmdebstrap", "--quiet", "--variant=extract", f"--include={KERNEL_PACKAGE}", "--format=directory",
                release, tree, _sources_file(part, sources))  # fmt: skip
            part.mkdir()
            next((tree / "boot").glob("vmlinuz-*")).rename(part / "vmlinuz")
            modules = tree / "lib/modules"
            (modules if modules.exists() else tree / "usr/lib/modules").rename(part / "modules")
            shutil.rmtree(tree)
    return folder


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _sources_file(part: Path, sources: str) -> Path:
    file = part.with_name(f"{part.name}.sources")
    file.write_text(sources)
    return file


@contextmanager
def _made_once(result: Path) -> Iterator[Path | None]:
    """Give a temporary path to make ``result`` at, or None where it is there; one maker at a time."""
    result.parent.mkdir(parents=True, exist_ok=True)
    with result.with_name(f"{result.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if result.exists():
            os.utime(result)
            yield None
            return
        part = result.with_name(f"part-{result.name}")
        if part.is_dir():
            shutil.rmtree(part)
        part.unlink(missing_ok=True)
        yield part
        part.rename(result)
