"""Verdicts of the rules over a series: images for which the same rules fire share one.

A rule is evaluated once for all images that are equal in what it reads, not once for each image. Pure: no file is
touched here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import chain
from typing import Final

from mercure.config import Config, Rule
from mercure.event_details import RuleOutcome
from mercure.routing.units import has_origin, named
from mercure.rules import CompiledRule, Evaluation, ImageRecords, compile_rule, differing
from mercure.spool import TagRecord, Task

Named = tuple[str, Rule]
Numbers = tuple[int, ...]
"""Numbers of images in their series, in order."""
Read = str | tuple[str, ...]
"""What a rule reads of an image: a tag, or the arguments of ``private``."""

_UNKNOWN: Final = "unknown-value"


@dataclass(frozen=True)
class Verdict:
    """What the rules say of some images.

    Parameters
    ----------
    images : tuple of int
        Their numbers in the series.
    fired : tuple of Named
        The rules that fired, in their order.
    discarded_by : str or None
        The rule that discards them.
    failed : tuple of str
        Rules that could not be evaluated, as ``rule 'NAME' …: error``; in their order.
    hangs : str or None
        A rule that takes or discards and whose answer is not known.
    has_origin : bool
        It is known from where all of them came.
    """

    images: tuple[int, ...]
    fired: tuple[Named, ...] = ()
    discarded_by: str | None = None
    failed: tuple[tuple[str, str], ...] = ()
    hangs: str | None = None
    undecided_discard: str | None = None
    has_origin: bool = True

    @property
    def takers(self) -> tuple[Named, ...]:
        """The rules that take the images somewhere; a notification does not."""
        return tuple(item for item in self.fired if item[1].action != "notify")

    @property
    def is_wanted(self) -> bool:
        """Whether the images go somewhere."""
        return bool(self.takers) and self.discarded_by is None and self.undecided_discard is None

    @property
    def key(self) -> tuple[str, ...]:
        """What is the same for images that are treated in the same way."""
        if self.discarded_by is not None:
            return ("discard", self.discarded_by)
        if self.is_wanted:
            return ("take", *(name for name, _ in self.takers))
        if self.failed:
            return ("error", self.undecided_discard or self.failed[0][0])
        return ("none" if self.has_origin else "origin",)

    @property
    def digest(self) -> str:
        """Eight hexadecimal digits of the key."""
        return hashlib.sha256("\0".join(self.key).encode()).hexdigest()[:8]


@dataclass(frozen=True)
class SeriesVerdicts:
    """The verdicts over a series, and what became of each rule."""

    verdicts: tuple[Verdict, ...]
    outcomes: tuple[RuleOutcome, ...]


def verdicts(config: Config, task: Task, records: Sequence[TagRecord], now: datetime) -> SeriesVerdicts:
    """Evaluate the rules in order; the first discard that fires ends it, a fallback counts where nothing fired.

    Parameters
    ----------
    config : Config
        The rules.
    task : Task
        The series.
    records : sequence of TagRecord
        Its tag records, in the order received.
    now : datetime
        Aware instant, for rules that ask for ages.
    """
    records = [named(config, record) for record in records]
    series = _Series(ImageRecords(records), now)
    known = all(map(has_origin, records))
    found = [Verdict(tuple(range(max(1, len(records)))), has_origin=known)]
    outcomes: list[RuleOutcome] = []
    for name, rule in in_order(config):
        if set(rule.modules) & set(task.processed_by):
            continue  # its result came back to the rules: the same module would see it for ever
        answers = series.answers(compile_rule(rule.rule))
        asked = [part for verdict in found for part in _asked(verdict, name, rule, answers)]
        if answers.given:
            outcomes.append(answers.outcome(name))
        found = asked
    return SeriesVerdicts(tuple(_merged(found)), tuple(outcomes))


def answers_of(expression: str, records: Sequence[TagRecord], now: datetime) -> list[tuple[Evaluation, Numbers]]:
    """Ask one expression of the images of a unit; return its answers, and for which images each is.

    Raises
    ------
    mercure.rules.RuleError
        It cannot be run at all.
    """
    answers = _Series(ImageRecords(records), now).answers(compile_rule(expression))
    return answers.divide(tuple(range(len(records))))


def in_order(config: Config) -> list[Named]:
    """List the enabled rules in their order, fallbacks last."""
    enabled = [(name, rule) for name, rule in config.rules.items() if not rule.disabled]
    return sorted(enabled, key=lambda item: item[1].fallback)


def _asked(verdict: Verdict, name: str, rule: Rule, answers: _Answers) -> Iterator[Verdict]:
    """Ask one rule of the images of a verdict, and divide them by what it says."""
    taken = verdict.discarded_by is not None or (rule.fallback and (bool(verdict.takers) or verdict.hangs is not None))
    if taken:
        yield verdict
        return
    for answer, images in answers.divide(verdict.images):
        part = verdict if images is verdict.images else replace(verdict, images=images)
        if answer.error is not None:
            part = _failed(part, name, rule, answer)
        elif answer.result and not (rule.action == "discard" and rule.fallback and part.failed):
            # A fallback discards only where it is known that nothing else takes: a rule that failed might have.
            discards = name if rule.action == "discard" else None
            part = replace(part, fired=(*part.fired, (name, rule)), discarded_by=discards)
        yield part


def _failed(part: Verdict, name: str, rule: Rule, answer: Evaluation) -> Verdict:
    unknown = answer.error is not None and answer.error.code == _UNKNOWN and rule.action != "notify"
    discard = name if unknown and rule.action == "discard" else None
    return replace(
        part,
        failed=(*part.failed, (name, str(answer.error))),
        hangs=part.hangs or (name if unknown else None),
        undecided_discard=part.undecided_discard or discard,
    )


def _merged(found: Sequence[Verdict]) -> list[Verdict]:
    """Put together what is treated in the same way; the order is that of the first image of each."""
    merged: dict[tuple[str, ...], Verdict] = {}
    for verdict in found:
        first = merged.setdefault(verdict.key, verdict)
        if first is not verdict:
            added = [item for item in verdict.fired if item not in first.fired]
            merged[verdict.key] = replace(
                first, images=tuple(sorted((*first.images, *verdict.images))), fired=(*first.fired, *added)
            )
    return sorted(merged.values(), key=lambda verdict: verdict.images[0])


@dataclass
class _Answers:
    """Answers of one rule for the images of a series, evaluated lazily."""

    rule: CompiledRule
    series: _Series
    reads: frozenset[Read]
    given: dict[int, Evaluation] = field(default_factory=dict)
    counts: dict[int, int] = field(default_factory=dict)

    def divide(self, images: Numbers) -> list[tuple[Evaluation, Numbers]]:
        """Divide images by the answer; those of one answer alone are the very same tuple."""
        parts = self.series.parts(self.reads, images)
        by_answer: dict[Hashable, tuple[Evaluation, list[Numbers]]] = {}
        for number, same in parts:
            answer = self._of(number, same)
            key = (answer.result, str(answer.error) if answer.error else None)
            by_answer.setdefault(key, (answer, []))[1].append(same)
        if len(by_answer) == 1:
            return [(answer, images) for answer, _ in by_answer.values()]
        return [(answer, tuple(sorted(chain(*same)))) for answer, same in by_answer.values()]

    def _of(self, number: int, images: Numbers) -> Evaluation:
        known = self.given.get(number)
        if known is None:
            known = self.given[number] = self.rule.evaluate(self.series.images, lambda: self.series.now, images[0])
        self.counts[number] = self.counts.get(number, 0) + len(images)
        return known

    def outcome(self, name: str) -> RuleOutcome:
        """Return what became of the rule."""
        fired = sum(self.counts[number] for number, answer in self.given.items() if answer.result and not answer.error)
        error = next((str(answer.error) for answer in self.given.values() if answer.error), None)
        total = max(1, len(self.series.images))
        return RuleOutcome(rule=name, fired=fired > 0, error=error, images=fired if 0 < fired < total else None)


@dataclass
class _Series:
    """The images of a series, divided by what rules read of them; what was divided once is kept."""

    images: ImageRecords
    now: datetime
    _columns: dict[Read, list[int] | None] = field(default_factory=dict)
    _parts: dict[tuple[frozenset[Read], int], tuple[Numbers, list[tuple[int, Numbers]]]] = field(default_factory=dict)
    _numbers: dict[frozenset[Read], list[int]] = field(default_factory=dict)

    def answers(self, rule: CompiledRule) -> _Answers:
        """Prepare asking a rule."""
        reads: list[Read] = [*rule.inputs.keywords, *rule.inputs.privates]
        return _Answers(rule, self, frozenset(read for read in reads if self._column(read) is not None))

    def parts(self, reads: frozenset[Read], images: Numbers) -> list[tuple[int, Numbers]]:
        """Divide images so that those of a part are equal in what is read; each part has a number of its own."""
        if not reads:
            return [(0, images)]
        known = self._parts.get((reads, id(images)))
        if known is not None and known[0] is images:
            return known[1]
        numbers = self._numbered(reads)
        found: dict[int, list[int]] = {}
        for image in images:
            found.setdefault(numbers[image], []).append(image)
        parts = [(number, tuple(same)) for number, same in found.items()]
        self._parts[reads, id(images)] = images, parts
        return parts

    def _numbered(self, reads: frozenset[Read]) -> list[int]:
        """Give one number to images that are equal in what is read."""
        if reads not in self._numbers:
            columns = [column for read in reads if (column := self._column(read)) is not None]
            numbers: dict[Hashable, int] = {}
            self._numbers[reads] = [numbers.setdefault(values, len(numbers)) for values in zip(*columns, strict=True)]
        return self._numbers[reads]

    def _column(self, read: Read) -> list[int] | None:
        if read not in self._columns:
            self._columns[read] = differing(self.images.views, read)
        return self._columns[read]
