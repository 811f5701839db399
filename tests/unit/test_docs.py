"""The documentation is true: links lead somewhere, and the commands it shows print what it says.

A fenced block marked ``console`` is run: each ``$`` line in turn, and what follows it must be its output, in which
``...`` stands for anything. The blocks of a page run one after the other in a folder that looks like a checkout
(`var/` included, which is empty at first). What cannot run here is marked ``sh``.
"""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.M | re.S)
OURS = ("MERCURE_", "PYTHON", "TESTS", "WORKERS")
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")


@dataclass
class Command:
    """One ``$`` line and the output shown under it."""

    text: str
    shown: list[str] = field(default_factory=list)

    def matches(self, output: str) -> bool:
        pattern = "".join(
            r"(?:.*\n)*?" if line.strip() == "..." else re.escape(line).replace(r"\.\.\.", ".*") + r"[ ]*\n"
            for line in self.shown
        )
        return re.fullmatch(pattern, output) is not None


@cache
def pages() -> tuple[Path, ...]:
    listing = subprocess.run(["git", "ls-files", "-z", "*.md"], cwd=PROJECT, check=True, capture_output=True, text=True)
    return tuple(PROJECT / name for name in listing.stdout.split("\0") if name and (PROJECT / name).is_file())


def name_of(page: Path) -> str:
    return str(page.relative_to(PROJECT))


def commands(text: str) -> list[Command]:
    found: list[Command] = []
    for block in BLOCK.findall(text):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append(Command(line.removeprefix("$ ")))
            else:
                assert found, f"output before the first command: {line}"
                found[-1].shown.append(line)
    return found


def checkout_like(folder: Path) -> Path:
    for entry in PROJECT.iterdir():
        if entry.name not in {".git", "var"}:
            (folder / entry.name).symlink_to(entry)
    return folder


def run(command: Command, folder: Path) -> str:
    programs = [PROJECT / ".venv" / "bin", PROJECT / "getdcmtags" / "build"]
    # What make or a developer set would change what a newcomer sees.
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS", *OURS))}
    result = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command.text],
        cwd=folder,
        env={**clean, "PATH": os.pathsep.join([*map(str, programs), os.environ["PATH"]]), "COLUMNS": "80"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=60,
        check=False,
    )
    return result.stdout


@pytest.mark.parametrize("page", [page for page in pages() if commands(page.read_text("utf-8"))], ids=name_of)
def test_commands_print_what_the_page_shows(page: Path, tmp_path: Path) -> None:
    folder = checkout_like(tmp_path)
    for command in commands(page.read_text("utf-8")):
        output = run(command, folder)
        assert command.matches(output), f"$ {command.text}\n--- prints\n{output}--- but the page shows\n" + "\n".join(
            command.shown
        )


def test_a_wrong_page_is_found() -> None:
    (command,) = commands("```console\n$ echo one; echo two\none\n...\n```\n")
    assert command.matches("one\ntwo\n")
    assert command.matches("one\ntwo\nthree\n")
    assert not command.matches("two\n")
    assert not Command("true", ["more ... less"]).matches("more or more\n")
    assert not Command("true").matches("an error\n")


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    targets = [target for target in LINK.findall(page.read_text("utf-8")) if "://" not in target]
    broken = [target for target in targets if not (page.parent / target.partition("#")[0]).exists()]
    assert broken == []


def test_contributing_lists_every_folder_of_tests() -> None:
    listed = set(re.findall(r"^\| `tests/(\w+)` \|", (PROJECT / "CONTRIBUTING.md").read_text("utf-8"), re.MULTILINE))
    folders = {path.name for path in (PROJECT / "tests").iterdir() if path.is_dir()}
    assert listed == folders - {"__pycache__"}
