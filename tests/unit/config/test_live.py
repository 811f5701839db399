"""What a service works by: it follows the file, keeps the last good state, and tells each change once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from mercure.config import Config, ConfigError, LiveConfig, Loaded, Root
from mercure.services.common import open_store
from mercure.spool.place import spool_in_force
from tests.support.faults import counted

if TYPE_CHECKING:
    from pathlib import Path


class Watching:
    """A live configuration, and what was heard of it."""

    def __init__(self, root: Path) -> None:
        (root / "config").mkdir(parents=True, exist_ok=True)
        self.store = open_store(Root(root))
        self.file = self.store.mercure
        self.heard: list[str] = []
        self.live = LiveConfig(self.store, self._loaded, self._rejected)

    def _loaded(self, loaded: Loaded[Config]) -> None:
        self.heard.append(f"loaded {loaded.revision} {loaded.value.name}")

    def _rejected(self, error: ConfigError, using: int | None) -> None:
        assert error.problems
        self.heard.append(f"rejected, using {using}")

    def write(self, text: str) -> None:
        self.file.path.write_text(text, encoding="utf-8")

    def save(self, name: str) -> int:
        number = self.file.revisions()[-1] if self.file.revisions() else 0
        return self.file.save(Config(name=name), author="ann", comment="", edited_from=number)

    def refresh(self) -> list[str]:
        """Look, and return what was heard since the last look."""
        self.heard.clear()
        self.live.refresh()
        return list(self.heard)


@pytest.fixture
def watching(tmp_path: Path) -> Watching:
    return Watching(tmp_path)


def test_a_new_revision_is_taken_up_once(watching: Watching) -> None:
    watching.save("one")
    assert watching.refresh() == ["loaded 1 one"]
    assert watching.refresh() == []
    watching.save("two")
    assert watching.refresh() == ["loaded 2 two"]
    assert watching.live.config.name == "two"


def test_a_broken_file_keeps_the_last_good_state_and_is_told_once(watching: Watching) -> None:
    watching.save("one")
    watching.refresh()
    watching.write("{")
    assert watching.refresh() == ["rejected, using 1"]
    assert watching.refresh() == []
    assert watching.live.config.name == "one"
    watching.write('{"nmae": "x"}')
    assert watching.refresh() == ["rejected, using 1"]


def test_the_end_of_a_refusal_is_told_even_when_nothing_else_has_changed(watching: Watching) -> None:
    watching.save("one")
    watching.refresh()
    good = watching.file.path.read_text(encoding="utf-8")
    watching.write("{")
    watching.refresh()
    watching.write(good)
    assert watching.refresh() == ["loaded 1 one"]
    assert watching.refresh() == []


def test_a_hand_edit_is_taken_up(watching: Watching) -> None:
    watching.save("one")
    watching.refresh()
    watching.write(json.dumps({"version": 1, "name": "hand"}))
    assert watching.refresh() == ["loaded 1 hand"]


def test_a_file_touched_without_change_is_no_news(watching: Watching) -> None:
    watching.save("one")
    watching.refresh()
    watching.write(watching.file.path.read_text(encoding="utf-8"))
    assert watching.refresh() == []


def test_with_a_broken_file_from_the_start_the_newest_good_revision_is_used(watching: Watching) -> None:
    watching.save("one")
    watching.write("{")
    assert watching.refresh() == ["loaded 1 one", "rejected, using 1"]
    assert watching.live.config.name == "one"


def test_with_nothing_usable_it_waits_and_says_so_once(watching: Watching) -> None:
    assert watching.refresh() == ["rejected, using None"]
    assert watching.refresh() == []
    assert watching.live.loaded is None
    with pytest.raises(ConfigError):
        _ = watching.live.config
    watching.save("one")
    assert watching.refresh() == ["loaded 1 one"]


def test_a_file_that_vanishes_is_a_broken_state(watching: Watching) -> None:
    watching.save("one")
    watching.refresh()
    watching.file.path.unlink()
    assert watching.refresh() == ["rejected, using 1"]
    assert watching.live.config.name == "one"


def test_looking_changes_nothing_on_disk(watching: Watching) -> None:
    watching.save("one")
    with counted() as steps:
        watching.refresh()
    assert steps.taken == []


@pytest.mark.parametrize(
    ("content", "spool", "history"),
    [
        ({}, "spool", "sqlite:///{root}/history.db"),
        ({"spool": "/data/spool"}, "/data/spool", "sqlite:///{root}/history.db"),
        ({"history": {"url": "postgresql://a@b/c"}}, "spool", "postgresql://a@b/c"),
    ],
)
def test_where_things_are(tmp_path: Path, content: dict[str, object], spool: str, history: str) -> None:
    root = Root(tmp_path)
    config = Config.model_validate(content)
    assert spool_in_force(root.path, root.named_spool(config)).root == tmp_path / spool
    assert root.history_url(config) == history.format(root=tmp_path)
    assert {root.config, root.run, root.log} == {tmp_path / name for name in ("config", "run", "log")}
