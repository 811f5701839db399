"""A target is asked what it takes when a person wants it; what it said is kept, and what is proposed can be saved."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from appliance.cli.app import mercure
from appliance.control.api import targets as api
from appliance.control.api.base import Progress
from appliance.control.api.targets import OneTarget, ProbeTarget
from appliance.control.configuration import setup
from appliance.control.errors import ControlError
from appliance.control.session import Session
from appliance.control.targets import probe, probe_send
from mercure.config import Root
from mercure.dicom.capabilities import CapabilityQuery
from mercure.spool import Stage
from mercure.spool.images import json_line
from mercure.spool.task import TAGS_FILE
from tests.support.counting_node import node
from tests.support.tasks import events_of, place_task
from tests.support.verbs import asked

CT, SC = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.7"
VERIFICATION = "1.2.840.10008.1.1"
IMPLICIT, EXPLICIT, BIG_ENDIAN = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"
JPEG = "1.2.840.10008.1.2.4.70"
PRIVATE_CLASS, OTHER_PRIVATE_CLASS = "1.3.46.670589.5.0.2.1", "1.2.840.113619.4.26"
PRIVATE_SYNTAX = "1.2.840.113619.5.2"

FreePort = Callable[[], int]
Configured = Callable[..., Session]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask for two classes, and without pauses."""
    quick = partial(CapabilityQuery, classes=(CT, SC), pause_seconds=0, again_seconds=(0.1, 0.5, 1.0))
    monkeypatch.setattr("mercure.targets.dicom.CapabilityQuery", quick)


@pytest.fixture
def configured(mercure_root: Path) -> Configured:
    """Give a function that has a root with a DICOM target ``node``."""
    setup.initialise(Session(Root(mercure_root), "alice"))

    def session(port: int, **settings: Any) -> Session:
        path = mercure_root / "config" / "mercure.json"
        content = json.loads(path.read_text())
        target = {"kind": "dicom", "host": "127.0.0.1", "port": port, "called_aet": "NODE", **settings}
        content["targets"]["node"] = target
        store = Session(Root(mercure_root), "alice").store
        store.mercure.save(store.parse(content), author="alice", comment="", edited_from=store.mercure.load().revision)
        return Session(Root(mercure_root), "alice")

    return session


def taking(*syntaxes: str, classes: Sequence[str] = (CT, SC)) -> dict[str, Sequence[str]]:
    return {VERIFICATION: [IMPLICIT], **dict.fromkeys(classes, syntaxes)}


def probed(session: Session, associations: int = 0) -> Any:
    return probe.probe(asked(session), ProbeTarget(name="node", associations=associations))


def run(session: Session, *words: str) -> Result:
    return CliRunner().invoke(mercure, ["targets", *words, "--root", str(session.root.path)])


def test_what_a_target_takes_is_asked_once_and_kept(configured: Configured, free_port: FreePort) -> None:
    told: list[Progress] = []
    with node(free_port(), taking(IMPLICIT)) as seen:
        session = configured(seen.port)
        before = probe.known(session, OneTarget(name="node"))
        assert (before.ok, before.known) == (False, None)
        assert "never asked" in before.text
        answer = probe.probe(asked(session, told.append), ProbeTarget(name="node"))
    assert answer.ok
    assert answer.known is not None
    assert answer.known.classes == {CT: (IMPLICIT,), SC: (IMPLICIT,)}
    assert answer.proposals == (), "as-needed suits it"
    assert probe.known(session, OneTarget(name="node")) == answer, "without asking it again: it is gone"
    assert seen.messages == ["C_ECHO_RQ"]
    assert (seen.images, seen.most_open) == ([], 1)
    assert told
    assert (session.spool.root / "state/targets/node/capabilities.json").is_file()


def test_what_was_kept_of_another_node_is_not_believed(configured: Configured, free_port: FreePort) -> None:
    with node(free_port(), taking(IMPLICIT)) as seen:
        probed(configured(seen.port))
    answer = probe.known(configured(seen.port, called_aet="OTHER"), OneTarget(name="node"))
    assert (answer.ok, answer.known) == (False, None)
    assert "another node" in answer.text


def test_a_target_that_cannot_be_asked_now_keeps_what_it_said(configured: Configured, free_port: FreePort) -> None:
    with node(free_port(), taking(IMPLICIT)) as seen:
        session = configured(seen.port)
        before = probed(session)
    answer = probed(session)
    assert (answer.ok, answer.known) == (False, before.known)
    assert "refuses the connection" in answer.text


def test_the_number_of_associations_is_kept_until_it_is_asked_for_again(
    configured: Configured, free_port: FreePort
) -> None:
    with node(free_port(), taking(IMPLICIT), maximum_associations=1) as seen:
        session = configured(seen.port)
        with_number = probed(session, associations=4)
        assert (with_number.known.at_once.asked, with_number.known.at_once.accepted) == (4, 1)
        assert probed(session).known.at_once == with_number.known.at_once
    assert {each.setting: each.proposed for each in with_number.proposals} == {"concurrency": 1}
    assert (seen.most_open, seen.open) == (1, 0)


def hold(session: Session, stage: Stage, target: str, *pairs: tuple[str, str]) -> None:
    """Put a task with one image of each SOP class and transfer syntax into a stage."""
    task = place_task(session, stage, target=target, images=len(pairs))
    lines = [
        json_line({"FileName": f"1.2.3.{number}.dcm", "SOPClassUID": sop_class, "TransferSyntaxUID": syntax})
        for number, (sop_class, syntax) in enumerate(pairs)
    ]
    (session.spool.entry(stage, task.id) / TAGS_FILE).write_bytes(b"".join(lines))


@pytest.mark.parametrize("stage", [Stage.OUTGOING, Stage.ERROR, Stage.SUCCESS])
def test_what_its_tasks_need_is_asked_too_and_told_by_its_uid(
    stage: Stage, configured: Configured, free_port: FreePort
) -> None:
    takes = {**taking(IMPLICIT, EXPLICIT), PRIVATE_CLASS: [EXPLICIT, PRIVATE_SYNTAX]}
    with node(free_port(), takes) as seen:
        session = configured(seen.port)
        hold(
            session,
            stage,
            "node",
            (PRIVATE_CLASS, EXPLICIT),
            (PRIVATE_CLASS, PRIVATE_SYNTAX),
            (CT, JPEG),
            (SC, EXPLICIT),
        )
        hold(session, stage, "node", (OTHER_PRIVATE_CLASS, EXPLICIT), ("no UID", EXPLICIT), (CT, ""))
        hold(session, stage, "delivered", ("1.2.3.4.5", EXPLICIT))
        known = probed(session).known
        shown = run(session, "probe", "node", "--last").output
    assert known.needed == {
        OTHER_PRIVATE_CLASS: (EXPLICIT,),
        PRIVATE_CLASS: (EXPLICIT, PRIVATE_SYNTAX),
        CT: (JPEG,),
        SC: (EXPLICIT,),
    }
    assert known.asked_classes == (CT, SC, OTHER_PRIVATE_CLASS, PRIVATE_CLASS)
    assert PRIVATE_SYNTAX not in known.asked_syntaxes, "it is asked for its own class alone"
    assert known.classes[PRIVATE_CLASS] == (EXPLICIT, PRIVATE_SYNTAX)
    assert OTHER_PRIVATE_CLASS not in known.classes
    words = " ".join(shown.split())
    assert f"in its tasks {OTHER_PRIVATE_CLASS}: not taken" in words
    assert f"in its tasks {PRIVATE_CLASS}: taken as it is kept" in words
    assert "in its tasks CT Image Storage: taken, and not in JPEG Lossless" in words
    assert "in its tasks Secondary" not in words, "all is well"
    assert seen.images == []


def test_tasks_of_its_group_count_and_without_tasks_nothing_is_added(
    configured: Configured, free_port: FreePort
) -> None:
    with node(free_port(), {**taking(IMPLICIT), PRIVATE_CLASS: [PRIVATE_SYNTAX]}) as seen:
        session = configured(seen.port)
        before = probed(session).known
        content = session.store.mercure.load().value.model_dump(mode="json", exclude_defaults=True)
        content["targets"]["both"] = {"kind": "group", "strategy": "failover", "members": ["delivered", "node"]}
        session.store.mercure.save(
            session.store.parse(content), author="alice", comment="", edited_from=session.loaded.revision
        )
        session = Session(session.root, "alice")
        hold(session, Stage.OUTGOING, "both", (PRIVATE_CLASS, PRIVATE_SYNTAX))
        after = probed(session).known
    assert (before.asked_classes, before.needed) == ((CT, SC), {})
    assert after.needed == {PRIVATE_CLASS: (PRIVATE_SYNTAX,)}
    assert after.classes[PRIVATE_CLASS] == (PRIVATE_SYNTAX,)


def test_only_dicom_nodes_are_asked(configured: Configured) -> None:
    session = configured(104)
    with pytest.raises(ControlError, match="is a folder and no DICOM node"):
        probe.probe(asked(session), ProbeTarget(name="delivered"))
    with pytest.raises(ControlError, match="there is no target 'nobody'"):
        probe.known(session, OneTarget(name="nobody"))


def test_the_command_line_shows_the_matrix_and_saves_what_is_proposed(
    configured: Configured, free_port: FreePort
) -> None:
    with node(free_port(), taking(IMPLICIT, BIG_ENDIAN)) as seen:
        session = configured(seen.port, transfer_syntaxes=["as-received"])
        shown = run(session, "probe", "node")
        assert shown.exit_code == 0, shown.output
        assert "1  SOP class" in shown.output
        assert "x  CT Image Storage, Secondary Capture Image Storage" in shown.output
        assert "1  Implicit VR Little Endian, Explicit VR Big Endian" in shown.output
        assert "proposed: transfer_syntaxes: as-needed instead of as-received" in shown.output
        assert max(map(len, shown.output.splitlines())) <= 80
        document = json.loads(run(session, "probe", "node", "--last", "--json").stdout)
        assert document["known"]["classes"][CT] == [IMPLICIT, BIG_ENDIAN]
        revision = session.loaded.revision
        assert run(session, "probe", "node", "--apply").exit_code == 0
    saved = Session(session.root, "alice")
    assert saved.loaded.revision == revision + 1
    assert saved.config.targets["node"].model_dump()["transfer_syntaxes"] == ("as-needed",)
    assert "targets.save" in [event.details.get("verb") for event in events_of(saved)]
    assert probe.known(saved, OneTarget(name="node")).proposals == ()
    assert seen.images == []


def test_the_command_line_says_why_a_target_could_not_be_asked(configured: Configured, free_port: FreePort) -> None:
    shown = run(configured(free_port()), "probe", "node")
    assert shown.exit_code == 1
    assert "refuses the connection" in shown.output


@pytest.mark.parametrize("policy", ["as-received", "as-needed"])
@pytest.mark.parametrize("syntax", [IMPLICIT, EXPLICIT, BIG_ENDIAN])
def test_a_test_send_goes_in_a_syntax_that_the_target_takes_and_says_so(
    syntax: str, policy: str, configured: Configured, free_port: FreePort
) -> None:
    with node(free_port(), taking(syntax)) as seen:
        sent = probe_send.send(asked(configured(seen.port, transfer_syntaxes=[policy])), api.TestSend(name="node"))
    assert (sent.ok, sent.confirmed, sent.sent_as) == (True, 1, (syntax,))
    assert seen.images == [syntax]
    assert sent.text.startswith("1 of 1 images were taken in Explicit VR" if syntax != IMPLICIT else "1 of 1 images")


def test_a_test_send_to_a_target_without_such_images_names_the_class(
    configured: Configured, free_port: FreePort
) -> None:
    with node(free_port(), taking(IMPLICIT, classes=(CT,))) as seen:
        sent = probe_send.send(asked(configured(seen.port)), api.TestSend(name="node"))
    assert not sent.ok
    assert "Secondary Capture Image Storage" in sent.text
