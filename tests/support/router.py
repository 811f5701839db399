"""A router as `mercure run` runs it, asked and changed by the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.patients import assert_no_file_names_one
from tests.support.polling import eventually
from tests.support.ports import is_listening
from tests.support.processes import Running, running

MERCURE = (sys.executable, "-m", "appliance.cli")
FreePort = Callable[[], int]


@dataclass(frozen=True)
class Done:
    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        return json.loads(self.stdout)


@dataclass(frozen=True)
class Router:
    root: Path
    port: int
    page_port: int

    @property
    def ports(self) -> tuple[str, ...]:
        return ("--port", str(self.port), "--page-port", str(self.page_port))

    def call(self, *arguments: str | Path, code: int | None = 0) -> Done:
        """Run a command on this router; it must end with `code` (None: any)."""
        result = subprocess.run(
            [*MERCURE, *arguments],
            env={**os.environ, "MERCURE_ROOT": str(self.root), "COLUMNS": "80"},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        done = Done(result.returncode, result.stdout, result.stderr)
        assert code in (None, done.code), done
        return done

    @contextmanager
    def running(self, *options: str) -> Iterator[Running]:
        command: list[str | Path] = [*MERCURE, "run", "--root", self.root, *options]
        with running(command, ready=lambda _: is_listening(self.port), seconds=60, grace=60) as program:
            yield program
        assert_no_file_names_one(self.root / "log")

    def edit(self, change: Callable[[dict[str, Any]], None]) -> None:
        """Change mercure.json as an editor does."""
        path = self.root / "config" / "mercure.json"
        content = json.loads(path.read_text())
        change(content)
        temporary = path.with_suffix(".tmp")
        temporary.write_text(json.dumps(content))
        temporary.rename(path)

    def processes(self) -> dict[str, dict[str, Any]]:
        services = self.call("service", "list", "--json").json["services"]
        return {process["name"]: process for service in services for process in service["processes"]}

    def await_state(self, **states: str) -> dict[str, dict[str, Any]]:
        def there() -> dict[str, dict[str, Any]]:
            found = self.processes()
            return found if all(found.get(name, {}).get("state") == state for name, state in states.items()) else {}

        return eventually(there, seconds=60, what=f"{states}")

    def delivered(self) -> list[Path]:
        return sorted((self.root / "delivered").rglob("*.dcm"))
