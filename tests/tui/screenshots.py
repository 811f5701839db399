"""``make screenshots``: draw the pictures of the documentation from a scripted state, the same at each run."""

from __future__ import annotations

import shutil
import threading
import time
from pathlib import Path

from appliance.control.alerts import inputs
from appliance.control.configuration import setup
from appliance.control.machine import METER
from appliance.control.registry import find
from appliance.control.rpc.server import Server
from appliance.control.session import Session
from mercure.config import Root
from tests.support.folders import short_folder
from tests.support.terminal_ui import StandingClock
from tests.tui.filling import FIGURES, MACHINE, SELFTEST, fill
from tests.tui.screenplay import Person, neutral, play
from tui.router_client import RouterClient

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "screenshots"
PAGES = {"overview": ("1", "disk"), "queue": ("2", "tasks"), "history": ("3", "last 7 days"),
         "rules": ("4", "no problems found"), "targets": ("5", "folder"), "modules": ("6", "statistics"),
         "services": ("7", "bookkeeper"), "alerts": ("8", "critical"), "config": ("9", "in force"),
         "audit": ("0", "task.hold"), "help": ("?", "Who changed what")}  # fmt: skip


def main() -> None:
    """Draw all of them."""
    time.tzset()
    room = type(shutil.disk_usage("/"))(2_000_000_000_000, 500_000_000_000, 1_500_000_000_000)
    shutil.disk_usage = lambda path: room
    vars(find("selftest.run"))["run"] = lambda asked, wanted: SELFTEST
    inputs.clock_state = lambda: inputs.ClockState(synchronised=True, error_seconds=0.0)
    vars(METER).update(machine=lambda spool: MACHINE, process=lambda pid: FIGURES)
    vars(setup)["EXAMPLE"] = Path("/opt/mercure/modules/statistics")
    with short_folder() as folder:
        session = Session(Root(folder), "alice", clock=StandingClock())
        setup.initialise(session)
        session.root.run.mkdir(exist_ok=True)
        fill(session)
        server = Server(session.root, clock=StandingClock())
        server.open()
        thread = threading.Thread(target=server.serve)
        thread.start()
        try:
            play(RouterClient(folder), lambda person: scene(person, folder), size=(100, 30))
        finally:
            server.stop()
            thread.join()
            server.close()


async def scene(person: Person, root: Path) -> None:
    """Go through the pages."""
    await person.see("• live")
    for name, (key, text) in PAGES.items():
        await person.press("question_mark" if key == "?" else key)
        await person.see(text)
        keep(person, name, root)
    await person.press("escape", "9", "b")
    await person.see("1 backup")
    keep(person, "backups", root)
    await person.press("7", "t")
    await person.see("r runs it")
    await person.press("r")
    await person.see("1 of 8 failed")
    keep(person, "selftest", root)
    await person.press("4")
    await person.press("enter")
    await person.see("the condition is good")
    await person.press("tab", "end")
    for _ in "True":
        await person.press("backspace")
    await person.write("tags.Modality == 'MR'")
    await person.see("the condition is good")
    keep(person, "rule", root)
    await person.press("ctrl+t")
    await person.see("change for")
    keep(person, "dry-run", root)


def keep(person: Person, name: str, root: Path) -> None:
    """Write the picture; what differs from run to run is left out."""
    svg = neutral(person.app.export_screenshot(title="mercure-tui"), root)
    (FOLDER / f"{name}.svg").write_text(svg)


if __name__ == "__main__":
    main()
