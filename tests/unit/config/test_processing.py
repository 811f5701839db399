"""What the configuration of processing refuses, before a module is run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mercure.config import ConfigError, Root
from mercure.services.common import open_store


def problems(module: dict[str, Any], tmp_path: Path, **more: Any) -> str:
    store = open_store(Root(tmp_path))
    targets = {"archive": {"kind": "folder", "path": "/srv/archive"}}
    try:
        store.parse({"version": 1, "targets": targets, "modules": {"one": module}, **more})
    except ConfigError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    ("module", "reason"),
    [
        ({"runner": "command", "image": "measure"}, "is an absolute path"),
        ({"runner": "docker"}, "runner"),
        ({"environment": {"MERCURE_IN_DIR": "/etc"}}, "is set by the router"),
        ({"environment": {"A=B": "c"}}, "letters, digits"),
        ({"environment": {"A": "b\0c"}}, "NUL"),
        ({"runner": "command", "image": "/bin/true", "archive": "/srv/image.tar"}, "is for runner 'podman'"),
        ({"mounts": [{"source": "/srv/../etc", "target": "/data"}]}, "without '..'"),
        ({"mounts": [{"source": "/srv", "target": "/"}]}, "other than '/'"),
        ({"mounts": [{"source": "/srv", "target": "/a,ro"}]}, "letters, digits"),
        ({"mounts": [{"source": "/srv/a", "target": "/x"}, {"source": "/srv/b", "target": "/x"}]}, "the same place"),
        ({"mounts": [{"source": "/etc", "target": "/x"}]}, "'processing.mounts_from' allows"),
        ({"routes_to": ["archiv"]}, "archiv"),
        ({"memory_bytes": 5}, "memory_bytes"),
        ({"persistence": "../other"}, "a name has"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_refused(module: dict[str, Any], reason: str, tmp_path: Path) -> None:
    assert reason in problems(module, tmp_path)


def test_what_is_allowed_is_taken(tmp_path: Path) -> None:
    module = {"mounts": [{"source": "/srv/models/x", "target": "/models"}], "routes_to": ["archive"], "network": True}
    assert problems(module, tmp_path, processing={"mounts_from": ["/srv/models"]}) == ""


def test_a_rule_has_no_more_settings_than_modules(tmp_path: Path) -> None:
    rule = {"rule": "True", "action": "process", "modules": ["one"], "step_settings": [{}, {"a": 1}]}
    assert "more entries than 'modules'" in problems({}, tmp_path, rules={"r": rule})
