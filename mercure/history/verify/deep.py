"""Reading every kept image and comparing it with its digests: what ``mercure verify --deep`` adds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from mercure.clock import Clock
from mercure.dicom.integrity import Integrity, IntegrityState, examine
from mercure.history.verify.report import DeepReport, Finding, Kind
from mercure.spool import Spool, read_ledger
from mercure.spool.altered_images import AlteredBook
from mercure.spool.image_walk import KeptImage, facts_of, images_in, kept_entries

ROUNDS: Final = 3
"""So often the spool is walked: what moved on behind the walk is met by the next one; each copy is read once."""

ReadProgress = Callable[[int, int], None]
"""Called with how many bytes were read, and how many there are to be read."""

KINDS: Final = {IntegrityState.ALTERED: Kind.ALTERED, IntegrityState.UNREADABLE: Kind.IMAGE_UNREADABLE}


@dataclass
class DeepCheck:
    """Reads all images of a spool, each copy once however many tasks hold it.

    Parameters
    ----------
    spool : Spool
        Whose.
    clock : Clock
        For how long it takes.
    told : callable
        Called with the progress.
    """

    spool: Spool
    clock: Clock
    told: ReadProgress = lambda done, total: None
    _seen: set[int] = field(default_factory=set)
    _holders: dict[int, list[KeptImage]] = field(default_factory=dict)
    _bad: dict[int, Integrity] = field(default_factory=dict)
    _done: int = 0

    def run(self) -> tuple[DeepReport, list[Finding]]:
        """Read all, and return the counts and what is wrong."""
        start = self.clock.monotonic()
        total = sum(image.bytes for image in _each_once(self.spool))
        counts = dict.fromkeys(IntegrityState, 0)
        for _ in range(ROUNDS):
            before = len(self._seen)
            for state in self._walk(total):
                counts[state] += 1
            if len(self._seen) == before:
                break
        report = DeepReport(
            images=sum(counts.values()),
            bytes=self._done,
            seconds=round(self.clock.monotonic() - start, 3),
            **{state.value: count for state, count in counts.items()},
        )
        return report, [self._finding(inode, result) for inode, result in self._bad.items()]

    def _walk(self, total: int) -> Iterator[IntegrityState]:
        for _, entry in kept_entries(self.spool):
            for image in images_in(entry):
                if image.inode in self._seen:
                    self._hold(image)
                    continue
                result = self._examine(image, total)
                if result is None:
                    continue  # it moved on, and is met again
                self._seen.add(image.inode)
                if result.is_bad:
                    self._bad[image.inode] = result
                    self._hold(image)
                yield result.state

    def _examine(self, image: KeptImage, total: int) -> Integrity | None:
        def pace(count: int) -> None:
            self._done += count
            self.told(self._done, max(self._done, total))

        try:
            return examine(image.path, expected=image.digest, past_cache=True, pace=pace)
        except FileNotFoundError:
            return None

    def _hold(self, image: KeptImage) -> None:
        """Note one more task that holds a copy that is bad."""
        holders = self._holders.setdefault(image.inode, [])
        if image.inode in self._bad and image.path not in (holder.path for holder in holders):
            holders.append(image)

    def _finding(self, inode: int, result: Integrity) -> Finding:
        first, *more = self._holders[inode]
        text = f"{first.seen_from(self.spool)}: {result.text}"
        if more:
            text += f"; the same copy is in {', '.join(image.seen_from(self.spool) for image in more)}"
        confirmed = sorted({found for image in (first, *more) for found in _confirmed(image)})
        if confirmed:
            text += f"; confirmed before: {', '.join(confirmed)}"
        return _of_task(KINDS[result.state], text, first)


def known(spool: Spool) -> list[Finding]:
    """Return what deliveries, modules and the scrub have found, as far as it still lies there."""
    findings = []
    for image in AlteredBook(spool).images():
        text = f"{image.path}: {image.text} (found on {image.found:%Y-%m-%d %H:%M} UTC)"
        findings.append(
            Finding(
                kind=KINDS[IntegrityState(image.state)],
                text=text,
                sop=image.sop or None,
                series_uid=image.series,
                task=image.task,
                target=image.target,
                stage=image.path.partition("/")[0],
            )
        )
    return findings


def _each_once(spool: Spool) -> Iterator[KeptImage]:
    seen: set[int] = set()
    for _, entry in kept_entries(spool):
        for image in images_in(entry):
            if image.inode not in seen:
                seen.add(image.inode)
                yield image


def _confirmed(image: KeptImage) -> Iterator[str]:
    """Yield which targets have confirmed an image, and when: each was sent what the disk gave at that time."""
    line = read_ledger(image.path.parent).get(image.path.name)
    if line is not None:
        yield f"{line.target} ({line.time:%Y-%m-%d %H:%M} UTC)"


def _of_task(kind: Kind, text: str, image: KeptImage) -> Finding:
    facts = facts_of(image)
    return Finding(
        kind=kind,
        text=text,
        image=facts.image,
        sop=facts.sop or None,
        series_uid=facts.series,
        task=image.task,
        target=facts.target,
    )
