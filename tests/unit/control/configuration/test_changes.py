"""Changes of the configuration: audited, checked, and never over what somebody else saved."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from appliance.control import api
from appliance.control.configuration.differences import differences
from appliance.control.rpc.client import Client, ControlError, Saved
from appliance.control.session import Session
from tests.support.control_server import Served
from tests.support.tasks import events_of
from tests.unit.control.requests import RULE, TARGET


def rule(name: str, edited_from: int, **more: Any) -> api.rules.SaveRule:
    return api.rules.SaveRule(name=name, rule=RULE, edited_from=edited_from, **more)


def names(client: Client) -> list[str]:
    return [state.name for state in client.call(api.rules.LIST).rules]


def test_a_saved_rule_is_audited_with_before_and_after(client: Client, session: Session) -> None:
    saved = client.call(api.rules.SAVE_ONE, rule("mr", 1, comment="for the ward"))
    assert (saved.revision, [(item.place, item.how) for item in saved.difference]) == (2, [("rules.mr", "added")])
    events = events_of(session)
    assert [event.type for event in events] == ["config.saved", "audit"]
    details = events[1].details
    assert (details["verb"], details["object"]) == ("rules.save_one", "mr")
    assert details["after"] == {"rules.mr": RULE}
    assert session.store.mercure.revision(2).comment == "for the ward"


def test_a_stale_change_is_refused_with_the_difference(client: Client, session: Session) -> None:
    client.call(api.rules.SAVE_ONE, rule("mr", 1))
    events_of(session)
    with pytest.raises(ControlError) as caught:
        client.call(api.targets.SAVE, api.targets.SaveTarget(name="new", settings=TARGET, edited_from=1))
    assert caught.value.kind == "stale"
    assert [(item.place, item.how) for item in caught.value.difference] == [("rules.mr", "added")]
    assert session.store.mercure.revisions() == [1, 2]
    assert not events_of(session)


def test_two_admins_who_save_at_once(served: Served) -> None:
    ready = threading.Barrier(2)
    results: list[Saved | ControlError] = []

    def save(name: str) -> None:
        with Client(served.root) as client:
            client.whoami()
            ready.wait(10)
            try:
                results.append(client.call(api.rules.SAVE_ONE, rule(name, 1)))
            except ControlError as error:
                results.append(error)

    threads = [threading.Thread(target=save, args=(name,)) for name in ("mr", "ct")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    (won,) = [item for item in results if isinstance(item, Saved)]
    (lost,) = [item for item in results if isinstance(item, ControlError)]
    assert (won.revision, lost.kind) == (2, "stale")
    assert lost.difference[0].place == won.difference[0].place


def test_what_an_editor_wrote_is_not_overwritten(client: Client, session: Session) -> None:
    path = session.store.mercure.path
    path.write_text(json.dumps(json.loads(path.read_text()) | {"name": "edited"}))
    with pytest.raises(ControlError, match="was edited by hand") as caught:
        client.call(api.rules.SAVE_ONE, rule("mr", 1))
    assert [(item.place, item.after) for item in caught.value.difference] == [("name", "edited")]
    # The refused save has given the edit a revision, so the next one can be made from it.
    assert client.call(api.rules.LIST).revision == 2
    client.call(api.rules.SAVE_ONE, rule("mr", 2))
    assert Session(session.root, "x").config.name == "edited"


def test_all_that_is_wrong_is_told(client: Client) -> None:
    wrong = {"a": {"rule": "tags.Modalit ==", "targets": ["nowhere"]}, "b": {"rule": "True", "targetz": []}}
    checked = client.call(api.rules.CHECK, api.rules.CheckRules(rules=wrong))
    assert checked.problems
    with pytest.raises(ControlError) as caught:
        client.call(api.rules.SAVE, api.rules.SaveRules(rules=wrong, edited_from=1))
    assert caught.value.kind == "invalid"
    assert {item.place.split(".")[1] for item in caught.value.problems} >= {"b"}


def test_rules_are_ordered_renamed_and_removed(client: Client) -> None:
    client.call(api.rules.SAVE_ONE, rule("mr", 1))
    saved = client.call(api.rules.ORDER, api.rules.OrderRules(names=("mr", "everything"), edited_from=2))
    assert saved.difference[0].how == "order"
    assert names(client) == ["mr", "everything"]
    client.call(api.rules.SAVE_ONE, rule("brain", 3, rename_from="mr"))
    assert names(client) == ["brain", "everything"]
    with pytest.raises(ControlError, match="already"):
        client.call(api.rules.SAVE_ONE, rule("everything", 4, rename_from="brain"))
    client.call(api.rules.DELETE, api.rules.DeleteRule(name="brain", edited_from=4))
    assert names(client) == ["everything"]
    with pytest.raises(ControlError, match="must name every rule once"):
        client.call(api.rules.ORDER, api.rules.OrderRules(names=("x",), edited_from=5))


def test_a_renamed_target_is_renamed_in_the_rules_too(client: Client, session: Session) -> None:
    settings = session.config.targets["delivered"].model_dump(mode="json", exclude_defaults=True)
    request = api.targets.SaveTarget(name="archive", settings=settings, rename_from="delivered", edited_from=1)
    client.call(api.targets.SAVE, request)
    assert Session(session.root, "x").config.rules["everything"].targets == ("archive",)


def test_a_target_that_a_rule_names_is_not_removed(client: Client) -> None:
    with pytest.raises(ControlError, match="there is no target 'delivered'"):
        client.call(api.targets.DELETE, api.targets.DeleteTarget(name="delivered", edited_from=1))


def test_an_old_revision_is_brought_back(client: Client) -> None:
    client.call(api.rules.SAVE_ONE, rule("mr", 1))
    compared = client.call(api.configuration.COMPARE, api.configuration.CompareRevisions(before=1))
    assert (compared.after, compared.difference[0].place) == (2, "rules.mr")
    saved = client.call(api.configuration.ROLLBACK, api.configuration.RollBack(revision=1, edited_from=2))
    assert (saved.revision, saved.difference[0].how) == (3, "removed")
    listed = client.call(api.configuration.REVISIONS)
    assert (listed.current, [item.revision for item in listed.revisions]) == (3, [3, 2, 1])
    assert "rolled back to revision 1" in listed.revisions[0].comment
    with pytest.raises(ControlError, match="has no revision 9"):
        client.call(api.configuration.ROLLBACK, api.configuration.RollBack(revision=9, edited_from=3))


def test_changes_of_the_other_file_are_told_as_such(client: Client, session: Session) -> None:
    save = api.configuration.SaveConfig(file="services", content={"router": {"instances": 3}}, edited_from=1)
    assert client.call(api.configuration.SAVE, save).revision == 2
    back = api.configuration.RollBack(file="services", revision=1, edited_from=2)
    assert client.call(api.configuration.ROLLBACK, back).revision == 3
    saved, audit, saved_back, audit_back = events_of(session)
    assert saved.details["comment"] == "services.json: config.save services", "no comment: the verb and its object"
    assert saved_back.details["comment"] == "services.json: rolled back to revision 1"
    assert [(event.details["verb"], event.details["object"]) for event in (audit, audit_back)] == [
        ("config.save", "services"),
        ("config.rollback", "services to revision 1"),
    ]
    assert audit.details["before"] == {"router": None}
    assert audit.details["after"] == audit_back.details["before"] == {"router": {"instances": 3}}
    assert session.store.mercure.revisions() == [1]


def test_a_check_saves_nothing(client: Client, session: Session) -> None:
    content = session.config.model_dump(mode="json", exclude_defaults=True) | {"name": "other"}
    request = api.configuration.SaveConfig(content=content, edited_from=1, check_only=True)
    assert [item.place for item in client.call(api.configuration.SAVE, request).difference] == ["name"]
    assert session.store.mercure.revisions() == [1]


def test_a_stale_number_of_processes_is_refused(client: Client) -> None:
    scale = api.services.ScaleService(name="router", instances=2, edited_from=1)
    assert client.call(api.services.SCALE, scale).revision == 2
    with pytest.raises(ControlError, match="at revision 2"):
        client.call(api.services.SCALE, scale)


def test_a_test_send_comes_through(client: Client, session: Session) -> None:
    told: list[int] = []
    sent = client.call(
        api.targets.TEST_SEND,
        api.targets.TestSend(name="delivered", images=2),
        progress=lambda progress: told.append(progress.done),
    )
    assert (sent.ok, sent.confirmed, told[0], told[-1]) == (True, 2, 0, 2)
    assert len(list((session.root.path / "delivered").rglob("*.dcm"))) == 2
    assert [event.details["verb"] for event in events_of(session)] == ["targets.test_send"]
    assert not list(session.root.run.glob("test-send-*"))


def test_settings_that_are_not_saved_can_be_asked(client: Client, session: Session) -> None:
    for path, well in ((str(session.root.path / "delivered"), True), ("/nowhere/at/all", False)):
        request = api.targets.EchoTarget(name="new", settings={"kind": "folder", "path": path})
        assert client.call(api.targets.ECHO, request).ok is well
    assert "new" not in Session(session.root, "x").config.targets


def test_differences_are_named_by_their_place() -> None:
    before = {"a": 1, "rules": {"x": {"rule": "True"}, "y": {}}, "gone": [1]}
    after = {"a": 2, "rules": {"y": {}, "x": {"rule": "False"}}, "new": {"k": None}}
    found = {item.place: (item.how, item.before, item.after) for item in differences(before, after)}
    assert found == {
        "a": ("changed", 1, 2),
        "rules.x.rule": ("changed", "True", "False"),
        "rules": ("order", ["x", "y"], ["y", "x"]),
        "gone": ("removed", [1], None),
        "new": ("added", None, {"k": None}),
    }
    assert differences(before, before) == ()
