"""What differs between the Pythons that the appliance runs on."""

from __future__ import annotations

import asyncio
from asyncio import AbstractEventLoop
from typing import Any

import pytest
from textual.pilot import Pilot

from tests.support.terminal_ui import Serve
from tui.app import MercureApp


def test_tasks_begin_in_their_turn_also_where_textual_asks_for_eager_ones(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    # asyncio has them from Python 3.12 on, and no page came up then (scenario debian13 tries it for real).
    eager: list[object] = []

    def factory(loop: AbstractEventLoop, coroutine: Any, **settings: Any) -> asyncio.Task[Any]:
        eager.append(coroutine)
        return asyncio.Task(coroutine, loop=loop, **settings)

    async def leave(pilot: Pilot[object]) -> None:
        await pilot.pause()
        pilot.app.exit()

    monkeypatch.setattr(asyncio, "eager_task_factory", factory, raising=False)
    with serve() as link:
        asyncio.run(MercureApp(link).run_async(headless=True, size=(100, 30), auto_pilot=leave))
    assert eager == []
