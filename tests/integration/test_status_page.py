"""The status page beside a running router: images arrive, the exam is found, the counters count, services end."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

import pydicom
import pytest
from prometheus_client.parser import text_string_to_metric_families

from appliance.control.rpc.client import Client, ControlError, DisconnectedError
from tests.support.dcmtk import dcmsend
from tests.support.dicom_files import storable_files
from tests.support.polling import eventually
from tests.support.ports import is_listening
from tests.support.processes import running
from tests.support.status_page import page_on_socket

ACCESSION = "ACC20261121001"


class UnixConnection(HTTPConnection):
    """HTTP over a Unix socket, as nginx speaks it."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=20)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(str(self.path))


def ask_as_proxy(path: Path, where: str, client: str) -> tuple[int, str]:
    connection = UnixConnection(path)
    try:
        connection.request("GET", where, headers={"X-Forwarded-For": client})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


@dataclass(frozen=True)
class Router:
    root: Path
    dicom: int
    http: int

    def get(self, path: str = "/") -> tuple[int, str]:
        """Ask the page; 0 while nobody answers."""
        connection = HTTPConnection("127.0.0.1", self.http, timeout=20)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        except OSError:
            return 0, ""
        finally:
            connection.close()

    def shows(self, text: str, path: str = "/") -> None:
        eventually(lambda: text in self.get(path)[1], seconds=60, what=f"{path} shows {text!r}")

    def metric(self, name: str) -> float:
        """Return the sum over the samples of a metric; -1 when there is none."""
        samples = [
            sample.value
            for family in text_string_to_metric_families(self.get("/metrics")[1])
            for sample in family.samples
            if sample.name == name
        ]
        return sum(samples) if samples else -1.0

    def pid(self, service: str) -> int:
        try:
            with Client(self.root, seconds=20) as client:
                services = client.status().services
        except (ControlError, DisconnectedError):
            return 0
        found = [process.pid for item in services if item.name == service for process in item.processes]
        return (found[0] if found else 0) or 0


@contextmanager
def router_in(root: Path, free_port: Callable[[], int]) -> Iterator[Router]:
    router = Router(root, free_port(), free_port())
    ports: list[str | Path] = ["--port", str(router.dicom), "--page-port", str(router.http)]
    command = [sys.executable, "-m", "appliance.cli", "run", "--root", root, *ports]
    with running(command, ready=lambda _: router.get("/healthz")[0] == 200, seconds=90, grace=60):
        yield router


@pytest.fixture
def router(mercure_root: Path, free_port: Callable[[], int]) -> Iterator[Router]:
    with router_in(mercure_root, free_port) as found:
        eventually(lambda: is_listening(found.dicom), seconds=60)
        yield found


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """An image with an accession number, and a name with script in it."""
    data_set = pydicom.dcmread(next(path for path in storable_files() if path.name == "CT_small.dcm"))
    data_set.AccessionNumber = ACCESSION
    data_set.PatientName = "<script>alert(1)</script>"
    data_set.SeriesDescription = "<b>head</b>"
    data_set.save_as(tmp_path / "image.dcm")
    return tmp_path / "image.dcm"


def test_from_the_first_image_to_its_delivery_through_crashes(router: Router, image: Path) -> None:
    status, text = router.get()
    assert status == 200
    assert "No image has come yet" in text
    assert "No image of this exam" in router.get(f"/exam?accession={ACCESSION}")[1]
    assert dcmsend("127.0.0.1", router.dicom, [image], calling="CT_ROOM_1").code == 0
    router.shows("CT_ROOM_1", "/arrivals")
    eventually(lambda: router.metric("mercure_images_delivered_total") == 1, seconds=90)
    answer = router.get(f"/exam?accession={ACCESSION}")[1]
    assert "1 series, 1 image: delivered" in answer
    assert "to delivered" in answer
    for hidden in ("<script", "alert(1)", "b&gt;head", ACCESSION):
        assert hidden not in answer
    assert "No image of this exam" in router.get(f"/exam?accession={ACCESSION[:-1]}")[1]
    assert router.metric("mercure_images_received_total") == 1
    assert router.metric("mercure_received_bytes_total") > 1000
    assert router.metric("mercure_stage_entries") >= 1

    # The page is killed: it comes back, and no counter has fallen.
    page = router.pid("page")
    os.kill(page, signal.SIGKILL)
    eventually(lambda: router.pid("page") not in {0, page}, seconds=60)
    eventually(lambda: router.metric("mercure_images_received_total") == 1, seconds=60)

    # The control service hangs: the page says so in time, and comes back by itself.
    control = router.pid("control")
    os.kill(control, signal.SIGKILL)
    eventually(lambda: router.pid("control") not in {0, control}, seconds=60)
    eventually(lambda: json.loads(router.get("/healthz")[1] or "{}").get("well"), seconds=60)


def test_a_port_that_is_taken_is_told_and_ends_the_program(router: Router) -> None:
    command: list[str | Path] = [sys.executable, "-m", "appliance.status_page", "--root", router.root]
    with running(command) as program:
        assert program.wait(seconds=60) == 1
        assert "set status_page.bind and status_page.port" in program.output()


def test_on_a_socket_that_was_opened_for_it_the_proxy_says_who_asks(router: Router, tmp_path: Path) -> None:
    path, config = tmp_path / "page.sock", router.root / "config" / "mercure.json"
    content = json.loads(config.read_text())
    settings = {**content["status_page"], "allowed_networks": ["10.1.0.0/16"], "searches_per_minute": 1}
    config.write_text(json.dumps({**content, "status_page": settings}))
    with page_on_socket(path, router.root):
        # It takes nobody's port: the router's own page goes on beside it.
        eventually(lambda: ask_as_proxy(path, "/", "10.2.0.1")[0] == 403, seconds=60, what="the settings count")
        assert ask_as_proxy(path, "/", "10.1.0.1")[0] == 200
        searches = [
            ask_as_proxy(path, "/exam?accession=none", client)[0] for client in ("10.1.0.1", "10.1.0.1", "10.1.0.2")
        ]
        assert searches == [200, 429, 200]


def test_on_a_socket_that_was_opened_for_it_it_says_at_once_that_no_router_is_there(tmp_path: Path) -> None:
    path = tmp_path / "page.sock"
    with page_on_socket(path, tmp_path / "nothing"):
        status, text = ask_as_proxy(path, "/", "10.1.0.1")
        assert (status, "The router does not answer" in text) == (503, True)
