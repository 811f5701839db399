"""Commands about what waits and what happened."""

from __future__ import annotations

import hashlib
import json

import pytest

from appliance.cli import exit_codes
from appliance.control.session import Session
from mercure.names import new_id
from mercure.routing import pace
from mercure.spool import FiredRule, Hold, Spool, Stage, Task, load_task
from tests.support.command_line import Call
from tests.support.tasks import claim_of, place_task


class TestQueue:
    def test_short_ids_work_and_the_list_names_them(self, call: Call, session: Session, spool: Spool) -> None:
        task = place_task(session, Stage.OUTGOING)
        short = call("queue", "list").stdout.splitlines()[1].split()[0]
        assert task.id.endswith(short)
        assert call("queue", "hold", short, "--reason", "wait").exit_code == 0
        held = load_task(spool.entry(Stage.OUTGOING, task.id)).hold
        assert held is not None
        assert held.reason == "wait"
        assert "held by" in call("queue", "list").stdout

    def test_filters(self, call: Call, session: Session) -> None:
        first = place_task(session, Stage.OUTGOING)
        second = place_task(session, Stage.ERROR)
        both = call("queue", "list").stdout
        assert first.id[-8:] in both
        assert second.id[-8:] in both
        only = call("queue", "list", "--stage", "error").stdout
        assert first.id[-8:] not in only
        assert second.id[-8:] in only
        assert call("queue", "list", "--target", "other").stdout == "nothing waits\n"
        assert call("queue", "list", "--state", "nonsense").exit_code == exit_codes.USAGE

    def test_a_limit_says_how_many_more(self, call: Call, session: Session) -> None:
        for _ in range(3):
            place_task(session, Stage.OUTGOING)
        result = call("queue", "list", "--limit", "1")
        assert len(result.stdout.splitlines()) == 2
        assert "2 more" in result.stderr

    def test_one_that_cannot_be_changed_does_not_keep_the_others(
        self, call: Call, session: Session, spool: Spool
    ) -> None:
        busy, free = place_task(session, Stage.OUTGOING), place_task(session, Stage.OUTGOING)
        with claim_of(spool, Stage.OUTGOING, busy):
            result = call("queue", "discard", busy.id, free.id, "--yes")
        assert result.exit_code == exit_codes.BUSY
        assert busy.id in result.stderr
        assert free.id in result.stdout
        assert spool.find(free.id) is Stage.DISCARD
        assert spool.find(busy.id) is Stage.OUTGOING

    def test_all_that_fit(self, call: Call, session: Session, spool: Spool) -> None:
        mine = [place_task(session, Stage.ERROR) for _ in range(3)]
        other = place_task(session, Stage.ERROR, target="gone")
        done = place_task(session, Stage.SUCCESS)
        result = call("queue", "retry", "--all", "--target", "delivered")
        assert result.exit_code == 0
        assert [spool.find(task.id) for task in mine] == [Stage.OUTGOING] * 3
        assert (spool.find(other.id), spool.find(done.id)) == (Stage.ERROR, Stage.SUCCESS)

    def test_several_are_discarded_only_after_a_yes(self, call: Call, session: Session, spool: Spool) -> None:
        tasks = [place_task(session, Stage.ERROR) for _ in range(2)]
        names = [task.id for task in tasks]
        for answer in ("n\n", ""):
            result = call("queue", "discard", *names, input=answer)
            assert result.exit_code == exit_codes.FAILED
            assert "discard 2 tasks?" in result.stderr
        assert [spool.find(name) for name in names] == [Stage.ERROR] * 2
        assert call("queue", "discard", *names, input="y\n").exit_code == 0
        assert [spool.find(name) for name in names] == [Stage.DISCARD] * 2

    @pytest.mark.parametrize("arguments", [(), ("--all",), ("abcd", "--all", "--stage", "error")])
    def test_which_tasks_must_be_said_and_once(self, call: Call, arguments: tuple[str, ...]) -> None:
        assert call("queue", "retry", *arguments).exit_code == exit_codes.USAGE

    def test_held_ones_are_released_by_filter(self, call: Call, session: Session, spool: Spool) -> None:
        task = place_task(session, Stage.OUTGOING, hold=Hold(by="bob", at=session.clock.now()))
        assert call("queue", "release", "--all", "--state", "held").exit_code == 0
        assert load_task(spool.entry(Stage.OUTGOING, task.id)).hold is None


class TestHistory:
    @pytest.mark.parametrize(
        "arguments",
        [("--patient", "p-17"), ("--accession", "A-9"), ("--series", "1.2.3.4"), ("--study", "1.2.3"),
         ("--patient", "P-17", "--accession", "A-99", "--since", "1h")],
    )  # fmt: skip
    def test_an_exam_is_found_by_what_people_know(self, call: Call, exam: Task, arguments: tuple[str, ...]) -> None:
        for what, key in (("series", "series"), ("images", "images"), ("tasks", "tasks"), ("events", "events")):
            result = call("history", what, *arguments, "--json")
            assert result.exit_code == 0, result.output
            assert json.loads(result.stdout)[key], what

    @pytest.mark.parametrize(
        "arguments",
        [("--patient", "Q"), ("--accession", "99"), ("--patient", "P-17", "--accession", "B"), ("--study", "1.2"),
         ("--series", "1.2.3.4", "--since", "2100-01-01")],
    )  # fmt: skip
    def test_another_is_not(self, call: Call, exam: Task, arguments: tuple[str, ...]) -> None:
        for what in ("series", "tasks"):
            assert json.loads(call("history", what, *arguments, "--json").stdout)[what] == []

    def test_the_story_of_a_task(self, call: Call, exam: Task) -> None:
        story = json.loads(call("history", "tasks", exam.id, "--json").stdout)
        assert story["task"]["patient_id"] == "P-17"
        assert [event["type"] for event in story["events"]] == ["task.created"]

    def test_a_task_that_nobody_knows(self, call: Call, exam: Task) -> None:
        assert call("history", "tasks", new_id()).exit_code == exit_codes.NOT_FOUND

    def test_senders_are_listed_with_what_was_learned_of_them(self, call: Call, session: Session, exam: Task) -> None:
        (before,) = json.loads(call("history", "senders", "--json").stdout)["senders"]
        assert before["release_seconds"] is None
        name = session.config.sender_of(before["calling_aet"], before["address"])
        hint = pace.folder(session.spool) / f"{hashlib.sha256(name.encode()).hexdigest()[:32]}.json"
        hint.parent.mkdir()
        hint.write_text(pace.SenderPace(sender=name, seconds=11).model_dump_json())
        assert "11 s (learned)" in call("history", "senders").stdout

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (("history", "series", "--limit", "50000"), "50000 is not in the range 1<=x<=10000"),
            (("history", "events", "--limit", "0"), "0 is not in the range 1<=x<=10000"),
            (("queue", "hold", "T1", "--reason", "x" * 2001), "reason: string should have at most 2000 characters"),
            (("queue", "hold", ""), "task: string should have at least 1 character"),
        ],
    )
    def test_an_argument_out_of_its_bounds_is_told_in_words(
        self, call: Call, arguments: tuple[str, ...], said: str
    ) -> None:
        result = call(*arguments)
        assert result.exit_code == exit_codes.USAGE
        assert said in result.stderr
        assert "pydantic" not in result.stderr

    def test_without_a_history_it_says_what_still_works(self, call: Call) -> None:
        result = call("history", "series")
        assert result.exit_code == exit_codes.FAILED
        assert "is not made yet" in result.stderr
        assert "queue list" in result.stderr

    @pytest.mark.parametrize("text", ["yesterday", "3x", "-1d", "2026-13-01"])
    def test_a_time_that_is_none(self, call: Call, text: str) -> None:
        result = call("history", "series", "--since", text)
        assert result.exit_code == exit_codes.USAGE
        assert "2026-11-21" in result.stderr


class TestKeep:
    def test_what_is_finished_is_listed_with_its_rule_and_kept(self, call: Call, session: Session) -> None:
        now = session.clock.now()
        task = place_task(session, Stage.DISCARD, rules=(FiredRule(rule="localizers"),), finished=now)
        listed = call("queue", "list", "--stage", "discard").stdout
        assert "localizers" in listed
        assert "REMOVED IN" in listed
        added = call("keep", "add", task.id[-8:], "--until", "10d", "--reason", "a question")
        assert added.exit_code == 0, added.output
        assert "(kept)" in call("queue", "list", "--stage", "discard").stdout
        name = call("keep", "list").stdout.splitlines()[-1].split()[0]
        assert "a question" in call("keep", "list").stdout
        assert call("keep", "remove", name).exit_code == 0
        assert call("keep", "list").stdout == "nothing is kept beyond its retention\n"

    def test_bad_input(self, call: Call, session: Session) -> None:
        task = place_task(session, Stage.SUCCESS)
        no_end = call("keep", "add", task.id, "--reason", "x")
        assert (no_end.exit_code, "--until" in no_end.stderr) == (exit_codes.USAGE, True)
        for end in ("yesterday", "9999999999w", "2026-13-01"):
            assert call("keep", "add", task.id, "--until", end, "--reason", "x").exit_code == exit_codes.USAGE
        past = call("keep", "add", task.id, "--until", "2020-01-01", "--reason", "x")
        assert (past.exit_code != 0, "not in the future" in past.stderr) == (True, True)
        both = call("keep", "add", task.id, "--patient", "P1", "--until", "1d", "--reason", "x")
        assert both.exit_code == exit_codes.USAGE
        assert call("keep", "list").stdout == "nothing is kept beyond its retention\n"
