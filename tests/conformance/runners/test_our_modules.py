"""The modules in ``modules/``, built here and run as programs and as containers: what a user would do."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pydicom
import pytest

from mercure.runners import IN, RunLimits, RunRequest
from modules.build import Content, module_content, write_image, write_program
from modules.build.__main__ import build_image
from tests.conformance.runners.backends import BACKENDS, Backend
from tests.support.probing import MEBIBYTE, Probing
from tests.support.series import DEFAULTS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROOMY = RunLimits(memory_bytes=512 * MEBIBYTE, processes=64, seconds=120, output_bytes=64 * MEBIBYTE)
IDENTITY = ("PatientName", "AccessionNumber", "StudyDate", "PatientBirthDate")


@pytest.fixture(scope="module", params=["command", "podman"])
def backend(request: pytest.FixtureRequest) -> Iterator[Backend]:
    with BACKENDS[request.param]() as made:
        yield made


def request_of(probing: Probing, name: str, **settings: Any) -> RunRequest:
    """Build a module for the runner, have it ready, and ask for a run on the probe's images."""
    backend = probing.backend
    built = backend.folder / name
    request = replace(probing.request(), limits=ROOMY)
    if probing.runner.outlives:
        build_image(name, built)
        request = replace(request, image=f"localhost/mercure-{name}:latest")
        probing.runner.prepare(request.image, built, lambda: False)
    else:
        write_program(built, module_content(name), f"modules.{name}")
        request = replace(request, image=str(built))
        probing.runner.prepare(request.image, None, lambda: False)
    (request.folder / IN / "task.json").write_text(json.dumps({"process": {"settings": settings}}))
    return request


def finished(probing: Probing, request: RunRequest) -> Path:
    run = probing.runner.start(request)
    outcome = probing.end(run, seconds=60)
    run.collect()
    run.clean_up()
    assert outcome.well, request.log.read_text()
    return request.outputs


def test_statistics(probing: Probing) -> None:
    out = finished(probing, request_of(probing, "statistics"))
    result = json.loads((out / "result.json").read_text())
    assert (result["images"], result["counted"]) == (2, 2)
    [series] = result["series"].values()
    assert series["values"] == 2 * 16 * 16


def test_deidentify(probing: Probing) -> None:
    request = request_of(probing, "deidentify")
    persistence = request.folder / "persistence"
    persistence.mkdir()
    probing.backend.own(persistence)
    out = finished(probing, replace(request, persistence=persistence))
    images = [pydicom.dcmread(path) for path in out.glob("*.dcm")]
    assert len(images) == 2
    assert len({image.SeriesInstanceUID for image in images}) == 1
    for image in images:
        assert image.PatientIdentityRemoved == "YES"
        for keyword in IDENTITY:
            assert image.get(keyword) in (None, ""), keyword
        assert image.PatientID != DEFAULTS["PatientID"]
    originals = {pydicom.dcmread(path).PixelData for path in request.inputs.glob("*.dcm")}
    assert {image.PixelData for image in images} == originals
    assert (persistence / "deidentify.key").exists()


def test_the_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_program(tmp_path / name, module_content("statistics"), "modules.statistics")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    layer = Content(files={"opt/program": b"text", "etc/passwd": b""}, links={"opt/link": "program"}, folders={"tmp"})
    for name in ("one.tar", "two.tar"):
        write_image(tmp_path / name, "localhost/x:latest", [layer, layer], ("/opt/program",), {"B": "2", "A": "1"})
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()
