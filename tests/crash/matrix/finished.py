"""Results of scenarios that are done, so that a run that was cut off goes on where it was."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, ValidationError

from tests.crash.matrix.kills import Result

if TYPE_CHECKING:
    from pathlib import Path


class _Line(BaseModel):
    model_config = ConfigDict(extra="forbid")

    commit: str
    brief: bool
    result: Result


def commit_here() -> str:
    """Return the commit of this checkout; with a change that is not committed, a name that fits no other run."""
    git = ("git", "-c", "core.quotepath=off")
    head = subprocess.run((*git, "rev-parse", "HEAD"), check=True, capture_output=True, text=True).stdout.strip()
    changed = subprocess.run((*git, "diff", "HEAD"), check=True, capture_output=True).stdout
    return f"{head} and changes" if changed else head


class Finished:
    """The scenarios without trouble, in a file of one line each.

    A result counts only for the commit and the length (`brief`) with which it was made: one of other code proves
    nothing about this one.

    Parameters
    ----------
    path
        The file; made with the first result. None: nothing is kept.
    commit, brief
        Of this run.
    """

    def __init__(self, path: Path | None, commit: str, *, brief: bool) -> None:
        self._path = path
        self._commit = commit
        self._brief = brief

    def read(self) -> dict[str, Result]:
        """Return the results that count, by scenario; a line that was cut off counts for nothing."""
        if self._path is None or not self._path.exists():
            return {}
        found: dict[str, Result] = {}
        for text in self._path.read_text(encoding="utf-8").splitlines():
            try:
                line = _Line.model_validate_json(text)
            except ValidationError:
                continue
            if (line.commit, line.brief) == (self._commit, self._brief) and not line.result.troubles:
                found[line.result.scenario] = line.result
        return found

    def add(self, result: Result) -> None:
        """Keep a result."""
        if self._path is None or self._commit.endswith(" and changes"):
            return
        line = _Line(commit=self._commit, brief=self._brief, result=result)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(f"{line.model_dump_json()}\n")
