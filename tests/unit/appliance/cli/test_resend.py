"""``mercure resend``: the plan first, then a job; and files that are no list."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from appliance.cli import exit_codes
from mercure.spool import Stage
from tests.support.tasks import place_task

if TYPE_CHECKING:
    from pathlib import Path

    from appliance.control.session import Session
    from tests.support.command_line import Call


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "names nothing"),
        (b"\n , ,\n", "names nothing"),
        (b"accession\n", "names nothing"),
        (b"\xff\xfe\x00\x01", "not UTF-8"),
        (b"A\0B\n", "is no text"),
        (b"x" * 300, "longer than 200"),
        (b"\n".join(b"%d" % number for number in range(20_001)), "more than 20000"),
        (b"x" * (10 * 1024 * 1024 + 1), "more than 10"),
        (b'"' + b"x" * 140_000, "no CSV file"),
    ],
)
def test_a_file_that_is_no_list(call: Call, tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes(content)
    result = call("resend", "--csv", str(path), "--plan")
    assert result.exit_code == exit_codes.USAGE
    assert says in " ".join(result.stderr.split())


@pytest.mark.parametrize(
    "content",
    [
        "1.2.9,noise\n=cmd(),x\n",
        "\ufeffName;Study;Comment\nx;1.2.9;y\nz;nonsense\n;;\n",
    ],
)
def test_a_list_of_exams(call: Call, session: Session, tmp_path: Path, content: str) -> None:
    place_task(session, Stage.SUCCESS, target="delivered", identity={"StudyInstanceUID": "1.2.9"})
    place_task(session, Stage.SUCCESS, target="delivered")
    path = tmp_path / "list.csv"
    path.write_text(content, encoding="utf-8")
    result = call("resend", "--csv", str(path), "--plan", "--json")
    plan = json.loads(result.stdout)
    assert (plan["series"], len(plan["not_found"])) == (1, 1)


def test_the_plan_is_confirmed_and_becomes_a_job(call: Call, session: Session) -> None:
    task = place_task(session, Stage.SUCCESS, target="delivered", images=2)
    assert "1 series, 2 images" in call("resend", task.id[-8:], "--plan").stdout
    assert call("resend", task.id, input="n\n").exit_code != 0
    assert "no jobs" in call("resends", "list").stdout
    begun = call("resend", task.id, "--yes", "--reason", "lost there")
    assert begun.exit_code == 0
    assert "running, 0 of 1" in begun.stdout
    job = begun.stdout.split()[1].rstrip(":")
    assert "lost the" in call("resends", "list").stdout
    assert "paused" in call("resends", "pause", job).stdout
    assert "running" in call("resends", "resume", job).stdout
    assert "stopped" in call("resends", "stop", job).stdout
    assert call("resends", "stop", job).exit_code != 0


def test_nothing_to_send(call: Call) -> None:
    result = call("resend", "--patient", "nobody", "--yes")
    assert result.exit_code == exit_codes.FAILED
    assert "0 series" in result.stderr
    assert call("resend", "--anew", "--to", "delivered", "--patient", "P").exit_code == exit_codes.USAGE
    assert "nothing says" in call("resend", "--plan").stderr
