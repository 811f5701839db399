"""A host in a folder, and programs that say what they say on a real one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from appliance.doctor.host import CheckFinding, Expected, HostView

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)


class Host:
    """What is on a host; a test changes what it is about."""

    def __init__(self, top: Path) -> None:
        self.top = top
        self.said: dict[str, str | None] = {}
        self.expected: dict[str, Any] = {"root": "/srv/mercure/router", "folder": "/opt/mercure"}
        self.is_root = True

    def write(self, name: str, text: str) -> Path:
        path = self.top / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def ask(self, *command: str) -> str | None:
        return self.said.get(" ".join((Path(command[0]).name, *command[1:])))

    def found(self, check: Callable[[HostView], Iterator[CheckFinding]]) -> list[tuple[str, str, str]]:
        expected = Expected.model_validate(self.expected)
        look = HostView(expected, self.top, self.ask, is_root=self.is_root, now=NOW, kernel="6.1.0-28-amd64")
        return [(item.outcome, item.text, item.mend) for item in check(look)]
