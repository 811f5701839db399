"""The base of an image: this Debian's Python, its standard library and the shared libraries under both."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Final

from modules.build.content import Content

PYTHON: Final = Path("/usr/bin/python3")

_FOLDERS: Final = ("data/in", "data/out", "data/persistence", "dev", "etc", "proc", "run", "sys", "tmp", "var/tmp")
_LIBRARY = re.compile(r"(?:=>\s*)?(/\S+)\s+\(0x")
_LEFT_OUT: Final = ("ensurepip", "idlelib", "lib2to3", "test", "tkinter", "turtledemo", "venv", "dist-packages")
# The image has one user; without the names, Python's `pwd` and many libraries give up.
_PASSWD: Final = b"root:x:0:0:root:/tmp:/usr/bin/python3\n"
_GROUP: Final = b"root:x:0:\n"


def system_content(python: Path = PYTHON) -> Content:
    """Return what a Python program needs to run in an otherwise empty root.

    Parameters
    ----------
    python : Path
        The interpreter.

    Raises
    ------
    FileNotFoundError
        It is not there.
    subprocess.CalledProcessError
        It does not work.
    """
    content = Content(folders=set(_FOLDERS))
    program = python.resolve(strict=True)
    library = Path(_ask(program, "import os; print(os.path.dirname(os.__file__))"))
    content.add(_inside(program), program)
    content.executables.add(_inside(program))
    if program != python:
        content.links[_inside(python)] = program.name
    for source in sorted(library.rglob("*")):
        parts = source.relative_to(library).parts
        if source.is_file() and parts[0] not in _LEFT_OUT and "__pycache__" not in parts:
            content.add(f"{_inside(library)}/{source.relative_to(library).as_posix()}", source)
    for shared in _libraries([program, *sorted((library / "lib-dynload").glob("*.so"))]):
        content.add(_inside(shared), shared)
    content.files["etc/passwd"], content.files["etc/group"] = _PASSWD, _GROUP
    return content


def _ask(program: Path, question: str) -> str:
    asked = subprocess.run([program, "-I", "-c", question], capture_output=True, text=True, check=True, timeout=30)
    return asked.stdout.strip()


def _libraries(programs: list[Path]) -> list[Path]:
    listed = subprocess.run(["/usr/bin/ldd", *programs], capture_output=True, text=True, check=False, timeout=60)
    return sorted({Path(path) for path in _LIBRARY.findall(listed.stdout)})


def _inside(path: Path) -> str:
    return path.as_posix().lstrip("/")
