"""Rules that use every input a rule may have, beside them what they mean, and scanners whose images meet them."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from tests.oracle.meaning import DISCARD, Rule, always
from tests.support.account import Account, Sent, image
from tests.support.data_sets import nested_sequences

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.oracle.record import Image

    Series = Callable[[int], list[Sent]]

FOLDERS = ("folder", "research", "trial", "studies", "large", "hidden", "rest")
NODES = ("node", "first", "second")
TAKES = {"node": "1.2.840.10008.1.2"}
"""Nodes that take one transfer syntax alone: images come converted."""
GROUPS = {"pair": ("first", "second")}
LARGE = 4
FAR = "127.0.0.3"
HIDDEN = {"hidden": lambda data: data.replace(b"Secret", b"Hidden")}
HIDE = (
    'for file in "$MERCURE_IN_DIR"/*.dcm; do name="${file##*/}"; '
    'LC_ALL=C sed s/Secret/Hidden/ "$file" > "$MERCURE_OUT_DIR/${name#*#}"; done'
)


def _large(image: Image) -> bool | None:
    if image.tags.get("Modality") != "MR":
        return False
    return None if image.count is None else image.count >= LARGE


def _tag(keyword: str, value: str) -> Callable[[Image], bool]:
    return lambda image: image.tags.get(keyword) == value


RULES = (
    Rule(
        "phantom",
        {"rule": 'tags.Modality == "OT"', "action": "discard"},
        _tag("Modality", "OT"),
        (DISCARD,),
        discards=True,
    ),
    Rule(
        "scanner",
        {"rule": 'tags.SenderAET == "CT1"', "targets": ["node", "folder"]},
        lambda image: image.calling == "CT1",
        ("node", "folder"),
    ),
    Rule(
        "address",
        {"rule": f'tags.SenderAddress == "{FAR}"', "targets": ["research"]},
        lambda image: image.address == FAR,
        ("research",),
    ),
    Rule(
        "called",
        {"rule": 'tags.ReceiverAET == "TRIAL"', "targets": ["trial"]},
        lambda image: image.called == "TRIAL",
        ("trial",),
    ),
    Rule(
        "patient",
        {"rule": 'tags.PatientID.startswith("TRIAL")', "targets": ["trial"]},
        lambda image: image.tags.get("PatientID", "").startswith("TRIAL"),
        ("trial",),
    ),
    Rule(
        "study",
        {
            "rule": 'tags.StudyDescription == "COLLECT"',
            "targets": ["studies"],
            "trigger": "study",
            "study": {"quiet_seconds": 2},
        },
        _tag("StudyDescription", "COLLECT"),
        ("studies",),
    ),
    Rule(
        "large",
        {"rule": f'tags.Modality == "MR" and images.count >= {LARGE}', "targets": ["large"]},
        _large,
        ("large",),
    ),
    Rule(
        "group",
        {"rule": 'tags.BodyPartExamined == "HEAD"', "targets": ["pair"], "late": "again"},
        _tag("BodyPartExamined", "HEAD"),
        ("pair",),
        again=True,
    ),
    Rule(
        "hide",
        {"rule": 'tags.Modality == "PT"', "action": "process", "modules": ["hide"], "targets": ["hidden"]},
        _tag("Modality", "PT"),
        ("hidden",),
        form="hidden",
    ),
    Rule("rest", {"rule": "True", "targets": ["rest"], "fallback": True}, always, ("rest",), fallback=True),
)
WITHOUT_MODULES = tuple(rule for rule in RULES if rule.name != "hide")


def written(rules: tuple[Rule, ...] = RULES) -> dict[str, Any]:
    """Return the rules as the router reads them."""
    return {rule.name: dict(rule.written) for rule in rules}


def accounts() -> dict[str, Account]:
    """Return the scanners' accounts by their names; what they send is not kept, only its digests."""
    common: dict[str, Any] = {"keeps": False, "forms": HIDDEN}
    return {
        "ct": Account(calling="CT1", source="127.0.0.2", **common),
        "mr": Account(calling="MR1", source=FAR, **common),
        "other": Account(calling="OT1", called="TRIAL", source="127.0.0.4", **common),
    }


MODALITIES = {"ct": ("CT", "CT", "OT"), "mr": ("MR", "MR", "PT"), "other": ("US", "OT", "MR")}
LARGEST = 7


def scanner(name: str, seed: int, pixels: tuple[int, ...] = (64, 2000)) -> Series:
    """Return what makes the series of one scanner.

    Some are the one before once more, corrected; some hold two patients; some belong to one study; some have a
    repetition, or an object that nobody can read.
    """
    place = list(MODALITIES).index(name) + 1

    def series(number: int) -> list[Sent]:
        chance = random.Random(f"{name} {seed} {number}")
        is_corrected = number > 1 and chance.random() < 0.1
        base = number - 1 if is_corrected else number
        made = _series(random.Random(f"{name} {seed} {base} its tags"), f"1.2.{place}.{seed}.{base}", name, pixels)
        # A module is given every version, and may not bring two images of one instance.
        if is_corrected and made[0].tags["Modality"] != "PT":
            return [_corrected(each) for each in made]
        if is_corrected:
            return _series(chance, f"1.2.{place}.{seed}.{number}", name, pixels)
        if chance.random() < 0.1:
            made.append(made[0])
        if chance.random() < 0.05:
            made.append(Sent(f"1.2.{place}.{seed}.{base}.0", nested_sequences(2_000), readable=False))
        return made

    return series


def _series(chance: random.Random, uid: str, name: str, pixels: tuple[int, ...]) -> list[Sent]:
    number = int(uid.rpartition(".")[2])
    collected = chance.random() < 0.2
    tags = {
        "Modality": chance.choice(MODALITIES[name]),
        "PatientID": chance.choice(("PATIENT-1", "PATIENT-2", "TRIAL-1")),
        "StudyInstanceUID": f"{uid}.9" if not collected else f"{uid.rpartition('.')[0]}.8.{number // 3}",
        "StudyDescription": "COLLECT" if collected else "OTHER",
        "BodyPartExamined": chance.choice(("HEAD", "CHEST", "FOOT")),
    }
    if collected:
        tags["PatientID"] = "PATIENT-3"
    count, mixed = chance.randint(2, LARGEST), chance.random() < 0.1
    return [
        image(
            f"{uid}.{each}",
            uid,
            pixels=chance.randbytes(chance.choice(pixels)),
            **{**tags, **({"PatientID": "PATIENT-4"} if mixed and each % 2 else {})},
        )
        for each in range(1, count + 1)
    ]


def _corrected(sent: Sent) -> Sent:
    tags = dict(sent.tags) | {"PatientName": "Secret^Right"}
    return image(sent.sop, tags.pop("SeriesInstanceUID"), pixels=sent.data[-64:], **tags)
