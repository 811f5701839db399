"""What the crash tests of the router have in common: scenes, a router run to the end, and where everything must be."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mercure.services.cleaner import RETELL_SECONDS, Cleaner
from mercure.spool import Stage, image_files, load_task, read_tags
from tests.support.box import Box, turn
from tests.support.incoming import make_images

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.incoming import Image

CT = 'tags.Modality == "CT"'
A_B = {"a": {"kind": "folder", "path": "/a"}, "b": {"kind": "folder", "path": "/b"}}
FAULTY = "number(tags.PatientID) > 3"


@dataclass(frozen=True)
class Scene:
    """A configuration, what was received, and in how many tasks of which stage each image must end.

    `tear` spoils something in ``incoming/`` as a power cut would.
    """

    rules: dict[str, Any]
    ends: dict[Stage, int]
    waves: tuple[tuple[int, int], ...] = ((1, 3),)
    tear: Callable[[Path], None] = lambda folder: None
    told: tuple[str, ...] = ("series.completed", "series.decided", "task.created")
    tags: dict[str, str] = field(default_factory=dict)
    patients: tuple[str, ...] = ("P1",)
    modalities: tuple[str, ...] = ("CT",)
    """Those of the images in turn, as the patients."""

    @property
    def images(self) -> list[Image]:
        """All images of the scene, wave after wave."""
        numbers = [number for first, count in self.waves for number in range(first, first + count)]
        return [image for number in numbers for image in make_images(1, first=number, **self._tags_of(number))]

    def _tags_of(self, number: int) -> dict[str, str]:
        modality = self.modalities[number % len(self.modalities)]
        return {"PatientID": self.patients[number % len(self.patients)], "Modality": modality, **self.tags}


def tear_tag_lines(folder: Path) -> None:
    """Cut the last tag line in half, and lose the one before it."""
    for path in folder.glob("*.jsonl"):
        lines = path.read_bytes().splitlines(keepends=True)
        path.write_bytes(b"".join(lines[:-2]) + lines[-1][: len(lines[-1]) // 2])


def both(rule: str = "True", **more: Any) -> dict[str, Any]:
    """Make a rule that sends to both targets."""
    return {"rule": rule, "targets": ["a", "b"], **more}


SCENES = {
    "two targets": Scene({"all": both()}, {Stage.OUTGOING: 2}),
    "discarded": Scene({"no": {"rule": CT, "action": "discard"}}, {Stage.DISCARD: 1}),
    "undecided": Scene(
        {"bad": both(FAULTY)}, {Stage.ERROR: 1}, told=("series.completed", "series.decided", "task.failed")
    ),
    "late arrivals": Scene({"all": both()}, {Stage.OUTGOING: 2}, waves=((1, 2), (3, 2))),
    "torn tag lines": Scene({"all": both()}, {Stage.OUTGOING: 2}, tear=tear_tag_lines),
    "a mixed series": Scene(
        {"all": both()},
        {Stage.OUTGOING: 2},
        waves=((1, 5),),
        patients=("P1", "P2", "P3"),
        told=("series.completed", "series.decided", "task.created", "warning"),
    ),
    "divided along the verdicts": Scene(
        {"ct": both(CT), "ot": both('tags.Modality == "OT"')},
        {Stage.OUTGOING: 2},
        modalities=("CT", "OT"),
    ),
    "a study": Scene(
        {"s": both(trigger="study", study={"quiet_seconds": 30})},
        {Stage.OUTGOING: 2},
        told=("series.completed", "study.completed", "task.created"),
    ),
}


def set_up(box: Box, scene: Scene) -> list[Image]:
    """Configure, receive the first wave, and return all images of the scene."""
    box.configure(targets=A_B, rules=scene.rules)
    images = scene.images
    box.receive(images[: scene.waves[0][1]])
    scene.tear(box.spool.entry(Stage.INCOMING, "1.2.3"))
    return images


def finish(box: Box, scene: Scene | None = None) -> None:
    """Run a router until nothing is left to do; after the first wave the others come."""
    router = box.router()
    _run(box, lambda: turn(router))
    for first, count in (scene.waves if scene else ())[1:]:
        box.receive(make_images(count, first=first))
        _run(box, lambda: turn(router))


def _run(box: Box, work: Callable[[], object]) -> None:
    stages = (Stage.INCOMING, Stage.ROUTING, Stage.STUDIES)
    for _ in range(20):
        work()
        if not any(box.spool.names(stage) for stage in stages):
            return
        box.clock.advance(10)
    raise AssertionError(f"still there: {[(stage, box.spool.names(stage)) for stage in stages]}")


def tell_again(box: Box) -> None:
    """Let a cleaner tell what a crash kept from being told; its history knows of nothing."""
    cleaner = Cleaner(box.context("cleaner"), states=lambda tasks: {})
    turn(cleaner)
    box.clock.advance(RETELL_SECONDS)
    turn(cleaner)


def check_nothing_is_nowhere(box: Box, images: list[Image]) -> None:
    """Each acknowledged image is somewhere, under a name that readers look at."""
    places = box.places()
    assert [image.name for image in images if image.data not in places] == []


def check_all_is_done(box: Box, scene: Scene, images: list[Image]) -> None:
    """Each image is exactly where it must be, each task is whole and known, and everything was told once."""
    places = box.places()
    assert {image.name: dict(places.get(image.data, Counter())) for image in images} == {
        image.name: dict(scene.ends) for image in images
    }
    for stage in scene.ends:
        for directory in box.tasks(stage):
            _check_task(box, directory, {image.data: image.name for image in images})
    tell_again(box)
    _check_events(box, scene)


def _check_task(box: Box, directory: Path, names: dict[bytes, str]) -> None:
    task = load_task(directory)
    files = image_files(directory)
    assert (task.id, task.images, task.bytes) == (directory.name, len(files), sum(image.bytes for image in files))
    assert task.identity.StudyInstanceUID in ("1.2", "")
    for image in files:
        assert names[(directory / image.name).read_bytes()] == image.name
    assert {record["FileName"] for record in read_tags(directory)} == {image.name for image in files}
    assert {record.get("PatientID", task.identity.PatientID) for record in read_tags(directory)} == {
        task.identity.PatientID
    }


def _check_events(box: Box, scene: Scene) -> None:
    told = Counter((event.type, event.task) for event in box.events(*scene.told))
    assert set(told.values()) == {1}
    assert {kind for kind, _ in told} == set(scene.told)
    created = {event.task: event for event in box.events("task.created")}
    for stage in (Stage.OUTGOING, Stage.DISCARD):
        for directory in box.tasks(stage):
            event = created.pop(directory.name)
            named = {image["file"] for image in event.details["images"]}
            assert named == {image.name for image in image_files(directory)}
    assert all(event.details["action"] == "collect" for event in created.values())
