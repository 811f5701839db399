"""Handover: the router replaces itself in its own process by the installed release, with no image refused.

``mercure run`` ends its services one after the other, all but the receiver, and then becomes (``execve``) what is
installed now under the name by which it was started. The receiver goes on receiving meanwhile. The new one starts
beside it and asks it to end when it is ready to take the port; associations that are open end in the old one
(``docs/decisions/0112-handover.md``).
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mercure.services import RELIEVES

LAST: Final = "receiver"
"""The service that is not ended but relieved."""


@dataclass(frozen=True)
class Start:
    """How this process was started, so that it can be started again.

    Parameters
    ----------
    folder : Path
        The working folder.
    program : str
        The command, as it was called; a link in its path is followed anew.
    arguments : tuple of str
        All of the command line.
    """

    folder: Path
    program: str
    arguments: tuple[str, ...]

    @classmethod
    def of_this_process(cls) -> Start:
        """Remember it, before the working folder changes."""
        folder = Path.cwd()
        command = folder / sys.argv[0]
        if os.access(command, os.X_OK) and command.is_file():
            return cls(folder, str(command), tuple(sys.argv))
        return cls(folder, sys.executable, tuple(sys.orig_argv))

    @property
    def is_handed_over(self) -> bool:
        """Whether this process was a router before, whose receiver still runs."""
        return bool(os.environ.get(RELIEVES))

    def again(self, relieved: list[int]) -> None:
        """Become it; does not return.

        Parameters
        ----------
        relieved : list of int
            Processes of the receiver that go on until they are relieved.

        Raises
        ------
        OSError
            It is not there any more.
        """
        os.chdir(self.folder)
        environment = {**os.environ, RELIEVES: " ".join(str(pid) for pid in relieved)}
        os.execve(self.program, self.arguments, environment)  # noqa: S606 - no shell is wanted
