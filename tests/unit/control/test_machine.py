"""Figures of the machine and of processes, read from the machine that runs the tests; rates by a clock of ours."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from appliance.control.api.services import ProcessFigures, ProcessState
from appliance.control.api.status import DiskTraffic, MachineState, NetworkTraffic
from appliance.control.machine import LEAST_SECONDS, MachineMeter
from appliance.presentation.figures import percent, process_figures
from appliance.presentation.phrases import machine_in_words, taken_in_words
from appliance.supervision.crashes import Crashes
from mercure.clock import Clock, ManualClock


def test_the_machine_as_the_kernel_tells_it(tmp_path: Path) -> None:
    found = MachineMeter(Clock()).machine(tmp_path / "not" / "there")
    assert found.processors == os.cpu_count()
    assert found.memory_bytes == psutil.virtual_memory().total
    assert 0 < found.memory_available_bytes <= found.memory_bytes
    assert found.processor_seconds > 0
    assert found.up_seconds > 0
    assert all(network.interface != "lo" for network in found.networks)


def test_a_process_of_ours() -> None:
    found = MachineMeter(Clock()).process(os.getpid())
    assert found is not None
    assert found.memory_bytes > 1_000_000
    assert found.processor_seconds > 0
    assert found.processor is not None
    assert found.open_files is not None
    descriptor = os.open(os.devnull, os.O_RDONLY)
    try:
        again = MachineMeter(Clock()).process(os.getpid())
        assert again is not None
        assert again.open_files == found.open_files + 1
    finally:
        os.close(descriptor)


def test_a_process_that_is_gone() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait(60)
    assert MachineMeter(Clock()).process(child.pid) is None


def test_a_rate_needs_two_looks_that_are_far_enough_apart() -> None:
    clock = ManualClock()
    meter = MachineMeter(clock)
    assert meter._rate("x", 100) is None
    clock.advance(LEAST_SECONDS / 2)
    assert meter._rate("x", 150) is None
    clock.advance(LEAST_SECONDS / 2)
    assert meter._rate("x", 300) == pytest.approx(200 / LEAST_SECONDS)
    assert meter._rate("x", 301) == pytest.approx(200 / LEAST_SECONDS), "asked again at once: the last one"
    clock.advance(10)
    assert meter._rate("x", 5) is None, "the counter began anew"
    clock.advance(10)
    assert meter._rate("x", 5) == 0


def test_what_is_remembered_is_bounded() -> None:
    meter = MachineMeter(ManualClock())
    for number in range(5000):
        meter._rate(f"process {number}", 1)
    assert len(meter._known) == 500


def test_unasked_ends_are_counted_on() -> None:
    clock, crashes = ManualClock(), Crashes()
    for _ in range(20):
        crashes = crashes.with_end("router_00", clock.now())
        clock.advance(3600)
    assert crashes.ends == {"router_00": 20}
    assert crashes.recent("router_00", clock.now()) == 0
    assert Crashes.model_validate_json('{"processes": {}}').ends == {}, "as the release before wrote it"


def test_in_words() -> None:
    assert [percent(share) for share in (None, 0, 0.003, 0.45, 1)] == ["", "0 %", "0.3 %", "45 %", "100 %"]
    figures = ProcessFigures(processor=0.02, processor_seconds=5, memory_bytes=61_000_000, open_files=24)
    assert process_figures(figures) == ("2.0 %", "61 MB", "24")
    assert process_figures(None) == ("", "", "")
    process = ProcessState(name="router_00", state="running", restarts=1, figures=figures)
    assert taken_in_words(process) == "2.0 % of a processor, 61 MB of memory, 24 files open, 1 restart"
    machine = MachineState(
        processors=4, processor_seconds=1, load=(0.5, 0.4, 0.3), memory_bytes=16_000_000_000,
        memory_available_bytes=12_000_000_000, up_seconds=9,
        networks=(NetworkTraffic(interface="eth0", received_bytes=1, sent_bytes=1, errors=2,
                                 received_per_second=1_500_000, sent_per_second=20),
                  NetworkTraffic(interface="eth1", received_bytes=0, sent_bytes=0)),
        disk=DiskTraffic(device="sda2", read_bytes=1, written_bytes=1, read_per_second=0, written_per_second=2_000_000,
                         busy=0.05),
    )  # fmt: skip
    assert machine_in_words(machine) == (
        "load 0.5 on 4 processors; memory 4.0 GB of 16 GB; eth0 1.5 MB/s in, 20 B/s out, 2 errors; "
        "sda2 0 B/s read, 2.0 MB/s written, 5.0 % busy"
    )
