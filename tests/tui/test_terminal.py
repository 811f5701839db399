"""The terminal UI in a real terminal of 80 by 24, on a running router with real DICOM traffic."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.dcmtk import dcmsend
from tests.support.dicom_files import storable_files
from tests.support.fixtures import MakeStoreScp
from tests.support.polling import eventually
from tests.support.router import FreePort, Router
from tests.support.tmux import Terminal
from tests.tui.at_the_terminal import at_the_terminal


@pytest.fixture
def send(router: Router) -> Callable[[str], None]:
    """Send an image with the modality CT, and another without it, from a scanner of some name."""
    images = [path for path in storable_files() if path.name in {"CT_small.dcm", "MR_small.dcm"}]
    assert len(images) == 2

    def sending(scanner: str) -> None:
        assert dcmsend("127.0.0.1", router.port, images, calling=scanner).code == 0

    return sending


def add_target_with_a_wrong_port(screen: Terminal, wrong: int) -> None:
    screen.press("5")
    screen.see("delivered")
    screen.press("n")
    screen.see("A target of which kind?")
    screen.press("Enter")
    screen.see("New target of kind dicom")
    for text in ("archive", "127.0.0.1", str(wrong), "ARCHIVE"):  # as fast as a paste
        screen.write(text)
        screen.press("Enter")
    screen.see(f"{'port':30}" + str(wrong))
    screen.press("C-s")
    screen.see("mercure.json was edited by hand")  # by the fixture
    screen.press("C-s")
    screen.see("saved as revision")
    screen.see("2 targets")
    screen.press("e")
    screen.see("refuses the connection")
    screen.see("▲ not answering")


def correct_it(screen: Terminal, wrong: int, right: int) -> None:
    screen.press("m")
    screen.see("Target archive")
    screen.press("Down", "Down")
    screen.see(f"{'port':30}" + str(wrong))
    screen.press(*["BSpace"] * len(str(wrong)))
    screen.write(str(right))
    screen.press("C-t")
    screen.see(f"ARCHIVE at 127.0.0.1:{right} answered")
    screen.press("C-s")
    screen.see_no_more("Target archive")
    screen.press("e")
    screen.see("echo: •")


def add_a_rule_and_rehearse_it(screen: Terminal) -> None:
    screen.press("4")
    screen.see("everything")
    screen.press("n")
    screen.see("New rule")
    screen.write("to-archive")
    screen.press("Tab")
    screen.write("tags.Modality == 'CT'")
    screen.see("• the condition is good")
    screen.press("Tab", "Tab")
    screen.write("archive")
    screen.press("C-t")
    screen.see("1 change for the last 2 series")
    screen.see("archive, delivered")
    screen.press("Escape")
    screen.see("New rule")
    screen.press("C-s")
    screen.see("2 rules")
    screen.see("saved as revision")


def see_the_queue_stuck(screen: Terminal) -> None:
    screen.see("‼ archive")
    screen.see("down, 1 wait")
    screen.see("is not accepting images")
    screen.press("5")
    screen.see("‼ down")
    screen.press("2")
    screen.see("1 task")
    screen.see("age by target")
    screen.see("next try")
    assert "archive" in screen.see("no connection to")


def roll_the_rule_back(screen: Terminal) -> None:
    screen.press("9")
    screen.see("• in force")
    screen.press("Down")
    screen.see("targets.save archive")
    screen.press("C-b")
    screen.see("1 place changes back to what it was then")
    screen.see("- rules.to-archive: {")
    screen.press("Right", "Enter")
    screen.see("rolled back")
    screen.press("4")
    screen.see("1 rule ")


@pytest.mark.timeout(300)  # three starts of a receiver, a breaker's pause, and a machine in use
def test_from_a_new_target_to_a_rule_that_is_rolled_back(
    router: Router, send: Callable[[str], None], storescp: MakeStoreScp, free_port: FreePort
) -> None:
    right, wrong = free_port(), free_port()
    archive = storescp(port=right)
    with router.running(), at_the_terminal(router.root) as screen:
        screen.see("• live")
        screen.see("• all is well")
        send("SCANNER1")
        screen.see("2 delivered,")
        add_target_with_a_wrong_port(screen, wrong)
        correct_it(screen, wrong, right)
        add_a_rule_and_rehearse_it(screen)
        screen.press("1")
        send("SCANNER2")
        screen.see("SCANNER2")
        screen.see("5 delivered,")
        assert len(archive.files()) == 1
        archive.program.stop()
        send("SCANNER3")
        see_the_queue_stuck(screen)
        storescp(port=right)
        screen.see("Nothing waits.", seconds=90)
        screen.press("1")
        screen.see("• archive")
        screen.see("• all is well")
        roll_the_rule_back(screen)
        screen.press("q")
        assert eventually(lambda: screen.ended() is not None, seconds=20)
        assert screen.ended() == 0
    assert list(json.loads((router.root / "config" / "mercure.json").read_text())["rules"]) == ["everything"]


def test_what_is_typed_in_one_moment_goes_where_it_belongs(router: Router, send: Callable[[str], None]) -> None:
    router.edit(lambda content: content["targets"].update(off={**content["targets"]["delivered"], "disabled": True}))
    router.edit(lambda content: content["rules"]["everything"].update(targets=["off"]))
    with router.running(), at_the_terminal(router.root) as screen:
        screen.see("• live")
        send("SCANNER")
        screen.press("2")
        screen.see("2 tasks")
        screen.write("/held")  # h and l would hold and release, d is not to be seen
        screen.see("0 of 2 tasks, filter: held")
        assert all(entry["state"] == "waiting" for entry in router.call("queue", "list", "--json").json["entries"])
        screen.press("Escape")
        screen.see_no_more("filter")
        screen.write(":targets")
        screen.press("Enter")
        screen.see("□ disabled")


def test_a_resize_and_a_router_that_comes_later(router: Router) -> None:
    with at_the_terminal(router.root, "--wait", "60") as screen:
        screen.see("waiting for it")
        with router.running():
            screen.see("• live")
            screen.press("7")
            screen.see("• running")
            screen.press("C-x")
            screen.see("type its name")
            screen.resize(70, 20)
            screen.see("Terminal too small")
            screen.resize(100, 30)
            screen.see("type its name")
            screen.see("1 Overview 2 Queue 3 History")  # the page behind the dialog follows too
            screen.resize(80, 24)
            screen.see("1 Over 2 Queue 3 Hist")
            screen.press("Escape")
            screen.see_no_more("type its name")


def test_without_a_router_it_says_how_to_start_one(mercure_root: Path) -> None:
    with at_the_terminal(mercure_root, "--wait", "0.5") as screen:
        screen.see("start it: mercure run --root")
        assert eventually(lambda: screen.ended() is not None, seconds=20)
        assert screen.ended() == 3
