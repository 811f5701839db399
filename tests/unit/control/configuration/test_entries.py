"""The same verbs for every table of the configuration; a renaming takes references and waiting tasks along."""

from __future__ import annotations

from typing import Any

import pytest

from appliance.control.api.base import Saved
from appliance.control.api.configuration import TABLES, ChangeEntry, Table
from appliance.control.configuration import edits, entries
from appliance.control.errors import ControlError
from appliance.control.session import Session
from mercure.routing.studies import study_folder
from mercure.spool import Claim, Spool, Stage, load_task, save_task
from tests.support.tasks import PutTask, events_of

NEW: dict[Table, dict[str, str]] = {
    "targets": {
        "kind": "dicom",
        "host": "10.0.0.9",
        "port": "104",
        "called_aet": "PACS ONE",
        "retry.cap_seconds": "5m",
    },
    "rules": {"rule": "tags.Modality == 'MR'", "targets": "delivered"},
    "senders": {"ae_titles": "CT ONE, CT2", "addresses": "10.0.3.0/24"},
    "channels": {"kind": "email", "host": "mail", "sender": "a@b.example", "recipients": "c@d.example"},
    "modules": {"runner": "command", "image": "/bin/true", "environment": "A=1 B=two"},
}


@pytest.fixture
def change(session: Session) -> Any:
    """Give a function that changes an entry as a new caller would."""

    def changing(table: Table, verb: Any, name: str = "", **more: Any) -> Saved:
        fresh = Session(session.root, "alice", clock=session.clock)
        request = {"table": table, "verb": verb, "name": name, "edited_from": fresh.loaded.revision, **more}
        return entries.change(fresh, ChangeEntry.model_validate(request))

    return changing


def content(session: Session) -> dict[str, Any]:
    found: dict[str, Any] = session.store.mercure.load().value.model_dump(mode="json", exclude_defaults=True)
    return found


def table_of(session: Session, table: Table) -> dict[str, Any]:
    return edits.entries_of(content(session), table)


@pytest.mark.parametrize("table", TABLES)
def test_every_verb_works_on_every_table(session: Session, change: Any, table: Table) -> None:
    before = list(table_of(session, table))
    change(table, "add", "new", settings=NEW[table])
    change(table, "set", "new", settings={"comment": "of the ward"})
    assert table_of(session, table)["new"]["comment"] == "of the ward"
    change(table, "rename", "new", to="newer")
    assert list(table_of(session, table)) == [*before, "newer"]
    change(table, "disable", "newer")
    assert table_of(session, table)["newer"]["disabled"] is True
    if table != "senders":  # two with the same address could not be told apart
        change(table, "copy", "newer", to="copy")
        assert table_of(session, table)["copy"] == table_of(session, table)["newer"]
        change(table, "order", names=["copy", "newer", *before])
        assert list(table_of(session, table)) == ["copy", "newer", *before]
        change(table, "remove", "copy")
    change(table, "enable", "newer")
    assert "disabled" not in table_of(session, table)["newer"]
    change(table, "remove", "newer")
    assert list(table_of(session, table)) == before


def test_values_have_the_types_of_the_schema(session: Session, change: Any) -> None:
    for table in TABLES:
        change(table, "add", "new", settings=NEW[table])
    assert table_of(session, "targets")["new"]["retry"] == {"cap_seconds": 300.0}
    assert table_of(session, "targets")["new"]["called_aet"] == "PACS ONE"
    assert table_of(session, "senders")["new"]["ae_titles"] == ["CT ONE", "CT2"]
    assert table_of(session, "modules")["new"]["environment"] == {"A": "1", "B": "two"}


@pytest.mark.parametrize("table", TABLES)
def test_a_name_that_is_not_there_is_told(change: Any, table: Table) -> None:
    for verb, more in (("set", {"settings": {"comment": "x"}}), ("rename", {"to": "x"}), ("copy", {"to": "x"}),
                       ("remove", {}), ("enable", {}), ("disable", {})):  # fmt: skip
        if (table, verb) == ("rules", "set"):
            continue  # it adds the rule
        with pytest.raises(ControlError) as caught:
            change(table, verb, "nowhere", **more)
        assert caught.value.kind == "not-found", verb


def test_a_name_that_is_taken_is_refused(change: Any) -> None:
    change("targets", "add", "new", settings=NEW["targets"])
    for verb, more in (("add", {"settings": NEW["targets"]}), ("copy", {"to": "new"}), ("rename", {"to": "new"})):
        with pytest.raises(ControlError, match="there is a target") as caught:
            change("targets", verb, "new" if verb == "add" else "delivered", **more)
        assert caught.value.kind == "invalid"


def test_an_unknown_setting_or_kind_is_told_with_what_may_be_meant(change: Any) -> None:
    with pytest.raises(ControlError) as caught:
        change("targets", "add", "new", settings={**NEW["targets"], "hots": "x"})
    assert "did you mean 'host'" in caught.value.advice
    with pytest.raises(ControlError) as caught:
        change("targets", "add", "new", settings={"kind": "dicm", "host": "x"})
    assert "dicom" in str(caught.value)
    with pytest.raises(ControlError, match="kind"):
        change("targets", "add", "new", settings={"host": "x"})


def test_what_others_name_cannot_be_removed(session: Session, change: Any) -> None:
    with pytest.raises(ControlError, match=r"rules\.everything\.targets: there is no target 'delivered'"):
        change("targets", "remove", "delivered")
    assert "delivered" in table_of(session, "targets")


def test_an_order_names_every_entry_once(change: Any) -> None:
    change("rules", "add", "new", settings=NEW["rules"])
    for names in ([], ["new"], ["new", "new"], ["new", "everything", "other"]):
        with pytest.raises(ControlError, match="must name every rule once"):
            change("rules", "order", names=names)


def test_a_renamed_target_is_renamed_wherever_it_is_named(session: Session, change: Any) -> None:
    change("targets", "add", "pacs", settings=NEW["targets"])
    group = {"kind": "group", "members": "delivered,pacs", "strategy": "weighted", "weights": "pacs=2"}
    change("targets", "add", "both", settings=group)
    change("modules", "set", "statistics", settings={"routes_to": "pacs"})
    change("rules", "set", "everything", settings={"targets": "pacs,delivered"})
    saved = change("targets", "rename", "pacs", to="archive")
    now = content(session)
    assert now["rules"]["everything"]["targets"] == ["archive", "delivered"]
    assert now["targets"]["both"]["members"] == ["delivered", "archive"]
    assert now["targets"]["both"]["weights"] == {"archive": 2.0}
    assert now["modules"]["statistics"]["routes_to"] == ["archive"]
    assert "targets.archive" in {item.place for item in saved.difference}


def test_a_renamed_channel_or_sender_is_renamed_wherever_it_is_named(session: Session, change: Any) -> None:
    change("channels", "add", "mail", settings=NEW["channels"])
    change("senders", "add", "ct", settings=NEW["senders"])
    edited = content(session) | {"alerts": {"channels": ["mail"], "disk": {"channels": ["mail"]}},
                                 "completion": {"senders": {"ct": {"quiet_seconds": 5}}}}  # fmt: skip
    edited["rules"]["everything"]["notifications"] = {"error": ["mail"]}
    store = session.store
    store.mercure.save(store.parse(edited), author="bob", comment="", edited_from=store.mercure.load().revision)
    change("channels", "rename", "mail", to="post")
    change("senders", "rename", "ct", to="ct1")
    now = content(session)
    assert now["alerts"] == {"channels": ["post"], "disk": {"channels": ["post"]}}
    assert now["rules"]["everything"]["notifications"]["error"] == ["post"]
    assert list(now["completion"]["senders"]) == ["ct1"]


def test_waiting_and_failed_tasks_get_the_new_name_of_their_target(
    session: Session, spool: Spool, change: Any, put_task: PutTask
) -> None:
    waiting = put_task(Stage.OUTGOING, target="delivered")
    failed = put_task(Stage.ERROR, target="delivered", action="route")
    derived = put_task(Stage.PROCESSING, action="process", module="statistics", then_targets=("delivered", "x"))
    done = put_task(Stage.SUCCESS, target="delivered")
    saved = change("targets", "rename", "delivered", to="archive")
    assert (saved.tasks, saved.busy) == (3, ())
    assert load_task(spool.entry(Stage.OUTGOING, waiting.id)).target == "archive"
    assert load_task(spool.entry(Stage.ERROR, failed.id)).target == "archive"
    assert load_task(spool.entry(Stage.PROCESSING, derived.id)).then_targets == ("archive", "x")
    assert load_task(spool.entry(Stage.SUCCESS, done.id)).target == "delivered"
    told = {event.type: event for event in events_of(session) if event.task == waiting.id}
    assert told["task.rerouted"].details["target"] == "archive"
    assert told["audit"].details["by"] == "alice"


def test_a_task_that_is_being_worked_on_is_named_and_renamed_the_next_time(
    session: Session, spool: Spool, change: Any, put_task: PutTask
) -> None:
    waiting = put_task(Stage.OUTGOING, target="delivered")
    claim = Claim.take(spool.entry(Stage.OUTGOING, waiting.id))
    assert claim is not None
    with claim:
        assert change("targets", "rename", "delivered", to="archive").busy == (waiting.id,)
    revision = session.store.mercure.load().revision
    assert change("targets", "rename", "delivered", to="archive").tasks == 1
    assert load_task(spool.entry(Stage.OUTGOING, waiting.id)).target == "archive"
    assert session.store.mercure.load().revision == revision


def test_a_study_goes_on_being_collected_under_the_new_name_of_its_rule(
    session: Session, spool: Spool, change: Any, put_task: PutTask
) -> None:
    change("rules", "set", "everything", settings={"trigger": "study"})
    task = put_task(Stage.ROUTING, action="collect", study_rule="everything")
    folder = spool.entry(Stage.STUDIES, study_folder(task, "everything"))
    folder.mkdir(parents=True)
    spool.entry(Stage.ROUTING, task.id).rename(folder / task.id)
    change("rules", "rename", "everything", to="all")
    assert not folder.exists()
    moved = spool.entry(Stage.STUDIES, study_folder(task, "all")) / task.id
    assert load_task(moved).study_rule == "all"


def test_a_task_that_nobody_can_read_does_not_keep_others_from_their_new_name(
    spool: Spool, change: Any, put_task: PutTask
) -> None:
    broken, good = put_task(Stage.OUTGOING, target="delivered"), put_task(Stage.OUTGOING, target="delivered")
    (spool.entry(Stage.OUTGOING, broken.id) / "task.json").write_text("{")
    assert change("targets", "rename", "delivered", to="archive").tasks == 1
    assert load_task(spool.entry(Stage.OUTGOING, good.id)).target == "archive"


def test_a_renaming_that_is_only_looked_at_renames_nothing(spool: Spool, change: Any, put_task: PutTask) -> None:
    waiting = put_task(Stage.OUTGOING, target="delivered")
    assert change("targets", "rename", "delivered", to="archive", check_only=True).difference
    assert load_task(spool.entry(Stage.OUTGOING, waiting.id)).target == "delivered"
    save_task(spool.entry(Stage.OUTGOING, waiting.id), waiting)


def test_a_sender_is_renamed_in_the_conditions_of_rules(session: Session, change: Any) -> None:
    change("senders", "add", "ct1", settings=NEW["senders"])
    change("rules", "add", "scanner", settings={"rule": 'sender.name == "ct1"', "targets": "delivered"})
    change("rules", "add", "part", settings={"rule": 'sender.name.startswith("ct")', "targets": "delivered"})
    foreseen = change("senders", "rename", "ct1", to="emergency", check_only=True)
    saved = change("senders", "rename", "ct1", to="emergency")
    assert table_of(session, "rules")["scanner"]["rule"] == 'sender.name == "emergency"'
    assert table_of(session, "rules")["part"]["rule"] == 'sender.name.startswith("ct")'
    assert foreseen.warnings == saved.warnings
    (warning,) = (text for text in saved.warnings if "part of its name" in text)
    assert warning.endswith(": part")


def test_other_renamings_leave_conditions_alone(session: Session, change: Any) -> None:
    change("targets", "add", "ct1", settings=NEW["targets"])
    change("rules", "add", "scanner", settings={"rule": 'sender.name == "ct1"', "targets": "ct1"})
    assert "part of its name" not in repr(change("targets", "rename", "ct1", to="archive").warnings)
    assert table_of(session, "rules")["scanner"] == {"rule": 'sender.name == "ct1"', "targets": ["archive"]}
