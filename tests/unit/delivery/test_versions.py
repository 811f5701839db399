"""Versions of an image: whatever order the tasks leave in, the last version is the last that a place is given."""

from __future__ import annotations

import shutil
import threading
from typing import TYPE_CHECKING, Any

import pytest

from mercure.config import Loaded
from mercure.services import dispatcher as dispatcher_module
from mercure.services.cleaner import Cleaner
from mercure.services.router import Router
from mercure.spool import Stage, load_task, move, save_task
from mercure.spool.claim import Claim
from mercure.spool.images import ledger_lines
from mercure.spool.notices import notices
from mercure.spool.versions import folder, hints
from mercure.targets import Check, DeliveryJob, ImageResult, Trouble
from tests.support.box import GRACE, turn
from tests.support.incoming import Image
from tests.support.polling import eventually
from tests.support.waiting import Dispatchers

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mercure.config import TargetSettings
    from tests.support.box import Box

SERIES, SOP = "1.2.3", "1.2.3.1"
RETRY = {"first_seconds": 10, "cap_seconds": 100, "max_refusals": 2}


class Archive:
    """A target that notes what it is given; `refuses` says what content it does not take."""

    def __init__(self) -> None:
        self.given: list[str] = []
        self.refuses: Callable[[str], bool] = lambda content: False
        self.gate: threading.Event | None = None
        self.together = 0

    def deliver(self, job: DeliveryJob) -> Trouble | None:
        gate, refused = self.gate, 0
        if gate is not None:
            self.together += 1
            assert gate.wait(20)
        for name in job.files:
            content = (job.directory / name).read_text(encoding="ascii")
            if self.refuses(content):
                refused += 1
                job.report(ImageResult(file=name, status="0xA700", outcome="refused"))
            else:
                self.given.append(content)
                job.report(ImageResult(file=name, status="0x0000", outcome="confirmed"))
        return Trouble("refused", "not now") if refused else None

    def check(self) -> Check:
        return Check(True, "here")


class Scene:
    """A router and dispatchers over archives of one place each."""

    def __init__(self, box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
        self.box = box
        self.archives = {"pacs": Archive(), "research": Archive()}
        monkeypatch.setattr(dispatcher_module, "open_target", self._open)
        self.configure()
        self.router = box.router()
        self.dispatchers = Dispatchers(box, 2)

    def _open(self, settings: TargetSettings) -> Archive:
        return self.archives[settings.comment]

    def configure(self, *, rules: dict[str, Any] | None = None, **targets: dict[str, Any]) -> None:
        common = {"kind": "folder", "retry": RETRY, "order": "none"}
        made = {
            name: {**common, "path": f"/at/{name}", "comment": name, **targets.get(name, {})} for name in self.archives
        }
        made |= {name: settings for name, settings in targets.items() if name not in made}
        self.box.configure(targets=made, rules=rules or {"all": {"rule": "True", "targets": ["pacs"]}})
        for context in self.box.contexts:
            context.live.refresh()

    @property
    def pacs(self) -> list[str]:
        return self.archives["pacs"].given

    def send(self, *contents: str, calling: str = "SCANNER", sop: str = SOP, **tags: str) -> str:
        """Receive files of one image and let the router take the series; return the id of the first task."""
        before = set(self.box.spool.names(Stage.OUTGOING))
        self.box.receive([self.image(content, sop, **tags) for content in contents], calling)
        turn(self.router)
        self.box.clock.advance(GRACE + 1)
        turn(self.router)
        made = sorted(set(self.box.spool.names(Stage.OUTGOING)) - before)
        return made[0] if made else ""

    def image(self, content: str, sop: str = SOP, **tags: str) -> Image:
        uids = {"SOPInstanceUID": sop, "SeriesInstanceUID": SERIES, "StudyInstanceUID": "1.2", "PatientID": "P1"}
        return Image(sop, tags.get("SeriesInstanceUID", SERIES), content.encode(), {**uids, **tags})

    def deliver(self, *, rounds: int = 12) -> None:
        for _ in range(rounds):
            self.dispatchers.round()
            self.box.clock.advance(11)

    def statuses(self, task: str) -> list[str]:
        stage = self.box.spool.find(task)
        assert stage is not None
        return [line.status for line in ledger_lines(self.box.spool.entry(stage, task))]

    def retry(self, task: str) -> None:
        """Send a failed task on its way again, as a person does."""
        claim = Claim.take(self.box.spool.entry(Stage.ERROR, task))
        assert claim is not None
        with claim:
            save_task(claim.path, load_task(claim.path).for_retry())
            move(self.box.spool, claim, Stage.OUTGOING)

    def marks(self) -> list[str]:
        return [path.name for path in folder(self.box.spool).iterdir()] if folder(self.box.spool).is_dir() else []

    def succeeded(self) -> int:
        return len(self.box.spool.names(Stage.SUCCESS))

    def cleaner(self, retention: float) -> Cleaner:
        """Return a cleaner for which the history knows everything."""
        context = self.box.context("cleaner")
        kept = {"success_seconds": retention, "discard_seconds": retention, "pressure_free_bytes": 0}
        config = context.config.model_copy(update={"retention": context.config.retention.model_copy(update=kept)})
        context.live.loaded = Loaded(config, 0)
        return Cleaner(context, lambda tasks: dict.fromkeys(tasks, "delivered"))


@pytest.fixture
def scene(box: Box, monkeypatch: pytest.MonkeyPatch) -> Scene:
    return Scene(box, monkeypatch)


def refuses_once(scene: Scene, content: str) -> None:
    asked: list[str] = []

    def refuse(offered: str) -> bool:
        asked.append(offered)
        return offered == content and asked.count(content) == 1

    scene.archives["pacs"].refuses = refuse


def test_a_correction_that_overtakes_the_first_version_stays_the_last(scene: Scene) -> None:
    refuses_once(scene, "wrong")
    old = scene.send("wrong")
    scene.dispatchers.round()
    new = scene.send("right")
    scene.deliver()
    assert scene.pacs == ["right"]
    assert (scene.statuses(old), scene.statuses(new)) == (["superseded"], ["0x0000"])
    assert scene.succeeded() == 2
    (collided,) = scene.box.events("images.collided")
    assert (collided.details["other"], collided.details["sops"]) == (old, [SOP])
    assert collided.details.get("kind", "version") == "version"
    (skipped,) = scene.box.events("images.superseded")
    assert (skipped.task, skipped.details["by"], skipped.details["images"]) == (old, new, 1)
    delivered = {event.task: event.details["images"][0]["status"] for event in scene.box.events("task.delivered")}
    assert delivered == {old: "superseded", new: "0x0000"}


def test_of_three_versions_the_last_is_the_last(scene: Scene) -> None:
    scene.configure(pacs={"retry": {**RETRY, "max_refusals": 9}})
    scene.archives["pacs"].refuses = lambda content: content in {"one", "two"} and "three" not in scene.pacs
    for content in ("one", "two", "three"):
        scene.send(content)
        scene.dispatchers.round()
    scene.deliver()
    assert scene.pacs == ["three"]
    assert scene.succeeded() == 3


def test_versions_that_wait_side_by_side_go_in_their_order_or_not_at_all(scene: Scene) -> None:
    for content in ("one", "two", "three"):
        scene.send(content)
    scene.deliver()
    assert scene.pacs == sorted(scene.pacs, key=["one", "two", "three"].index)
    assert scene.pacs[-1] == "three"
    assert scene.succeeded() == 3


def test_an_urgent_correction_goes_first_and_the_rest_is_superseded(scene: Scene) -> None:
    rules = {
        "new": {"rule": 'tags.PatientName == "NEW"', "targets": ["pacs"], "priority": "urgent"},
        "old": {"rule": 'tags.PatientName != "NEW"', "targets": ["pacs"]},
    }
    scene.configure(rules=rules, pacs={"concurrency": 1})
    scene.send("wrong", PatientName="OLD")
    scene.send("right", PatientName="NEW")
    scene.deliver()
    assert scene.pacs == ["right"]
    assert scene.succeeded() == 2


@pytest.mark.parametrize("retired", [False, True])
def test_a_failed_version_that_a_person_retries_is_not_sent_any_more(scene: Scene, retired: bool) -> None:
    """The newer one was delivered long ago, and its task may be gone; the database is not asked."""
    scene.archives["pacs"].refuses = lambda content: content == "wrong"
    old = scene.send("wrong")
    scene.deliver(rounds=5)
    assert scene.box.spool.names(Stage.ERROR) == [old]
    scene.send("right")
    scene.deliver(rounds=3)
    if retired:
        cleaner = scene.cleaner(1)
        scene.box.clock.advance(100)
        turn(cleaner)
        assert scene.succeeded() == 0
    assert scene.marks() == [SERIES]
    scene.archives["pacs"].refuses = lambda content: False
    scene.retry(old)
    scene.deliver(rounds=3)
    assert scene.pacs == ["right"]
    assert scene.statuses(old) == ["superseded"]
    turn(scene.cleaner(1e9))
    assert scene.marks() == [], "nothing waits any more"


def test_another_place_that_has_no_newer_one_gets_it(scene: Scene) -> None:
    scene.archives["pacs"].refuses = lambda content: content == "wrong"
    old = scene.send("wrong")
    scene.deliver(rounds=5)
    scene.send("right")
    scene.deliver(rounds=3)
    scene.retry(old)
    directory = scene.box.spool.entry(Stage.OUTGOING, old)
    save_task(directory, load_task(directory).model_copy(update={"target": "research"}))
    scene.deliver(rounds=3)
    assert scene.archives["research"].given == ["wrong"]


def test_two_targets_may_be_one_place(scene: Scene) -> None:
    rules = {
        "new": {"rule": 'tags.PatientName == "NEW"', "targets": ["research"]},
        "old": {"rule": 'tags.PatientName != "NEW"', "targets": ["pacs"]},
    }
    scene.configure(rules=rules, research={"path": "/at/pacs"})
    refuses_once(scene, "wrong")
    old = scene.send("wrong", PatientName="OLD")
    scene.dispatchers.round()
    scene.send("right", PatientName="NEW")
    scene.deliver()
    assert (scene.pacs, scene.archives["research"].given) == ([], ["right"])
    assert scene.statuses(old) == ["superseded"]


def test_a_correction_waits_while_the_first_version_hangs_at_the_target(scene: Scene) -> None:
    """After the time limit nobody knows whether it was taken: the correction comes after it, whatever it does."""
    gate = scene.archives["pacs"].gate = threading.Event()
    scene.send("wrong")
    first, second = scene.dispatchers.each
    turn(first)
    eventually(lambda: scene.archives["pacs"].together == 1, what="the first version is on its way")
    scene.send("right")
    for _ in range(3):
        turn(second)
        second.end()
        scene.box.clock.advance(1)
    assert scene.archives["pacs"].together == 1
    scene.archives["pacs"].gate = None
    gate.set()
    first.end()
    scene.deliver(rounds=3)
    assert scene.pacs == ["wrong", "right"]


def test_versions_in_one_task_go_in_their_order_and_one_after_the_other(scene: Scene) -> None:
    jobs: list[tuple[list[str], bool]] = []
    deliver = scene.archives["pacs"].deliver

    def look(job: DeliveryJob) -> Trouble | None:
        jobs.append((list(job.files), job.in_order))
        return deliver(job)

    scene.archives["pacs"].deliver = look  # type: ignore[method-assign]
    refuses_once(scene, "one")
    task = scene.send("one", "two", "three")
    scene.deliver(rounds=3)
    assert jobs == [(["1.2.3.1.dcm", "1.2.3.1~2.dcm", "1.2.3.1~3.dcm"], True)]
    assert scene.pacs == ["two", "three"]
    assert scene.statuses(task) == ["0x0000", "0x0000", "superseded"]


def test_a_series_that_is_sent_again_has_the_newest_of_each_image(scene: Scene) -> None:
    scene.configure(rules={"all": {"rule": "True", "targets": ["pacs"], "late": "again"}})
    scene.send("one", "two")
    scene.send("other", sop="1.2.3.2")
    scene.send("three")
    scene.deliver()
    assert [content for content in scene.pacs if content != "other"][-1] == "three"
    last = load_task(scene.box.tasks(Stage.SUCCESS)[-1])
    assert last.images == 2, "of the earlier versions none is sent again"


@pytest.mark.parametrize("other", [{"PatientID": "P2"}, {"StudyInstanceUID": "9.9"}, {"calling": "OTHER"}], ids=str)
def test_what_is_of_another_patient_is_no_newer_version(scene: Scene, other: dict[str, str]) -> None:
    """Both are delivered, in the order received, and somebody is told."""
    refuses_once(scene, "first")
    scene.send("first")
    scene.dispatchers.round()
    scene.send("second", **other)
    scene.deliver()
    assert scene.pacs == ["first", "second"]
    (collided,) = scene.box.events("images.collided")
    assert collided.details["kind"] == "twice"
    assert any("used twice" in notice.text for notice in notices(scene.box.spool))


OTHER_SERIES = {"SeriesInstanceUID": "7.7.7"}


@pytest.mark.parametrize("more", [{}, {"PatientID": "P2"}, {"StudyInstanceUID": "9.9"}], ids=str)
def test_one_uid_in_two_series_goes_twice_in_the_order_received(scene: Scene, more: dict[str, str]) -> None:
    refuses_once(scene, "first")
    old = scene.send("first")
    scene.dispatchers.round()
    scene.send("second", **OTHER_SERIES, **more)
    assert sorted(scene.marks()) == [SERIES, "7.7.7"]
    scene.deliver()
    assert scene.pacs == ["first", "second"]
    (collided,) = scene.box.events("images.collided")
    assert (collided.details["kind"], collided.details["sops"]) == ("twice", [SOP])
    assert collided.details["other"][:21] == old[:21]
    (notice,) = notices(scene.box.spool)
    assert "used twice" in notice.text
    assert "images: 1, tasks: 1" in notice.text
    turn(scene.cleaner(1e9))
    assert scene.marks() == [], "nothing waits any more"


def test_a_uid_that_was_delivered_before_is_told_in_another_series(scene: Scene) -> None:
    scene.send("first")
    scene.deliver(rounds=2)
    cleaner = scene.cleaner(1)
    scene.box.clock.advance(100)
    turn(cleaner)
    assert scene.succeeded() == 0
    scene.send("second", **OTHER_SERIES)
    scene.deliver(rounds=2)
    assert scene.pacs == ["first", "second"]
    assert [event.details["kind"] for event in scene.box.events("images.collided")] == ["twice"]
    assert len(notices(scene.box.spool)) == 1
    assert scene.marks() == [], "there is nothing to put in order"


def test_two_series_with_uids_of_their_own_are_nothing_special(scene: Scene) -> None:
    scene.send("first")
    scene.send("second", sop="1.2.3.9", **OTHER_SERIES)
    scene.deliver(rounds=2)
    assert scene.box.events("images.collided") == []
    assert notices(scene.box.spool) == []


def test_a_sender_with_one_uid_for_all_is_told_in_few_words(scene: Scene) -> None:
    for number in range(15):
        scene.send(str(number), SeriesInstanceUID=f"7.{number}")
    last = max(scene.box.spool.names(Stage.OUTGOING))
    told = [event for event in scene.box.events("images.collided") if event.details["other"] != last]
    assert len(told) <= 15 * 8
    scene.deliver(rounds=30)
    assert scene.pacs == [str(number) for number in range(15)]


def test_two_senders_that_take_turns_do_not_wait_for_each_other(scene: Scene) -> None:
    """Of one image the first of them was earlier, of the other the second; each is sent whole, so one goes first."""
    two = "1.2.3.2"
    for calling, content, sop in (
        ("ONE", "one 1", SOP),
        ("TWO", "two 2", two),
        ("TWO", "two 1", SOP),
        ("ONE", "one 2", two),
    ):
        scene.box.clock.advance(1)
        scene.box.receive([scene.image(content, sop)], calling)
    turn(scene.router)
    scene.box.clock.advance(GRACE + 1)
    turn(scene.router)
    assert len(scene.box.spool.names(Stage.OUTGOING)) == 2
    scene.deliver()
    assert [set(scene.pacs[:2]), set(scene.pacs[2:])] == [{"one 1", "one 2"}, {"two 1", "two 2"}]


def test_a_table_that_was_lost_with_the_power_is_made_again_of_what_came_last(scene: Scene) -> None:
    refuses_once(scene, "first")
    scene.send("first")
    scene.dispatchers.round()
    shutil.rmtree(scene.box.spool.stage(Stage.STATE) / "instances")
    scene.router = Router(scene.box.context("router"))
    scene.send("second", **OTHER_SERIES)
    scene.deliver()
    assert scene.pacs == ["first", "second"]
    assert len(notices(scene.box.spool)) == 1


def test_what_comes_again_as_it_was_is_no_other_version(scene: Scene) -> None:
    refuses_once(scene, "same")
    scene.send("same")
    scene.dispatchers.round()
    scene.send("same")
    scene.deliver()
    assert scene.pacs == ["same", "same"]
    assert scene.marks() == []
    assert scene.box.events("images.collided", "images.superseded") == []


def test_late_images_with_uids_of_their_own_are_nothing_special(scene: Scene) -> None:
    refuses_once(scene, "first")
    scene.send("first")
    scene.dispatchers.round()
    scene.send("second", sop="1.2.3.2")
    scene.deliver()
    assert sorted(scene.pacs) == ["first", "second"]
    assert scene.marks() == []


def test_what_was_noted_last_may_be_lost_with_the_power(scene: Scene) -> None:
    """A router that begins notes once more what waits."""
    refuses_once(scene, "wrong")
    old = scene.send("wrong")
    scene.dispatchers.round()
    shutil.rmtree(hints(scene.box.spool))
    shutil.rmtree(scene.box.spool.stage(Stage.STATE) / "seen")
    scene.router = Router(scene.box.context("router"))
    scene.send("right")
    scene.deliver()
    assert scene.pacs == ["right"]
    assert scene.statuses(old) == ["superseded"]


def test_versions_that_an_older_release_left_are_found_at_the_start(scene: Scene) -> None:
    refuses_once(scene, "wrong")
    old, new = scene.send("wrong"), scene.send("right")
    for path in (hints(scene.box.spool), folder(scene.box.spool)):
        shutil.rmtree(path)
    scene.router = Router(scene.box.context("router"))
    turn(scene.router)
    assert scene.marks() == [SERIES]
    scene.deliver()
    assert scene.pacs[-1] == "right"
    assert {old, new} == set(scene.box.spool.names(Stage.SUCCESS))


def test_a_collected_study_takes_its_versions_along(scene: Scene) -> None:
    study = {"quiet_seconds": 30}
    scene.configure(rules={"whole": {"rule": "True", "targets": ["pacs"], "trigger": "study", "study": study}})
    scene.send("one")
    scene.send("two")
    scene.box.clock.advance(100)
    turn(scene.router)
    scene.box.clock.advance(100)
    turn(scene.router)
    scene.deliver(rounds=3)
    assert scene.pacs == ["one", "two"]


def test_a_mark_costs_other_series_nothing(scene: Scene, tmp_path: Path) -> None:
    """The usual case: one look for a folder that is not there."""
    scene.send("only")
    scene.deliver(rounds=2)
    assert scene.pacs == ["only"]
    assert not folder(scene.box.spool).exists()
