"""Judging whether tasks and acknowledged images are accounted for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mercure.history.handlers import folder_of
from mercure.history.verify.evidence import Evidence
from mercure.history.verify.folders import of_entry
from mercure.history.verify.report import Finding, Kind
from mercure.history.verify.spool_walk import SpoolWalk
from mercure.history.verify.views import ImageView, TaskView
from mercure.names import is_id, time_part
from mercure.spool import Stage, Task, TaskError, image_refs, load_task


class TaskAccounts:
    """Judges tasks by their events and by where they are.

    Parameters
    ----------
    evidence : Evidence
        The events of history and outbox.
    walk : SpoolWalk
        Where tasks are.
    """

    def __init__(self, evidence: Evidence, walk: SpoolWalk) -> None:
        self._evidence = evidence
        self._walk = walk

    def judge(
        self, view: TaskView, place: Path | None, children: Sequence[TaskView], study: TaskView | None
    ) -> list[Finding]:
        """Return what is wrong with a task.

        Parameters
        ----------
        view : TaskView
            What its events say.
        place : Path or None
            Where it is in the spool.
        children : sequence of TaskView
            The tasks derived from it.
        study : TaskView or None
            The study that it became part of.
        """
        parent = self._walk.place(view.parent) if view.parent else None
        discarded = view.retired_from == Stage.DISCARD or (view.state == "discarded" and view.retired is not None)
        ways: list[tuple[bool, Callable[[], list[Finding]]]] = [
            (place is not None, list),  # it is kept; `FolderCheck` finds whether it is whole
            (view.facts_order is None and parent is not None, list),  # only planned yet: the images are in the parent
            (discarded, lambda: self._discarded(view)),
            (view.state == "delivered" or view.retired_from == Stage.SUCCESS, lambda: self._delivered(view)),
            (view.state == "processed", list),  # its results are tasks of their own
            (view.state == "collected", lambda: self._collected(view, study)),
            (view.is_routed and bool(children), lambda: self._routed(view, children)),
        ]
        judge = next((judge for holds, judge in ways if holds), lambda: self._lost(view))
        return judge()

    def _discarded(self, view: TaskView) -> list[Finding]:
        if view.discarded_by or view.reason:
            return []
        text = "it was discarded and removed, and nothing says which rule or person wanted it"
        return self._each(Kind.NO_RULE, text, view)

    def _delivered(self, view: TaskView) -> list[Finding]:
        findings = []
        if view.digest is not None and view.delivered_digest not in (None, view.digest):
            confirmed = {entry.file for entry in self._evidence.entries(view.delivered_digest)}
            text = f"{view.target!r} confirmed the task, but not this image of it"
            missing = [entry for entry in self._evidence.entries(view.digest) if entry.file not in confirmed]
            findings += [of_entry(Kind.NOT_CONFIRMED, text, entry, view) for entry in missing]
        if view.retired is None:
            text = "it was delivered, and its folder is gone although the cleaner did not remove it"
            findings.append(Finding(kind=Kind.VANISHED, text=text, task=view.id, target=view.target))
        return findings

    def _collected(self, view: TaskView, study: TaskView | None) -> list[Finding]:
        """Look for the images of a collected series in the study made of it, where they may have other names."""
        if study is None:
            return []  # both were in one event: the study is over, and the history may forget what is over
        held = self._evidence.entries(study.digest)
        ids, files = {entry.image for entry in held if entry.image}, {entry.file for entry in held}
        sops = {entry.sop for entry in held if entry.sop}
        text = f"its series was collected, but it is not in the study that was made of it ({view.study_task})"
        return [
            of_entry(Kind.NOT_PLANNED, text, entry, view)
            for entry in self._evidence.entries(view.digest)
            if entry.image not in ids and entry.file not in files and (entry.image or entry.sop not in sops)
        ]

    def _routed(self, view: TaskView, children: Sequence[TaskView]) -> list[Finding]:
        """Compare a routed series with the tasks derived from it.

        Each must hold all its images, or as many of them as the rules wanted there; and each image is in one of them.
        """
        apart = [child for child in children if child.digest is not None and child.digest != view.digest]
        parts = self._evidence.parts(view.id) if apart and view.digest is not None else {}
        findings = self._in_no_part(view, children) if parts else []
        for child in apart if view.digest is not None else ():
            if child.id in parts and len(self._evidence.entries(child.digest)) >= parts[child.id]:
                continue
            held = {entry.file for entry in self._evidence.entries(child.digest)}
            where = child.target or child.action
            text = f"the series was routed to {where!r}, but this image is not in that task ({child.id})"
            missing = [entry for entry in self._evidence.entries(view.digest) if entry.file not in held]
            findings += [of_entry(Kind.NOT_PLANNED, text, entry, view, target=child.target) for entry in missing]
        return findings

    def _in_no_part(self, view: TaskView, children: Sequence[TaskView]) -> list[Finding]:
        held = {entry.file for child in children for entry in self._evidence.entries(child.digest)}
        text = "the rules divided the series, and this image is in none of its parts"
        entries = self._evidence.entries(view.digest)
        return [of_entry(Kind.NOT_PLANNED, text, entry, view) for entry in entries if entry.file not in held]

    def _lost(self, view: TaskView) -> list[Finding]:
        what = "what was taken for routing" if view.is_routed else f"a task for {view.target or view.action!r}"
        return self._each(Kind.TASK_LOST, f"{what} is in no stage of the spool, and no event tells how it ended", view)

    def _each(self, kind: Kind, text: str, view: TaskView) -> list[Finding]:
        entries = self._evidence.entries(view.digest)
        if not entries:
            return [Finding(kind=kind, text=text, task=view.id, target=view.target, last_seen=view.last_seen)]
        received = self._evidence.received([entry.image for entry in entries if entry.image])
        return [
            of_entry(kind, text, entry, view).model_copy(
                update={"received": received[entry.image].received if entry.image in received else None}
            )
            for entry in entries
        ]


class ImageAccounts:
    """Finds the images that no routed series names by id.

    A repetition has an id of its own and no file: it goes where the first image of that file went, the last one before
    it. And a power cut may have taken the tag line with an image's id: it is found by its file in the routed series
    that next took its folder. A folder is taken whole and under a lock, so every image before that instant went with
    it, and none after.

    What came before what, the ids of images and tasks say as well as the time of receipt: after a clock was set back,
    ids go on and times do not. A series taken under an id that is earlier than that of an image in it shows that no
    order holds there: then the name of the file is all there is.

    Parameters
    ----------
    evidence : Evidence
        The events of history and outbox.
    walk : SpoolWalk
        Where tasks are.
    """

    def __init__(self, evidence: Evidence, walk: SpoolWalk) -> None:
        self._evidence = evidence
        self._walk = walk
        self._untold: dict[str, list[_Held]] | None = None

    def missing(self, images: Sequence[ImageView]) -> list[ImageView]:
        """Return those images that are nowhere."""
        # First where they were put: what moves on while we look is met further on.
        left = [image for image in images if not self._is_incoming(image)]
        left = self._not_repeated(left)
        left = self._not_listed(left)
        return [image for image in left if not self._is_in_untold_task(image)]

    def _is_incoming(self, image: ImageView) -> bool:
        folder = self._walk.spool.stage(Stage.INCOMING) / image.folder
        return _plain(image.folder) and _plain(image.file) and (folder / image.file).is_file()

    def _not_repeated(self, images: Sequence[ImageView]) -> list[ImageView]:
        repetitions = [image for image in images if image.repetition]
        folders, files = {image.folder for image in repetitions}, {image.file for image in repetitions}
        firsts: dict[tuple[str, str], list[tuple[ImageView, bool]]] = {}
        for first, taken in self._evidence.firsts(sorted(folders), sorted(files)):
            firsts.setdefault((first.folder, first.file), []).append((first, taken))
        return [
            image
            for image in images
            if not (image.repetition and _was_taken(image, firsts.get((image.folder, image.file), [])))
        ]

    def _not_listed(self, images: Sequence[ImageView]) -> list[ImageView]:
        by_series = self._evidence.tasks_of_series(sorted({image.folder for image in images}))
        digests = sorted({view.digest or "" for views in by_series.values() for view in views})
        entries = self._evidence.entries_of_files(digests, sorted({image.file for image in images})) if digests else {}
        left = []
        for image in images:
            views = by_series.get(image.folder, [])
            next_taken = {_next_taken([view.id for view in views], time) for time in _times_of(image)}
            held = {
                view.id: entries[view.digest or "", image.file]
                for view in views
                if (view.digest or "", image.file) in entries
            }
            if not any(
                _is_or_repeats(image, listed) or time_part(task) in next_taken or _out_of_order(task, listed)
                for task, listed in held.items()
            ):
                left.append(image)
        return left

    def _is_in_untold_task(self, image: ImageView) -> bool:
        """Return True if an image is in a task of the spool whose images no event has named yet."""
        return any(held.may_be(image) for held in self._look_into_untold().get(image.file, []))

    def untold(self) -> set[str]:
        """Return the ids of the images in tasks of the spool whose images no event has named yet."""
        return {held.image for some in self._look_into_untold().values() for held in some if held.image}

    def _look_into_untold(self) -> dict[str, list[_Held]]:
        """Index the files of those tasks by their names, once."""
        if self._untold is not None:
            return self._untold
        told = self._evidence.some_tasks(list(self._walk.places))
        untold: dict[str, list[_Held]] = {}
        for task in self._walk.places:
            view = told.get(task)
            place = self._walk.place(task) if view is None or view.digest is None else None
            if place is None:
                continue
            for name, held in _files_of(place):
                untold.setdefault(name, []).append(held)
        self._untold = untold
        return untold


@dataclass(frozen=True)
class _Held:
    """A file of a task in the spool: in which task, of which series, and under which image id, as far as known."""

    task: str
    folder: str | None
    image: str | None

    def may_be(self, image: ImageView) -> bool:
        """Return True if this is the file of an image that was received."""
        if self.image == image.id:
            return True
        after = (
            _is_or_repeats(image, self.image)
            or time_part(self.task) >= min(_times_of(image))
            or _out_of_order(self.task, self.image)
        )
        return after and self.folder in (None, image.folder)


def lost_image(image: ImageView) -> Finding:
    """Make the finding for an image that is nowhere."""
    return Finding(
        kind=Kind.IMAGE_LOST,
        text=f"it was acknowledged, is in no task, and {image.folder}/{image.file} is not in incoming/",
        image=image.id,
        sop=image.sop,
        series_uid=image.series_uid,
        received=image.received,
        last_seen="received",
    )


def _files_of(place: Path) -> Iterator[tuple[str, _Held]]:
    try:
        folder = _folder_of(load_task(place))
    except (TaskError, FileNotFoundError):
        folder = None
    try:
        for ref in image_refs(place):
            yield ref.file, _Held(place.name, folder, ref.image)
    except FileNotFoundError:
        return


def _folder_of(task: Task) -> str:
    return folder_of(task.identity.SeriesInstanceUID, task.origin, task.id)


def _was_taken(image: ImageView, firsts: Sequence[tuple[ImageView, bool]]) -> bool:
    """Return True if the last of these before a repetition is in a task: the last by its id, or by the time."""
    by_id = [(first.id, taken) for first, taken in firsts if first.id <= image.id]
    by_time = [(first.received, taken) for first, taken in firsts if first.received <= image.received]
    return bool(by_id and max(by_id)[1]) or bool(by_time and max(by_time)[1])


def _is_or_repeats(image: ImageView, listed: str | None) -> bool:
    """Return True if an image that is listed with the same file is this one, or came before this repetition of it."""
    return listed is not None and (listed == image.id or (image.repetition and listed < image.id))


def _next_taken(tasks: Iterable[str], time: str) -> str | None:
    """Return the time (as it begins an id) at which the folder was next taken after an image came."""
    times = (time_part(task) for task in tasks if is_id(task))
    return min((taken for taken in times if taken >= time), default=None)


def _times_of(image: ImageView) -> set[str]:
    """Return when an image came, as ids begin: by the clock, and by its id."""
    by_clock = f"{image.received:%Y%m%dT%H%M%S%f}"
    return {by_clock, time_part(image.id)} if is_id(image.id) else {by_clock}


def _out_of_order(task: str, image: str | None) -> bool:
    """Return True if the ids of a task and of an image in it contradict each other, as after a wrong clock."""
    return image is not None and is_id(image) and is_id(task) and time_part(image) > time_part(task)


def _plain(name: str) -> bool:
    return bool(name) and "/" not in name and "\0" not in name and not name.startswith(".")
