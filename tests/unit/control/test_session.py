from __future__ import annotations

import os
from pathlib import Path

import pytest

from appliance.control import identity
from appliance.control.errors import ControlError
from appliance.control.session import Session
from mercure.config import Root
from tests.support.tasks import events_of


def test_without_a_configuration_the_first_step_is_named(tmp_path: Path) -> None:
    with pytest.raises(ControlError, match="has no configuration") as caught:
        _ = Session(Root(tmp_path), "alice").config
    assert caught.value.kind == "not-found"
    assert f"mercure init --root {tmp_path}" in caught.value.advice


def test_a_broken_file_leaves_the_last_good_revision_in_force(session: Session) -> None:
    session.store.mercure.path.write_text('{"rules": 7}')
    session.store.services.path.write_text("")
    again = Session(session.root, "alice")
    assert list(again.config.rules) == ["everything"]
    assert again.services.value.router.instances == 1


def test_a_broken_file_without_a_revision_is_told_with_all_its_problems(session: Session, tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "mercure.json").write_text('{"rulez": {}, "receiver": {"port": "x"}}')
    with pytest.raises(ControlError) as caught:
        _ = Session(Root(tmp_path), "alice").config
    assert "rulez" in caught.value.text
    assert "receiver.port" in caught.value.text
    assert "config validate" in caught.value.advice


def test_an_audit_says_who_what_before_and_after(session: Session) -> None:
    with session.changing() as events:
        session.audit(events, "target.save", "archive", before={"port": 104}, after={"port": 11112})
    (event,) = events_of(session)
    assert (event.type, event.service) == ("audit", "cli")
    assert event.details == {
        "by": "alice",
        "verb": "target.save",
        "object": "archive",
        "before": {"port": 104},
        "after": {"port": 11112},
    }


def test_without_a_spool_nothing_is_changed(session: Session) -> None:
    session.spool.root.rename(session.root.path / "gone")
    with pytest.raises(ControlError, match="there is no spool"), session.changing():
        pytest.fail("it went on")


class TestIdentity:
    def test_who_logged_in_counts_also_behind_sudo(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        login = tmp_path / "loginuid"
        login.write_text(f"{os.getuid()}\n")
        monkeypatch.setattr(identity, "_LOGIN_UID", login)
        monkeypatch.setattr(os, "getuid", lambda: 4242)
        monkeypatch.setenv("SUDO_USER", "mallory")
        assert identity.caller() == identity.user_name(int(login.read_text()))

    @pytest.mark.parametrize("content", ["4294967295", "", "x"])
    def test_where_nobody_logged_in_the_user_counts(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str
    ) -> None:
        login = tmp_path / "loginuid"
        login.write_text(content)
        monkeypatch.setattr(identity, "_LOGIN_UID", login)
        assert identity.caller() == identity.user_name(os.getuid())
        monkeypatch.setattr(identity, "_LOGIN_UID", tmp_path / "none")
        assert identity.caller() == identity.user_name(os.getuid())

    def test_a_user_without_a_name_is_a_number(self) -> None:
        assert identity.user_name(4_000_000_000) == "uid 4000000000"

    def test_a_folder_of_somebody_else_is_refused_also_to_root(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        identity.require_owner(tmp_path)
        monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid + 1)
        with pytest.raises(ControlError) as caught:
            identity.require_owner(tmp_path)
        assert caught.value.kind == "not-allowed"
