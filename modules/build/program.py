"""Writes a module as one executable file (a zip with a first line), for the runner ``command``."""

from __future__ import annotations

import os
import py_compile
import tempfile
import zipfile
from pathlib import Path
from typing import Final

from modules.build.content import Content

_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
_MAIN: Final = "import runpy\n\nrunpy.run_module({module!r}, run_name='__main__', alter_sys=True)\n"


def write_program(program: Path, content: Content, module: str, python: str = "/usr/bin/python3") -> None:
    """Write a program that runs a module of `content`.

    Each file of Python is there compiled too, for the version that runs the build: another version reads the source.

    Parameters
    ----------
    program : Path
        Replaced by one rename.
    content : Content
        What it may import.
    module : str
        What it runs, such as ``modules.statistics``.
    python : str
        The interpreter in its first line.
    """
    files = {**content.files, "__main__.py": _MAIN.format(module=module).encode()}
    temporary = program.with_name(f".{program.name}.{os.getpid()}.tmp")
    with temporary.open("wb") as stream:
        stream.write(f"#!{python} -I\n".encode())
        with zipfile.ZipFile(stream, "w") as packed:
            for path, data in sorted(files.items()):
                _add(packed, path, data)
                if path.endswith(".py"):
                    _add(packed, f"{path}c", _compiled(path, data))
    temporary.chmod(0o755)
    os.replace(temporary, program)


def _add(packed: zipfile.ZipFile, path: str, data: bytes) -> None:
    packed.writestr(zipfile.ZipInfo(path, _EPOCH), data)


def _compiled(path: str, source: bytes) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        plain, made = Path(folder, "source.py"), Path(folder, "compiled.pyc")
        plain.write_bytes(source)
        # By an unchecked hash, not by a time: the zip is written once and for all.
        mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
        py_compile.compile(str(plain), str(made), dfile=path, doraise=True, invalidation_mode=mode)
        return made.read_bytes()
