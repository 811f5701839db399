"""The release, who owns what, the backups; and all questions at once."""

from __future__ import annotations

import grp
import json
import os
import pwd
from datetime import timedelta

import pytest

from appliance.control.errors import ControlError
from appliance.doctor.checks import QUESTIONS, backed_up, examine, expected, owned, released
from appliance.doctor.host import Expected, HostView, ask
from tests.support.doctor_host import NOW, Host

PROGRAMS = ("getdcmtags", "mercure-codec", "mercure-storescp", "mercure-storescu")
PID = "systemctl show --property=MainPID --value mercure.service"


@pytest.fixture
def release(host: Host) -> Host:
    host.write("/opt/mercure/releases/1.0-abc/complete", "")
    (host.top / "opt/mercure/current").symlink_to("releases/1.0-abc")
    host.said |= {f"{name} --version": f"{name} 1.0\n" for name in PROGRAMS} | {PID: "77\n"}
    host.write("/proc/77/cmdline", "/opt/mercure/releases/1.0-abc/venv/bin/python\0run")
    return host


def test_a_release_that_is_whole_and_runs_is_well(release: Host) -> None:
    assert release.found(released) == []
    release.said[PID] = "0\n"  # that it does not run, the units tell
    assert release.found(released) == []


def test_each_fault_of_a_release_is_told(release: Host) -> None:
    release.said["getdcmtags --version"] = None
    release.write("/proc/77/cmdline", "/opt/mercure/releases/0.9-old/venv/bin/python\0run")
    (release.top / "opt/mercure/releases/1.0-abc/complete").unlink()
    texts = [(text, mend) for _, text, mend in release.found(released)]
    assert [text for text, _ in texts] == [
        "the release 1.0-abc is not complete",
        "getdcmtags of the release 1.0-abc does not run",
        "1.0-abc is current, and the router runs /opt/mercure/releases/0.9-old/venv/bin/python",
    ]
    assert "ldd" in texts[1][1]
    assert texts[2][1] == "mercure-release switch 1.0-abc"


def test_no_release_is_a_failure(host: Host) -> None:
    ((outcome, text, _),) = host.found(released)
    assert (outcome, text) == ("failed", "no release is current in /opt/mercure")


def test_a_file_that_is_open_to_others_or_gone_is_told(host: Host) -> None:
    me, us = pwd.getpwuid(os.geteuid()).pw_name, grp.getgrgid(os.getegid()).gr_name
    secret = host.write("/etc/secret", "x")
    secret.chmod(0o640)
    host.expected["files"] = [{"path": "/etc/secret", "owner": me, "group": us, "mode": "0640"}]
    assert host.found(owned) == []
    secret.chmod(0o644)
    assert host.found(owned) == [("failed", "/etc/secret has mode 0644, not 0640", "chmod 0640 /etc/secret")]
    secret.unlink()
    ((outcome, text, _),) = host.found(owned)
    assert (outcome, text) == ("failed", "there is no /etc/secret")


def test_a_file_of_somebody_else_is_told(host: Host) -> None:
    host.write("/etc/secret", "x").chmod(0o640)
    host.expected["files"] = [{"path": "/etc/secret", "owner": "nobody", "group": "nogroup", "mode": "0640"}]
    ((outcome, text, mend),) = host.found(owned)
    assert outcome == "failed"
    assert "not to nobody:nogroup" in text
    assert mend == "chown nobody:nogroup /etc/secret"


def test_backups_that_stopped_are_a_failure(host: Host) -> None:
    assert host.found(backed_up) == []
    host.expected["backups"] = "/var/backups/mercure"
    assert host.found(backed_up)[0][:2] == ("failed", "there is no /var/backups/mercure: is its disk mounted?")
    (host.top / "var/backups/mercure").mkdir(parents=True)
    assert host.found(backed_up)[0][:2] == ("warning", "there is no backup in /var/backups/mercure yet")
    file = host.write("/var/backups/mercure/router1-20261129.tar", "")
    for hours, outcomes in ((1, []), (60, ["failed"])):
        moment = (NOW - timedelta(hours=hours)).timestamp()
        os.utime(file, (moment, moment))
        assert [item[0] for item in host.found(backed_up)] == outcomes
    assert "2026-11-27 00:00" in host.found(backed_up)[0][1]


def test_every_question_has_an_answer(host: Host) -> None:
    look = HostView(Expected.model_validate(host.expected), host.top, host.ask, is_root=False, now=NOW, kernel="6.1")
    found = examine(look)
    assert list(dict.fromkeys(answer.question for answer in found.answers)) == list(QUESTIONS)
    assert not found.ok  # no release, no clock
    assert all(answer.mend for answer in found.answers if answer.outcome != "ok")


def test_a_host_that_no_playbook_made_is_told_so(host: Host) -> None:
    with pytest.raises(ControlError, match="not made by the playbook"):
        expected(host.top)
    host.write("/etc/mercure-doctor.json", "{")
    with pytest.raises(ControlError, match="cannot be read"):
        expected(host.top)
    host.write("/etc/mercure-doctor.json", json.dumps({**host.expected, "of_a_later_version": 1}))
    assert expected(host.top).folder == "/opt/mercure"


def test_a_program_that_is_not_there_or_fails_says_nothing() -> None:
    assert ask("no-such-program") is None
    assert ask("false") is None
    assert ask("true") == ""
    assert ask("sh", "-c", "echo bad; exit 3") == "bad\n"
