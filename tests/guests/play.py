"""A run of the playbook on the guests of a lab, with settings on top of their inventory, and how it ended."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tests.guests.places import CHECKOUT, Lab
from tests.guests.spec import patience

if TYPE_CHECKING:
    from pathlib import Path

SECONDS: Final = 600


@dataclass(frozen=True)
class Run:
    """How a run ended."""

    exit_code: int
    text: str

    def says(self, *words: str) -> None:
        """Assert that it said all of these words, whatever the line breaks."""
        text = " ".join(self.text.split())
        for word in words:
            assert word in text, self.text

    def refuses(self, *words: str) -> None:
        """Assert that it failed, and said all of these words."""
        assert self.exit_code != 0, self.text
        self.says(*words)


def _patience() -> float:
    return SECONDS * patience(Lab(os.environ["MOLECULE_SCENARIO_NAME"]))


def play(folder: Path, *options: str, **settings: Any) -> Run:
    """Run the playbook by molecule's inventory.

    Parameters
    ----------
    folder : Path
        For the settings, while it runs.
    *options : str
        Of ``ansible-playbook``.
    **settings
        On top of the inventory.
    """
    more = folder / "settings.json"
    more.write_text(json.dumps(settings))
    done = subprocess.run(
        ["ansible-playbook", "--inventory", os.environ["ANSIBLE_INVENTORY"], f"--extra-vars=@{more}", *options,
         "playbook.yml"],
        cwd=CHECKOUT, capture_output=True, text=True, timeout=_patience(), check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    return Run(done.returncode, done.stdout + done.stderr)
