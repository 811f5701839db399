"""The files of a program or of a layer of an image, by their paths in it."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

PACKAGES: Final = ("pydicom",)
"""What a module may import besides the standard library."""

_LEFT_OUT: Final = ("__pycache__", "test_files", "tests")
# It looks for its example files when it is imported, in folders: there are none in a zip, and no module needs them.
_REPLACED: Final = {"pydicom": {"pydicom/examples/__init__.py": b""}}

_OURS: Final = Path(__file__).resolve().parent.parent


@dataclass
class Content:
    """Files, links and empty folders; paths are relative, with ``/`` between their parts.

    Parameters
    ----------
    files : dict of str to bytes
        What is in each.
    executables : set of str
        Those of `files` that can be run.
    links : dict of str to str
        Symbolic links and where they lead.
    folders : set of str
        Those that are there even when empty.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    executables: set[str] = field(default_factory=set)
    links: dict[str, str] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)

    def add(self, path: str, source: Path) -> None:
        """Take a file of the machine, following links to it."""
        self.files[path] = source.read_bytes()
        if source.stat().st_mode & stat.S_IXUSR:
            self.executables.add(path)

    def add_tree(self, path: str, folder: Path, pattern: str = "*") -> None:
        """Take the files below a folder, without tests and compiled files."""
        for source in _files(folder, pattern):
            self.add(f"{path}/{source.relative_to(folder).as_posix()}", source)


def module_content(name: str) -> Content:
    """Return one of our modules with the packages that it needs, importable from the root of the content.

    Parameters
    ----------
    name : str
        Its folder in ``modules/``.

    Raises
    ------
    LookupError
        There is no such module, or a package is not installed.
    """
    if not (_OURS / name / "__main__.py").is_file():
        raise LookupError(f"there is no module {name!r} in {_OURS}")
    content = Content()
    content.add("modules/__init__.py", _OURS / "__init__.py")
    for part in (name, "common"):
        content.add_tree(f"modules/{part}", _OURS / part)
    for package in PACKAGES:
        found = importlib.util.find_spec(package)
        if found is None or found.origin is None:
            raise LookupError(f"the package {package!r} is not installed: run `make setup`")
        content.add_tree(package, Path(found.origin).parent)
        content.files |= _REPLACED.get(package, {})
        about = importlib.metadata.distribution(package)
        # pydicom asks for its own version when it is imported.
        content.files[f"{package}-{about.version}.dist-info/METADATA"] = str(about.read_text("METADATA")).encode()
    return content


def _files(folder: Path, pattern: str) -> Iterator[Path]:
    for path in sorted(folder.rglob(pattern)):
        parts = path.relative_to(folder).parts
        if path.is_file() and not any(part in _LEFT_OUT for part in parts):
            yield path
