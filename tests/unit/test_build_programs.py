"""The playbook's build of the programs in C++, on sources that take a second: one at a time, whole or not complete."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "roles/router/files/build-programs"
PROGRAMS = ("getdcmtags", "mercure-codec", "mercure-storescp", "mercure-storescu")
SOURCES = f"""
cmake_minimum_required(VERSION 3.18)
project(small C)
file(APPEND "${{CMAKE_SOURCE_DIR}}/built" "once\\n")
foreach(name {" ".join(PROGRAMS)})
  add_executable(${{name}} main.c)
endforeach()
"""


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    folder = tmp_path / "sources"
    folder.mkdir()
    (folder / "CMakeLists.txt").write_text(SOURCES)
    (folder / "main.c").write_text("int main(void) { return 0; }\n")
    return folder


def begin(sources: Path, folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([SCRIPT, sources, folder], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def end(build: subprocess.Popen[bytes]) -> tuple[int, str]:
    output, _ = build.communicate(timeout=120)
    return build.returncode, output.decode()


def test_who_wants_the_same_build_at_the_same_time_waits_for_it(sources: Path, tmp_path: Path) -> None:
    folder = tmp_path / "programs" / "a-key"
    for build in [begin(sources, folder) for _ in range(3)]:
        assert end(build)[0] == 0
    assert (sources / "built").read_text() == "once\n"
    assert (folder / "complete").exists()
    for program in PROGRAMS:
        subprocess.run([folder / program], check=True, timeout=10)


def test_another_build_is_not_waited_for(sources: Path, tmp_path: Path) -> None:
    held = tmp_path / "programs" / "another.lock"
    held.parent.mkdir()
    holder = ["flock", str(held), "sh", "-c", "echo held; exec cat"]
    with subprocess.Popen(holder, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holding:
        assert holding.stdout is not None
        assert holding.stdout.readline() == b"held\n"
        assert end(begin(sources, tmp_path / "programs" / "a-key"))[0] == 0
        assert holding.poll() is None
        holding.communicate(b"")


def test_a_build_that_fails_says_why_and_is_made_anew(sources: Path, tmp_path: Path) -> None:
    folder = tmp_path / "programs" / "a-key"
    (sources / "main.c").write_text("int main(void) { return nothing; }\n")
    code, output = end(begin(sources, folder))
    assert code != 0
    assert "nothing" in output
    assert not (folder / "complete").exists()
    (sources / "main.c").write_text("int main(void) { return 0; }\n")
    assert end(begin(sources, folder))[0] == 0
    assert (folder / "complete").exists()
