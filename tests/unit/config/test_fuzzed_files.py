"""Whatever is written into a configuration file: an error with its place, no traceback, and the last good goes on."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appliance.control.configuration import files
from appliance.control.session import Session
from mercure.config import ConfigError, Root
from mercure.services.common import Context, open_store
from tests.support.box import Box
from tests.support.broken_json import broken, broken_bytes, nested, written
from tests.support.memory import memory_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

MERCURE: dict[str, Any] = {
    "version": 1,
    "name": "router",
    "completion": {
        "quiet_seconds": 30,
        "expected_images": {"tag": "ImagesInAcquisition"},
        "senders": {"CT_1": {"quiet_seconds": 5}},
    },
    "receiver": {"port": 11112, "ae_title": "MERCURE", "min_free_bytes": 1000, "max_associations": 10},
    "targets": {
        "pacs": {
            "kind": "dicom",
            "host": "pacs.example",
            "port": 104,
            "called_aet": "PACS",
            "retry": {"first_seconds": 1},
            "order": "study",
        },
        "folder": {"kind": "folder", "path": "/srv/images", "layout": "series"},
        "both": {"kind": "group", "members": ["pacs", "folder"], "strategy": "failover"},
    },
    "modules": {"copy": {"runner": "command", "image": "/usr/bin/true", "settings": {"a": [1, {"b": None}]}}},
    "processing": {"mounts_from": ["/srv"]},
    "rules": {
        "ct": {"rule": 'tags.Modality == "CT" and images.count > 3', "targets": ["both"], "priority": "urgent"},
        "mr": {
            "rule": "'brain' in tags.StudyDescription.lower()",
            "targets": "pacs",
            "trigger": "study",
            "study": {"series": "'T1' and ('T2' or 'FLAIR')", "force_after_seconds": 60},
            "notifications": {"completion": ["mail"]},
        },
        "run": {"rule": "True", "action": "process", "modules": ["copy"], "targets": ["folder"]},
        "no": {"rule": "False", "action": "discard", "comment": "never"},
    },
    "senders": {"ct": {"ae_titles": ["CT1", "CT1_B"], "addresses": ["10.0.3.17", "fd00::/8"]}},
    "retention": {"success_seconds": 60, "pressure_free_bytes": 1},
    "off_peak": {"timezone": "Europe/Berlin", "start": "20:00", "end": "06:00"},
    "alerts": {"channels": ["mail"], "disk": {"free_bytes": 5}, "silence": {"senders": {"CT_1": {"seconds": 60}}}},
    "notifications": {
        "channels": {
            "mail": {
                "kind": "email",
                "host": "mail.example",
                "sender": "a@b.example",
                "recipients": ["c@d.example"],
                "username": "router",
                "password": {"file": "/etc/secret"},
            },
            "hook": {"kind": "webhook", "url": "https://hook.example/x"},
        },
        "templates": {"completion": {"subject": "{{ rule }}: done", "text": "{% if series_uid %}x{% endif %}"}},
    },
}
SERVICES: dict[str, Any] = {"version": 1, "router": {"instances": 2}, "dispatcher": {"instances": 3}}

FUZZED = settings(
    max_examples=40,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large],
)
THOROUGHLY = settings(FUZZED, max_examples=2_000)


class Running:
    """A service of a root whose configuration was good, and the person who asks what is wrong with it."""

    def __init__(self, box: Box) -> None:
        box.configure()
        self.box = box
        self.store = open_store(Root(box.root))
        content = self.store.mercure.load().value
        self.store.mercure.save(content, author="ann", comment="", edited_from=0, by_hand=True, clock=box.clock)
        services = self.store.parse_services(SERVICES)
        self.store.services.save(services, author="ann", comment="", edited_from=0, clock=box.clock)
        self.context: Context = box.context("router")
        self.good = self.context.config
        self._written = 0

    def takes(self, data: bytes) -> None:
        """Write the file, and look at it as a service does; put back what was there."""
        file = self.store.mercure.path
        before = file.read_bytes()
        self._write(file, data)
        self.context.live.refresh()
        problems = self._problems("mercure")
        if problems:
            assert self.context.config == self.good, "the last good one goes on"
        self._shown()
        self._write(file, before)
        self.context.live.refresh()
        assert self.context.config == self.good

    def _write(self, file: Path, data: bytes) -> None:
        """Write as an editor does, if more slowly than we do: each state has a time of its own."""
        file.write_bytes(data)
        self._written += 1
        os.utime(file, (self._written, self._written))

    def takes_services(self, data: bytes) -> None:
        """Write ``services.json`` and look at it."""
        file = self.store.services.path
        file.write_bytes(data)
        self._problems("services")
        self._shown()

    def _problems(self, name: str) -> bool:
        file = self.store.mercure if name == "mercure" else self.store.services
        try:
            loaded = file.load()
        except ConfigError as error:
            _is_told(error)
            return True
        again = self.store.parse if name == "mercure" else self.store.parse_services
        assert again(loaded.value.model_dump(mode="json", exclude_defaults=True)) == loaded.value
        return False

    def _shown(self) -> None:
        """Ask as `mercure config validate` and the Config page do."""
        session = Session(self.store.root, "tester", clock=self.box.clock)
        for found in files.validate(session):
            found.model_dump_json().encode()
        files.show(session).model_dump_json().encode()


def _is_told(error: ConfigError) -> None:
    """Assert that each problem has its place, and can go into logs, events, terminals and JSON."""
    assert error.problems
    for problem in error.problems:
        assert problem.place
        assert problem.text
    str(error).encode()


@pytest.fixture
def running() -> Iterator[Running]:
    with memory_folder() as folder:
        box = Box(folder)
        yield Running(box)
        box.close()


def test_the_good_ones_are_good() -> None:
    store = open_store(Root(Path("/nowhere")))
    assert store.parse(MERCURE).targets.keys() == MERCURE["targets"].keys()
    assert store.parse_services(SERVICES).dispatcher.instances == 3


@FUZZED
@given(data=st.data())
def test_broken_values(running: Running, data: st.DataObject) -> None:
    running.takes(written(data.draw(broken(MERCURE))))


@FUZZED
@given(data=st.data())
def test_broken_bytes(running: Running, data: st.DataObject) -> None:
    running.takes(data.draw(broken_bytes(MERCURE)))


@pytest.mark.slow
@THOROUGHLY
@given(data=st.data())
def test_thousands_of_broken_files(running: Running, data: st.DataObject) -> None:
    running.takes(data.draw(broken(MERCURE).map(written) | broken_bytes(MERCURE)))


@FUZZED
@given(data=st.data())
def test_services_too(running: Running, data: st.DataObject) -> None:
    running.takes_services(data.draw(broken(SERVICES).map(written) | broken_bytes(SERVICES)))


@pytest.mark.parametrize("in_lists", [True, False])
def test_huge_nesting_at_each_key(running: Running, *, in_lists: bool) -> None:
    opening, closing = ("[", "]") if in_lists else ('{"a":', "}")
    for key in MERCURE:
        running.takes(written({**MERCURE, key: nested(900, in_lists=in_lists)}))
        running.takes(f'{{"version": 1, "{key}": {opening * 100_000}1{closing * 100_000}}}'.encode())
