"""Runs the matrix: senders to our receiver, and what it stored by our sender to the receivers."""

from __future__ import annotations

import json
import random
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import xxhash

from mercure.dicom.receipt import DIGEST_PREFIX
from mercure.dicom.send import StorePeer, send
from tests.interop.cells import WRONG, Cell, brought, delivered
from tests.interop.sample import Sample
from tests.interop.senders import AS_IT_IS
from tests.interop.wire import conversation
from tests.support.receiver import receiver
from tests.support.relay import relay

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from tests.interop.judge import Judge
    from tests.interop.receivers import Receiver, Running
    from tests.interop.senders import Sender
    from tests.interop.wire import Conversation
    from tests.support.receiver import Receiver as OurReceiver

SECONDS: Final = 600
TRIES: Final = 2
"""How often a sender sends a file of which nothing came: somebody presses the button again."""


@dataclass(frozen=True)
class Kept:
    """An image in our spool, with what its tag line says of its data set."""

    sample: Sample
    digest: str


@dataclass
class Matrix:
    """What was found, by the names of file and sender or receiver."""

    folder: Path
    judge: Judge
    samples: Sequence[Sample]
    brought: dict[tuple[str, str], Cell] = field(default_factory=dict)
    delivered: dict[tuple[str, str], Cell] = field(default_factory=dict)
    triples: dict[tuple[str, str, str], Cell] = field(default_factory=dict)
    kept: dict[tuple[str, str], Kept] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)

    def run_sender(self, sender: Sender) -> None:
        """Let one sender send every file to our receiver."""
        folder = self.folder / f"from-{len(list(self.folder.glob('from-*')))}"
        with receiver(folder) as router, relay(router.port) as between, ExitStack() as stack:
            between.heard = []
            bring = stack.enter_context(sender.open(folder / "sender", between.port))
            for sample in self.samples:
                self.brought[sample.name, sender.name] = self._bring(sample, sender.name, router, between.heard, bring)

    def _bring(
        self,
        sample: Sample,
        sender: str,
        router: OurReceiver,
        heard: list[dict[str, bytearray]],
        bring: Callable[[Sample], None],
    ) -> Cell:
        begin = len(heard)
        said: list[Conversation] = []
        for _ in range(TRIES):
            bring(sample)
            said = [conversation(each) for each in heard[begin:]]
            if not _second_try_helps(sample, said):
                break
        kept = _stored(router, sample)
        if kept is None:
            return brought(sample, said, None, "", digest=False)
        self.kept[sample.name, sender] = kept
        data = kept.sample.data_set
        digest = kept.digest == f"{DIGEST_PREFIX}{xxhash.xxh3_128_hexdigest(data)}"
        return brought(sample, said, data, kept.sample.syntax, digest)

    def run_receiver(self, receiver: Receiver, triples: Sequence[tuple[str, str]] = ()) -> None:
        """Deliver every file to one receiver, and the files that some senders brought."""
        folder = self.folder / f"to-{len(list(self.folder.glob('to-*')))}"
        folder.mkdir()
        with receiver.open(folder) as node:
            whole = [
                self.kept[sample.name, AS_IT_IS] for sample in self.samples if (sample.name, AS_IT_IS) in self.kept
            ]
            for sample, cell in self._deliver(receiver, node, whole):
                self.delivered[sample.name, receiver.name] = cell
            for sender, name in triples:
                ((_, cell),) = self._deliver(receiver, node, [self.kept[name, sender]])
                self.triples[sender, name, receiver.name] = cell

    def _deliver(self, receiver: Receiver, node: Running, images: Sequence[Kept]) -> list[tuple[Sample, Cell]]:
        results: dict[str, Mapping[str, Any]] = {}
        peer = StorePeer("127.0.0.1", node.port, "ANY-SCP", "MERCURE", transfer_syntaxes=receiver.settings)
        failure = send(
            peer,
            [image.sample.path for image in images],
            seconds=SECONDS,
            report=lambda line: results.update({str(line["file"]): line}),
            stopping=lambda: False,
            digests={image.sample.path.name: image.digest for image in images},
        )
        arrivals = node.take()
        found = []
        for image in images:
            result = results.get(str(image.sample.path), {"comment": f"nothing is told of it: {failure}"})
            own = [arrival for arrival in arrivals if arrival.instance == image.sample.instance]
            found.append((image.sample, delivered(image.sample, receiver, result, own, self.judge)))
        return found

    def drawn(self, receivers: Sequence[Receiver], count: int, seed: int) -> dict[str, list[tuple[str, str]]]:
        """Draw triples among what senders brought; by receiver."""
        chance = random.Random(seed)
        possible = sorted(self.kept)
        found: dict[str, list[tuple[str, str]]] = {}
        for _ in range(count):
            name, sender = chance.choice(possible)
            found.setdefault(chance.choice(receivers).name, []).append((sender, name))
        return found

    def troubles(self) -> list[str]:
        """Say which cells are neither delivered nor refused for a reason of the table."""
        every: list[tuple[str, Cell]] = [
            *((f"{who} -> router, {file}", cell) for (file, who), cell in self.brought.items()),
            *((f"{file} -> {who}", cell) for (file, who), cell in self.delivered.items()),
            *((f"{sender} -> router -> {who}, {file}", cell) for (sender, file, who), cell in self.triples.items()),
        ]
        return [f"{what}: {cell.problem}" for what, cell in every if cell.mark == WRONG]


def _second_try_helps(sample: Sample, said: Sequence[Conversation]) -> bool:
    """Tell whether nothing came, and another choice among what the sender proposed may change that."""
    if any(message.instance == sample.instance for each in said for message in each.stored):
        return False
    return any(len(context.proposed) > 1 for each in said for context in each.contexts)


def _stored(router: OurReceiver, sample: Sample) -> Kept | None:
    """Find what our receiver keeps of a file; the newest where it is there more than once."""
    found = [
        Kept(Sample(sample.name, lines.parent / record["FileName"]), record["DataSetDigest"])
        for lines in (router.spool / "incoming").glob("*/*.jsonl")
        for record in map(json.loads, lines.read_text().splitlines())
        if record.get("SOPInstanceUID") == sample.instance
    ]
    return max(found, key=lambda each: each.sample.path.stat().st_mtime_ns, default=None)
