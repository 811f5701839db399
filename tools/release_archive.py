"""Packs what a host needs to install a release of the router, and names the release by its content.

    python tools/release_archive.py FOLDER [--source CHECKOUT]

Writes ``FOLDER/ID.tar.gz`` and prints one JSON object: ``release`` (the ID), ``programs`` (the digest
of the C++ part alone, which is built anew only when that changes) and ``archive``. Same sources, same bytes.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import json
import os
import re
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

PARTS: Final = (
    "LICENSE",
    "README.md",
    "appliance",
    "getdcmtags",
    "mercure",
    "pyproject.toml",
    "requirements-build.lock",
    "requirements.lock",
    "tui",
)
"""What goes in; the tests, the documentation and the playbook stay behind."""

PROGRAMS: Final = "getdcmtags"
_LEFT_OUT: Final = re.compile(r"(^|/)(build[^/]*|__pycache__|tests|fuzz|\.[^/]+)(/|$)|\.pyc$")
_DIGITS: Final = 12


def files(source: Path) -> Iterator[str]:
    """Yield the paths of what goes in, relative to the checkout, in order."""
    for part in PARTS:
        if not (source / part).exists():
            raise FileNotFoundError(f"{source} is no checkout of the router: {part} is missing")
        found = [source / part] if (source / part).is_file() else sorted((source / part).rglob("*"))
        for path in found:
            name = path.relative_to(source).as_posix()
            if path.is_file() and not _LEFT_OUT.search(name):
                yield name


def digest(source: Path, names: list[str]) -> str:
    """Return the digest of names, permissions to execute, and contents."""
    total = hashlib.sha256()
    for name in names:
        path = source / name
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        total.update(f"{name}\0{os.access(path, os.X_OK)}\0{content}\n".encode())
    return total.hexdigest()[:_DIGITS]


def pack(source: Path, names: list[str], archive: Path) -> None:
    """Write the archive, under its name only when it is whole."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name in names:
            entry = tarfile.TarInfo(name)
            content = (source / name).read_bytes()
            entry.size = len(content)
            entry.mode = 0o755 if os.access(source / name, os.X_OK) else 0o644
            tar.addfile(entry, io.BytesIO(content))
    archive.parent.mkdir(parents=True, exist_ok=True)
    part = archive.with_suffix(f".{os.getpid()}.part")
    part.write_bytes(gzip.compress(raw.getvalue(), mtime=0))
    part.replace(archive)


def main() -> int:
    """Pack, and say what was packed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--source", type=Path, default=Path(__file__).resolve().parents[1])
    given = parser.parse_args()
    source: Path = given.source.resolve()
    try:
        names = list(files(source))
    except FileNotFoundError as error:
        sys.exit(str(error))
    version = re.search(r'__version__ = "([0-9a-z.+]+)"', (source / "mercure/__init__.py").read_text())
    if version is None:
        sys.exit(f"{source}/mercure/__init__.py names no version")
    release = f"{version[1]}-{digest(source, names)}"
    archive = given.folder.absolute() / f"{release}.tar.gz"
    if not archive.exists():
        pack(source, names, archive)
    programs = digest(source, [name for name in names if name.startswith(f"{PROGRAMS}/")])
    print(json.dumps({"release": release, "programs": programs, "archive": str(archive)}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
