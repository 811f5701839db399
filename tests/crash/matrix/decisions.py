"""Scenarios in which it matters who sent an image, whose it is, which version it is, and which target has what."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from tests.crash.matrix import actors
from tests.crash.matrix.scenario import BOTH, ONE, TO_A, TWO, Batch, Scenario, nodes, two_folders
from tests.oracle.meaning import DISCARD, ERROR, Rule, always
from tests.oracle.record import AS_RECEIVED
from tests.support.account import image, images
from tests.support.modules import script
from tests.support.recording_node import ABORTS

if TYPE_CHECKING:
    from tests.crash.matrix.world import World
    from tests.oracle.record import Image

NEAR, FAR = "127.0.0.2", "127.0.0.3"

SENDERS = (
    Rule(
        "scanner", {"rule": 'tags.SenderAET == "CT1"', "targets": ["a"]}, lambda image: image.calling == "CT1", ("a",)
    ),
    Rule(
        "address",
        {"rule": f'tags.SenderAddress == "{FAR}"', "targets": ["b"]},
        lambda image: image.address == FAR,
        ("b",),
    ),
    Rule(
        "called",
        {"rule": 'tags.ReceiverAET == "RESEARCH"', "targets": ["c"]},
        lambda image: image.called == "RESEARCH",
        ("c",),
    ),
)
FROM_SENDERS = (
    Batch(tuple(images("1.2.8.1", 2)), "CT1", source=NEAR),
    Batch(tuple(images("1.2.8.2", 2)), "MR1", source=FAR),
    Batch(tuple(images("1.2.8.3", 2)), "CT1", "RESEARCH", FAR),
)
TRIAL = (
    Rule(
        "trial",
        {"rule": 'tags.PatientID == "TRIAL"', "targets": ["a"]},
        lambda image: image.tags["PatientID"] == "TRIAL",
        ("a",),
    ),
    Rule("rest", {"rule": "True", "targets": ["b"], "fallback": True}, always, ("b",), fallback=True),
)
TWO_PATIENTS = Batch((*images("1.2.8.4", 2, PatientID="TRIAL"), *images("1.2.8.4", 2, first=3, PatientID="OTHER")))
BY_STUDY = (
    Rule(
        "one",
        {"rule": 'tags.StudyInstanceUID == "1.2.3"', "targets": ["a"]},
        lambda image: image.tags["StudyInstanceUID"] == "1.2.3",
        ("a",),
    ),
    TRIAL[1],
)
TWO_STUDIES = Batch((*images("1.2.8.5", 2), *images("1.2.8.5", 2, first=3, StudyInstanceUID="1.2.4")))
TWO_SENDERS = (
    Batch(tuple(images("1.2.8.6", 2)), "CT1", source=NEAR),
    Batch(tuple(images("1.2.8.6", 2, first=3)), "MR1", source=FAR),
)
BY_MODALITY = (
    Rule(
        "ct", {"rule": 'tags.Modality == "CT"', "targets": ["a"]}, lambda image: image.tags["Modality"] == "CT", ("a",)
    ),
    Rule(
        "sr",
        {"rule": 'tags.Modality == "SR"', "action": "discard"},
        lambda image: image.tags["Modality"] == "SR",
        (DISCARD,),
        discards=True,
    ),
)
TWO_MODALITIES = Batch(
    (
        *images("1.2.8.7", 2),
        *images("1.2.8.7", 1, first=3, Modality="SR"),
        *images("1.2.8.7", 1, first=4, Modality="KO"),
    )
)


def _counted(image: Image, fewer: bool) -> bool | None:
    return None if image.count is None else (image.count < 3) == fewer


COUNTS = (
    Rule("few", {"rule": "images.count < 3", "targets": ["a"]}, lambda image: _counted(image, True), ("a",)),
    Rule("many", {"rule": "images.count >= 3", "targets": ["b"]}, lambda image: _counted(image, False), ("b",)),
)
WRONG, RIGHT, PERFECT = (
    Batch(tuple(images("1.2.8.8", 3, PatientName=name)), "CT1") for name in ("Wrong", "Right", "Perfect")
)
FROM_NEAR, FROM_FAR = (
    Batch(tuple(images("1.2.8.12", 3, PatientName=name)), "CT1", source=address, sender="ct")
    for name, address in (("Wrong", NEAR), ("Right", FAR))
)
ONE_SENDER = {"senders": {"ct": {"ae_titles": ["CT1"], "addresses": [NEAR, FAR]}}}
BY_NAME = (
    Rule("ct", {"rule": 'sender.name == "ct"', "targets": ["a"]}, lambda image: image.sender == "ct", ("a",)),
    TRIAL[1],
)
FROM_TWO_ADDRESSES = (
    Batch(tuple(images("1.2.8.14", 2)), "CT1", source=NEAR, sender="ct"),
    Batch(tuple(images("1.2.8.15", 2)), "MR1", source=FAR),
    Batch(tuple(images("1.2.8.14", 2, first=3)), "CT1", source=FAR, sender="ct"),
)
ALL_EXPECTED = {
    "completion": {
        "quiet_seconds": 60,
        "after_release_seconds": 5,
        "senders": {"ct": {"quiet_seconds": 7200, "after_release_seconds": 7200, "expected_images": {"number": 4}}},
    }
}
"""Both parts make the series complete, at once; either alone would wait for hours."""

LONGER = {"first_seconds": 7230, "cap_seconds": 7230, "max_refusals": 5}
"""A try again comes when the next service has run for some turns already."""

FULL_FOR = 4
POISON = b"POISON"
POISONED = (
    Rule(
        "poison",
        {"rule": 'tags.PatientID == "POISON"', "targets": ["a"]},
        lambda image: image.tags["PatientID"] == "POISON",
        (ERROR,),
    ),
    Rule(
        "good",
        {"rule": 'tags.PatientID != "POISON"', "targets": ["a"]},
        lambda image: image.tags["PatientID"] != "POISON",
        ("a",),
    ),
)
POISON_IMAGE = image("1.2.8.12.1", "1.2.8.12", pixels=POISON * 8, PatientID="POISON", StudyInstanceUID="1.2.5")

SECRET = {"hidden": lambda data: data.replace(b"Secret", b"Hidden")}
HIDE = (
    'for file in "$MERCURE_IN_DIR"/*.dcm; do name="${file##*/}"; '
    'LC_ALL=C sed s/Secret/Hidden/ "$file" > "$MERCURE_OUT_DIR/${name#*#}"; done'
)
HIDDEN = (
    Rule(
        "hide",
        {"rule": "True", "action": "process", "modules": ["hide"], "targets": ["a"]},
        always,
        ("a",),
        form="hidden",
    ),
    Rule("raw", {"rule": 'tags.Modality == "CT"', "targets": ["b"]}, always, ("b",)),
)
NOT_HIDDEN = (replace(HIDDEN[0], to=(ERROR,), form=AS_RECEIVED), HIDDEN[1])
"""A module gets all of a series as it was received, or nothing."""

STUDY_OF_A_PATIENT = (
    Rule(
        "study",
        {
            "rule": 'tags.PatientID == "TRIAL"',
            "targets": ["a"],
            "trigger": "study",
            "study": {"quiet_seconds": 30},
        },
        lambda image: image.tags["PatientID"] == "TRIAL",
        ("a",),
    ),
    TRIAL[1],
)
NOBODY_KNOWS = (Rule("other", {"rule": 'tags.Modality == "MR"', "targets": ["a"]}, lambda _: False, ("a",)),)
YEARS = timedelta(days=365)
STEPS = (2 * YEARS, timedelta(), -26 * YEARS, timedelta(days=9))
"""For one service after the other: right at first, then a boot in the year 2000, then ahead, then far ahead."""


def _three_folders(world: World) -> dict[str, Any]:
    return {name: world.folder_target(name) for name in "abc"}


def _group(world: World) -> dict[str, Any]:
    group = {"kind": "group", "members": ["one", "two"], "strategy": "failover"}
    return {**nodes("one", "two")(world), "a": group}


def _twice(world: World) -> dict[str, Any]:
    """Let target a be a node, and b a folder that replaces what it has."""
    return {**nodes("a")(world), "b": world.folder_target("b", existing="replace")}


def _patiently(world: World) -> dict[str, Any]:
    """Let the node be tried again only when the corrected version is there."""
    return {**nodes("a", retry=LONGER)(world), "b": world.folder_target("b")}


def _takes_all(_number: int) -> int | None:
    return 0


def _busy_at_first(number: int) -> int | None:
    return 0xA700 if number == 1 else 0


def _full_at_first(number: int) -> int | None:
    return 0xA700 if number <= FULL_FOR else 0


def _ends_each_third(number: int) -> int | None:
    return ABORTS if number % 3 == 0 else 0


def _gone_after_one(number: int) -> int | None:
    return 0 if number == 1 else None


DECISIONS: tuple[Scenario, ...] = (
    Scenario("receive by rules on the sender", None, SENDERS, _three_folders, FROM_SENDERS),
    Scenario("receive two patients under one series UID", None, TRIAL, objects=(TWO_PATIENTS,)),
    Scenario("route by rules on the sender", actors.route, SENDERS, _three_folders, FROM_SENDERS),
    Scenario("route two patients under one series UID", actors.route, TRIAL, objects=(TWO_PATIENTS,)),
    Scenario("route two studies under one series UID", actors.route, BY_STUDY, objects=(TWO_STUDIES,)),
    Scenario("route two senders under one series UID", actors.route, SENDERS, _three_folders, TWO_SENDERS),
    Scenario("route a series that rules divide", actors.route, BY_MODALITY, objects=(TWO_MODALITIES,)),
    Scenario(
        "route by counts, at the times of a sender",
        actors.route,
        COUNTS,
        objects=(Batch(tuple(images("1.2.8.9", 2)), "CT1"), Batch(ONE)),
        more={
            "completion": {
                "quiet_seconds": 60,
                "after_release_seconds": 5,
                "senders": {
                    "CT1": {"quiet_seconds": 7200, "after_release_seconds": 10, "expected_images": {"number": 9}}
                },
            }
        },
    ),
    Scenario(
        "route by the name of a sender with two addresses, when all that it is expected to send is there",
        actors.route,
        BY_NAME,
        objects=FROM_TWO_ADDRESSES,
        more={**ONE_SENDER, **ALL_EXPECTED},
        receiver={"senders": [{"name": name, **sender} for name, sender in ONE_SENDER["senders"].items()]},
    ),
    Scenario(
        "collect a study of one of two patients",
        actors.route,
        STUDY_OF_A_PATIENT,
        objects=(TWO_PATIENTS, Batch(tuple(images("1.2.8.10", 2, PatientID="TRIAL")))),
    ),
    Scenario(
        "deliver a corrected version to a node that was busy",
        actors.dispatch,
        BOTH,
        _patiently,
        (WRONG, Batch(ONE)),
        before=(actors.route, actors.try_once, RIGHT, actors.route),
        nodes={"a": _busy_at_first},
    ),
    Scenario(
        "deliver a corrected version from another address of its sender",
        actors.dispatch,
        BOTH,
        _patiently,
        (FROM_NEAR, Batch(ONE)),
        before=(actors.route, actors.try_once, FROM_FAR, actors.route),
        more=ONE_SENDER,
        nodes={"a": _busy_at_first},
    ),
    Scenario(
        "deliver a corrected version, the whole again",
        actors.dispatch,
        (Rule("all", {"rule": "True", "targets": ["a", "b"], "late": "again"}, always, ("a", "b"), again=True),),
        _twice,
        (WRONG, Batch(ONE)),
        before=(actors.route, RIGHT, actors.route, PERFECT, actors.route),
        nodes={"a": _takes_all},
    ),
    Scenario(
        "deliver to nodes that count what comes",
        actors.dispatch,
        BOTH,
        nodes("a", "b"),
        before=(actors.route,),
        nodes={"a": _takes_all, "b": _takes_all},
    ),
    Scenario(
        "deliver to a target that moves in the middle of a task",
        actors.dispatch,
        TO_A,
        nodes("a", "b"),
        before=(actors.route, actors.try_once, actors.move_target),
        objects=(Batch(ONE),),
        nodes={"a": _gone_after_one, "b": _takes_all},
        destinations={"a": ("b", "a")},
    ),
    Scenario(
        "deliver beside an image at which the target ends the association",
        actors.dispatch,
        POISONED,
        nodes("a"),
        (Batch((POISON_IMAGE,)), Batch(ONE)),
        before=(actors.route,),
        nodes={"a": _takes_all},
        poison=POISON,
    ),
    Scenario(
        "deliver to an archive that is full at first",
        actors.dispatch,
        BOTH,
        nodes("a", "b"),
        before=(actors.route,),
        nodes={"a": _full_at_first, "b": _takes_all},
    ),
    Scenario(
        "deliver to a target that ends associations now and then",
        actors.dispatch,
        BOTH,
        nodes("a", "b"),
        before=(actors.route,),
        nodes={"a": _ends_each_third, "b": _takes_all},
    ),
    Scenario(
        "fail over within a group in the middle of a task",
        actors.dispatch,
        TO_A,
        _group,
        before=(actors.route,),
        objects=(Batch(ONE),),
        nodes={"one": _gone_after_one, "two": _takes_all},
        destinations={"a": ("one", "two")},
    ),
    Scenario(
        "process and hide the name, and route as received",
        actors.process,
        HIDDEN,
        objects=(Batch(tuple(images("1.2.8.11", 3))),),
        before=(actors.route,),
        more={"modules": {"hide": script(HIDE)}, "processing": {"stop_grace_seconds": 0.5}},
        forms=SECRET,
    ),
    Scenario(
        "route and deliver under a clock that steps",
        actors.route,
        BOTH,
        nodes("a", "b"),
        steps=STEPS,
        nodes={"a": _takes_all, "b": _takes_all},
    ),
    Scenario(
        "keep what is discarded under a clock that steps",
        actors.clean,
        NOBODY_KNOWS,
        objects=(Batch(TWO),),
        before=(actors.route, actors.record),
        steps=STEPS,
    ),
    Scenario(
        "deliver from a disk that has flipped a bit",
        actors.dispatch,
        TO_A,
        two_folders,
        before=(actors.route, actors.flip_a_bit),
        damaged=True,
    ),
    Scenario(
        "deliver from a disk that has lost a sector",
        actors.dispatch,
        TO_A,
        two_folders,
        before=(actors.route, actors.lose_a_sector),
        damaged=True,
    ),
    Scenario(
        "route from a disk that has lost a sector, by rules on the sender",
        actors.route,
        SENDERS,
        _three_folders,
        FROM_SENDERS,
        before=(actors.lose_a_sector,),
        damaged=True,
    ),
    Scenario(
        "process from a disk that has lost a sector",
        actors.process,
        NOT_HIDDEN,
        two_folders,
        (Batch(tuple(images("1.2.8.13", 3))),),
        before=(actors.route, actors.lose_a_sector),
        more={"modules": {"hide": script(HIDE)}, "processing": {"stop_grace_seconds": 0.5}},
        forms=SECRET,
        damaged=True,
    ),
)
