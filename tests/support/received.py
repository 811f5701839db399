"""What ``mercure-storescp`` holds, judged by the oracle: from whom and to whom an image came counts as do its bytes."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING

from tests.oracle.judge import Run, judged
from tests.oracle.meaning import Rule
from tests.oracle.planting import assert_planted_are_found
from tests.oracle.record import Arrival, digest
from tests.support.data_sets import data_set_of, instance_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.oracle.record import Image
    from tests.support.account import Account
    from tests.support.receiver import Receiver

Origin = tuple[str, str, str]
"""Calling and called AE title, and the address of the sender."""


def judge_received(receiver: Receiver, account: Account) -> None:
    """Judge what is in ``incoming``: each acknowledged image once, unchanged, and as an image of its sender.

    Raises
    ------
    AssertionError
        Something is not as it should be, or would not have been noticed.
    """
    arrivals: dict[str, list[Arrival]] = defaultdict(list)
    for origin, arrival in _received(receiver):
        arrivals[_place(origin)].append(arrival)
    origins = sorted({_origin(image) for image in account.sent})
    run = Run(account.sent, tuple(_rule(origin) for origin in origins), arrivals)
    judged(run)
    assert_planted_are_found(run)


def _received(receiver: Receiver) -> Iterator[tuple[Origin, Arrival]]:
    """Walk the images with what the tag lines beside them say of their senders."""
    for folder in (receiver.spool / "incoming").iterdir():
        lines = [json.loads(line) for file in folder.glob("*.jsonl") for line in file.read_bytes().splitlines()]
        told = {line["FileName"]: (line["SenderAET"], line["ReceiverAET"], line["SenderAddress"]) for line in lines}
        for path in sorted(folder.glob("*.dcm")):
            data = data_set_of(path.read_bytes())
            yield told.get(path.name, ("", "", "")), Arrival(instance_of(data), digest(data))


def _origin(image: Image) -> Origin:
    return image.calling, image.called, image.address


def _place(origin: Origin) -> str:
    return "from {} to {} at {}".format(*origin)


def _rule(origin: Origin) -> Rule:
    return Rule(_place(origin), {}, lambda image: _origin(image) == origin, (_place(origin),))
