"""A real Orthanc, with its own configuration and database, asked over its REST interface."""

from __future__ import annotations

import http.client
import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.support.ports import free_port, is_listening
from tests.support.processes import Running, running

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


@dataclass(frozen=True)
class Orthanc:
    """A running Orthanc: DICOM on ``port``, REST on ``http_port``, both on loopback."""

    port: int
    http_port: int
    aet: str
    program: Running

    def request(self, method: str, path: str, body: bytes | None = None) -> bytes:
        """Send one REST request and return the answer.

        Raises
        ------
        AssertionError
            When the answer is not a 2xx; it carries status and text.
        """
        connection = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=30)
        try:
            connection.request(method, path, body)
            response = connection.getresponse()
            answer = response.read()
        finally:
            connection.close()
        assert response.status // 100 == 2, f"{method} {path}: {response.status} {answer!r}"
        return answer

    def get(self, path: str) -> Any:
        """Return what a path of the REST interface answers, as parsed JSON."""
        return json.loads(self.request("GET", path))

    def images(self) -> dict[str, str]:
        """Return Orthanc's number for each image that it holds, by SOP Instance UID."""
        return {image["MainDicomTags"]["SOPInstanceUID"]: image["ID"] for image in self.get("/instances?expand")}

    def image_bytes(self, sop_instance_uid: str) -> bytes:
        """Return the DICOM file of one image as Orthanc keeps it."""
        return self.request("GET", f"/instances/{self.images()[sop_instance_uid]}/file")


@contextmanager
def orthanc(folder: Path, settings: Mapping[str, object] | None = None, *, aet: str = "ORTHANC") -> Iterator[Orthanc]:
    """Run Orthanc with an empty archive; both its ports listen when the block begins.

    Parameters
    ----------
    folder
        Where its configuration and archive go; made when it is missing.
    settings
        Settings of Orthanc that replace ours.
    aet
        Its AE title.
    """
    folder.mkdir(parents=True, exist_ok=True)
    port, http_port = free_port(), free_port()
    configuration = folder / "orthanc.json"
    merged = {
        "Name": "test",
        "StorageDirectory": str(folder / "archive"),
        "IndexDirectory": str(folder / "archive"),
        "TemporaryDirectory": str(folder),
        "Plugins": [],
        "HttpPort": http_port,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "DicomPort": port,
        "DicomAet": aet,
        "DicomCheckCalledAet": False,
        "DicomAlwaysAllowStore": True,
        "UnknownSopClassAccepted": True,
        **(settings or {}),
    }
    configuration.write_text(json.dumps(merged), encoding="utf-8")
    with running(
        ["Orthanc", configuration],
        ready=lambda program: all(is_listening(number, pid=program.pid) for number in (port, http_port)),
        seconds=60,
    ) as program:
        yield Orthanc(port, http_port, aet, program)
        # Its orderly end takes three seconds, and its archive is thrown away.
        program.kill()
