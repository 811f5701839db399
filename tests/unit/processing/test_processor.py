"""The processor runs modules on tasks and hands their results on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from mercure.processing.steps import records, step_folder
from mercure.spool import Changes, Stage, image_files, load_task
from tests.support.modules import COPY, configure, ended, process, process_all, processor, put_task, script, turn
from tests.support.polling import eventually

if TYPE_CHECKING:
    from tests.support.box import Box


def test_a_result_goes_to_the_targets_of_the_rule(box: Box) -> None:
    configure(box, {"copy": script(COPY)})
    task = put_task(box, "copy", count=3)
    process_all(box)
    stage, model = ended(box, task.name)
    assert (stage, model.done, model.module) == (Stage.SUCCESS, ("copy",), None)
    [result] = box.tasks(Stage.OUTGOING)
    derived = load_task(result)
    assert (derived.target, derived.images, derived.parent) == ("archive", 3, task.name)
    assert model.outputs == (result.name,)
    kept = box.spool.entry(Stage.SUCCESS, task.name)
    assert {image.name for image in image_files(kept)} == {image.name for image in image_files(result)}
    assert not list(kept.glob("run-*"))


def test_a_chain_hands_each_result_to_the_next_module(box: Box) -> None:
    note = COPY + '; ls "$MERCURE_IN_DIR" | wc -l; echo \'{"seen": 1}\' > "$MERCURE_OUT_DIR/result.json"'
    configure(box, {"one": script(COPY), "two": script(note), "three": script(COPY)})
    task = put_task(box, "one", "two", "three")
    process_all(box)
    stage, model = ended(box, task.name)
    assert (stage, model.done) == (Stage.SUCCESS, ("one", "two", "three"))
    directory = box.spool.entry(stage, task.name)
    assert [(record.step, record.module, record.images) for record in records(directory)] == [
        (1, "one", 2),
        (2, "two", 2),
        (3, "three", 2),
    ]
    assert (step_folder(directory, 2) / "log.txt").read_text().strip() == "3"  # two images and task.json
    assert json.loads((step_folder(directory, 2) / "result.json").read_text()) == {"seen": 1}
    assert len(box.tasks(Stage.OUTGOING)) == 1


def test_the_module_finds_its_settings(box: Box) -> None:
    show = COPY + '; cat "$MERCURE_IN_DIR/task.json" > "$MERCURE_OUT_DIR/result.json"; ls "$MONAI_INPUTPATH"'
    settings = {"a": 1, "b": 1, "c": 1}
    configure(box, {"show": script(show, settings=settings)})
    task = put_task(box, "show", module_settings={"b": 2, "c": 2}, step_settings=[{"c": 3}])
    process_all(box)
    directory = box.spool.entry(Stage.SUCCESS, task.name)
    seen = json.loads((step_folder(directory, 1) / "result.json").read_text())
    assert seen["process"]["settings"] == {"a": 1, "b": 2, "c": 3}
    assert seen["process"]["module_name"] == "show"
    assert seen["info"]["applied_rule"] == "all"
    names = (step_folder(directory, 1) / "log.txt").read_text().split()
    series = load_task(directory).identity.SeriesInstanceUID
    assert sum(name.startswith(f"{series}#") and name.endswith(".dcm") for name in names) == 2


def test_measurements_alone_are_enough_where_the_images_are_sent_anyway(box: Box) -> None:
    configure(box, {"measure": script('echo \'{"size": 1}\' > "$MERCURE_OUT_DIR/result.json"')})
    task = put_task(box, "measure", also_routed=True)
    process_all(box)
    stage, model = ended(box, task.name)
    assert (stage, model.outputs) == (Stage.SUCCESS, ())
    assert not box.tasks(Stage.OUTGOING)
    [finished] = box.events("module.finished")
    assert finished.details["result"] == {"size": 1}


def test_a_module_may_discard_its_result(box: Box) -> None:
    discard = 'echo \'{"__mercure_routing": {"discard": true}}\' > "$MERCURE_OUT_DIR/result.json"'
    configure(box, {"sort": script(discard)})
    task = put_task(box, "sort")
    process_all(box)
    stage, model = ended(box, task.name)
    assert stage is Stage.DISCARD
    assert model.discarded is not None
    assert model.discarded.by == "module sort"
    assert not box.tasks(Stage.OUTGOING)


def test_a_module_may_name_the_targets(box: Box) -> None:
    choose = COPY + '; echo \'{"__mercure_routing": {"target": ["archive"]}}\' > "$MERCURE_OUT_DIR/result.json"'
    configure(box, {"choose": script(choose)})
    put_task(box, "choose", then_targets=[])
    process_all(box)
    assert len(box.tasks(Stage.OUTGOING)) == 1


@pytest.mark.parametrize(
    ("module", "reason"),
    [
        ({}, "target 'nowhere', which is not in the configuration"),
        ({"routes_to": ["archive"]}, "not in the configuration"),
    ],
)
def test_a_target_that_is_not_there_is_for_a_person(box: Box, module: dict[str, object], reason: str) -> None:
    choose = COPY + '; echo \'{"__mercure_routing": {"target": "nowhere"}}\' > "$MERCURE_OUT_DIR/result.json"'
    configure(box, {"choose": script(choose, **module)})
    task = put_task(box, "choose")
    process_all(box)
    stage, model = ended(box, task.name)
    assert stage is Stage.ERROR
    assert model.failure is not None
    assert reason in model.failure.reason


def test_a_target_that_the_module_may_not_name_is_refused(box: Box) -> None:
    choose = COPY + '; echo \'{"__mercure_routing": {"target": "archive"}}\' > "$MERCURE_OUT_DIR/result.json"'
    configure(box, {"choose": script(choose, routes_to=[])})
    task = put_task(box, "choose")
    process_all(box)
    stage, model = ended(box, task.name)
    assert stage is Stage.ERROR
    assert model.failure is not None
    assert "'routes_to' does not allow" in model.failure.reason


def test_a_result_may_go_back_to_the_rules(box: Box) -> None:
    back = COPY + '; echo \'{"__mercure_routing": {"rules": true}}\' > "$MERCURE_OUT_DIR/result.json"'
    again = {"again": {"rule": "True", "action": "process", "modules": ["back"], "targets": []}}
    configure(box, {"back": script(back)})
    content = json.loads((box.root / "config" / "mercure.json").read_text())
    content["rules"] = {**again, "rest": {"rule": "True", "targets": ["archive"]}}
    (box.root / "config" / "mercure.json").write_text(json.dumps(content))
    task = put_task(box, "back", then_targets=[])
    process_all(box)
    [routed] = box.tasks(Stage.ROUTING)
    box.router().turn(Changes.everything())
    assert not box.tasks(Stage.ROUTING)
    assert not box.tasks(Stage.PROCESSING)  # the rule whose module made it does not act on it again
    [out] = box.tasks(Stage.OUTGOING)
    assert load_task(out).parent == routed.name
    assert ended(box, task.name)[0] is Stage.SUCCESS


def test_images_that_went_in_are_retained_where_that_is_asked_for(box: Box) -> None:
    first = COPY.replace("done", "break; done")
    configure(box, {"first": script(first, retain_inputs=True)})
    put_task(box, "first", count=3)
    process_all(box)
    [result] = box.tasks(Stage.OUTGOING)
    assert load_task(result).images == 3


def test_urgent_tasks_come_first_and_off_peak_ones_in_their_window(box: Box) -> None:
    order = 'grep \'"id"\' "$MERCURE_IN_DIR/task.json" >> "$MODULE_PERSISTENCE_DIR/order"'
    now = box.clock.now()
    window = {"start": f"{(now.hour + 2) % 24:02d}:00", "end": f"{(now.hour + 3) % 24:02d}:00"}
    configure(box, {"copy": script(f"{COPY}; {order}", persistence="notes")}, off_peak=window, processing={"slots": 1})
    later = put_task(box, "copy", priority="offpeak", seed=1)
    normal = put_task(box, "copy", seed=2)
    urgent = put_task(box, "copy", priority="urgent", seed=3)
    process(box, lambda: len(box.tasks(Stage.SUCCESS)) == 2)
    notes = (box.root / "persistence" / "notes" / "order").read_text()
    assert notes.index(urgent.name) < notes.index(normal.name)
    assert box.tasks(Stage.PROCESSING) == [later]


def test_the_tasks_of_a_study_are_run_one_after_the_other(box: Box) -> None:
    alone = 'mkdir "$MODULE_PERSISTENCE_DIR/lock" || exit 9; sleep 0.3; rmdir "$MODULE_PERSISTENCE_DIR/lock"'
    configure(
        box,
        {"copy": script(f"{alone}; {COPY}", persistence="notes", concurrency=4, order="study")},
        processing={"slots": 4},
    )
    for _ in range(4):
        put_task(box, "copy", seed="same")
    with processor(box) as one, processor(box) as two:

        def rest() -> bool:
            turn(one, box)
            turn(two, box)
            return not box.tasks(Stage.PROCESSING)

        eventually(rest, seconds=30, what="all are processed")
    assert len(box.tasks(Stage.SUCCESS)) == 4
    assert not box.tasks(Stage.ERROR)


def test_a_module_that_is_switched_off_lets_its_tasks_wait(box: Box) -> None:
    configure(box, {"copy": script(COPY, disabled=True), "other": script(COPY)})
    waiting = put_task(box, "copy")
    put_task(box, "other", seed=2)
    process(box, lambda: box.tasks(Stage.SUCCESS))
    assert box.tasks(Stage.PROCESSING) == [waiting]


def test_a_module_that_is_gone_from_the_configuration_is_told(box: Box) -> None:
    configure(box, {})
    task = put_task(box, "gone")
    process_all(box)
    stage, model = ended(box, task.name)
    assert stage is Stage.ERROR
    assert model.failure is not None
    assert "no module 'gone'" in model.failure.reason
