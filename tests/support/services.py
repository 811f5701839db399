"""The services of one root as real processes, without a supervisor: a test starts, kills and stops each by itself."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from mercure.config import Root
from mercure.services.common import open_store
from mercure.spool import Spool
from tests.support.processes import Running, running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path


def write_config(root: Path, content: Mapping[str, Any]) -> Spool:
    """Write a configuration, which must be a good one, and make the spool."""
    content = {"version": 1, **content}
    open_store(Root(root)).parse(dict(content))
    (root / "config").mkdir(parents=True, exist_ok=True)
    (root / "config" / "mercure.json").write_text(json.dumps(content), encoding="utf-8")
    spool = Spool(root / "spool")
    spool.create()
    return spool


@contextmanager
def service(
    root: Path, name: str, *, ready: Callable[[Running], object] | None = None, env: Mapping[str, str] | None = None
) -> Iterator[Running]:
    """Run a service for the length of a block."""
    command: list[str | Path] = [sys.executable, "-m", "mercure.services", name, "--root", root]
    with running(command, ready=ready, env=env) as program:
        yield program
