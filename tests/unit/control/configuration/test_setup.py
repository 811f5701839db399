from __future__ import annotations

import json
import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from appliance.control.configuration import setup
from appliance.control.errors import ControlError
from appliance.control.session import Session
from mercure.config import Receiver, Root
from mercure.config.models import Retention
from mercure.spool import Stage
from mercure.targets import FolderSettings
from tests.support.tasks import events_of
from tests.support.verbs import echo_target

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def fresh(tmp_path: Path) -> Session:
    return Session(Root(tmp_path / "deep" / "root"), "alice")


def test_the_first_configuration_can_be_used_as_it_is(fresh: Session) -> None:
    made = setup.initialise(fresh, port=11999, ae_title="ROUTER")
    config = fresh.config
    assert (config.receiver.port, config.receiver.ae_title) == (11999, "ROUTER")
    assert (made.port, made.ae_title, made.root) == (11999, "ROUTER", str(fresh.root.path))
    rule = config.rules["everything"]
    assert (rule.action, rule.targets) == ("route", ("delivered",))
    target = config.targets["delivered"]
    assert isinstance(target, FolderSettings)
    assert target.path == fresh.root.path / "delivered"
    assert echo_target(fresh, "delivered").ok
    assert all(fresh.spool.stage(stage).is_dir() for stage in Stage)


def test_a_first_run_is_reached_from_this_machine_alone(fresh: Session) -> None:
    assert setup.initialise(fresh).bind == fresh.config.receiver.bind == "127.0.0.1"
    assert not fresh.config.is_open_to_all
    assert Receiver().bind == "0.0.0.0"  # noqa: S104 - a configuration without the key is as before


@pytest.mark.parametrize(("bind", "is_open"), [("0.0.0.0", True), ("::", True), ("::1", False), ("10.0.0.7", True)])  # noqa: S104
def test_another_address_is_one_that_somebody_gave(fresh: Session, bind: str, is_open: bool) -> None:
    setup.initialise(fresh, bind=bind)
    assert fresh.config.receiver.bind == bind
    assert fresh.config.is_open_to_all == is_open


def test_what_is_no_address_is_refused(fresh: Session) -> None:
    with pytest.raises(ControlError, match="no numeric address"):
        setup.initialise(fresh, bind="localhost")
    assert not fresh.root.path.exists()


def test_both_files_are_saved_as_revisions_of_their_author(fresh: Session) -> None:
    setup.initialise(fresh)
    for file in (fresh.store.mercure, fresh.store.services):
        assert file.revisions() == [1]
        assert file.revision(1).author == "alice"
        assert not file.load().by_hand
    saved = events_of(fresh)
    assert [(event.type, event.details["by"]) for event in saved] == [("config.saved", "alice")]


def test_a_configuration_is_never_overwritten(fresh: Session) -> None:
    setup.initialise(fresh)
    fresh.store.mercure.path.write_text('{"broken"')
    before = sorted(path for path in fresh.root.path.rglob("*"))
    with pytest.raises(ControlError, match="has a configuration already") as caught:
        setup.initialise(fresh, port=1)
    assert caught.value.advice
    assert sorted(path for path in fresh.root.path.rglob("*")) == before
    assert fresh.store.mercure.path.read_text() == '{"broken"'


def test_a_configuration_that_was_lost_but_has_revisions_is_not_replaced(fresh: Session) -> None:
    setup.initialise(fresh)
    fresh.store.mercure.path.unlink()
    assert setup.is_initialised(fresh)


def test_an_initialisation_that_was_cut_off_is_begun_again(fresh: Session) -> None:
    setup.initialise(fresh)
    shutil.rmtree(fresh.root.config / "revisions" / "mercure")
    fresh.store.mercure.path.unlink()
    again = Session(fresh.root, "bob")
    setup.initialise(again)
    assert again.loaded.revision == 1


@pytest.mark.parametrize(("port", "title"), [(-1, "MERCURE"), (70000, "MERCURE"), (104, "A" * 17), (104, "A\\B")])
def test_a_wrong_value_is_named_and_nothing_is_made(fresh: Session, port: int, title: str) -> None:
    with pytest.raises(ControlError, match=r"receiver\.(port|ae_title)"):
        setup.initialise(fresh, port=port, ae_title=title)
    assert not fresh.root.path.exists()


def test_a_small_disk_has_lower_floors(fresh: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10_000_000_000, 0, 10_000_000_000))
    setup.initialise(fresh)
    assert fresh.config.receiver.min_free_bytes == 250_000_000
    assert fresh.config.retention.pressure_free_bytes == 500_000_000


def test_a_large_disk_has_the_usual_floors(fresh: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**12, 0, 10**12))
    setup.initialise(fresh)
    content = json.loads(fresh.store.mercure.path.read_text())
    assert "retention" not in content
    assert fresh.config.receiver.min_free_bytes == Receiver().min_free_bytes
    assert fresh.config.retention == Retention()
