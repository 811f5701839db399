"""``sender.name`` in rules: the name at receipt; without an origin it is not known."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from mercure.config import Config
from mercure.routing.units import named
from mercure.routing.verdicts import verdicts
from mercure.rules import RuleError, compile_rule
from mercure.spool import Task

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
CT = {"SenderAET": "CT1", "SenderAddress": "10.0.0.7", "ReceiverAET": "MERCURE", "SOPInstanceUID": "1"}


def holds(rule: str, *records: dict[str, Any]) -> bool:
    return compile_rule(rule).evaluate(list(records), lambda: NOW).result


def test_it_is_the_name_at_receipt() -> None:
    record = {**CT, "SenderName": "ct"}
    assert holds('sender.name == "ct"', record)
    assert holds('sender.name.startswith("c") and one_of(sender.name, "CT")', record)
    assert not holds('sender.name == "CT1@10.0.0.7"', record)
    assert holds('images.all(sender.name == "ct")', record, record)
    assert not holds('images.all(sender.name == "ct")', record, {**record, "SenderName": "mr"})


@pytest.mark.parametrize("rule", ['sender == "ct"', 'sender.aet == "CT1"', 'sender["name"] == "ct"', "sender.name()"])
def test_there_is_nothing_else_of_a_sender(rule: str) -> None:
    with pytest.raises(RuleError):
        compile_rule(rule)


def test_without_an_origin_it_is_not_known() -> None:
    found = compile_rule('sender.name == ""').evaluate([{"SOPInstanceUID": "1"}], lambda: NOW)
    assert not found.result
    assert "nobody knows from where" in str(found.error)
    assert holds('sender.name == "ct" or True', {"SOPInstanceUID": "1"})


def test_of_an_older_release_it_is_by_the_table_of_now() -> None:
    config = Config.model_validate({"senders": {"ct": {"ae_titles": ["CT1"]}}})
    assert named(config, CT)["SenderName"] == "ct"
    assert named(Config(), CT)["SenderName"] == "CT1@10.0.0.7"
    kept = {**CT, "SenderName": "before"}
    assert named(config, kept) is kept
    orphan = {"SOPInstanceUID": "1"}
    assert named(config, orphan) is orphan


def test_a_series_is_decided_by_it() -> None:
    rules = {"ct": {"rule": 'sender.name == "ct"', "action": "discard"}}
    config = Config.model_validate({"senders": {"ct": {"ae_titles": ["CT1"]}}, "rules": rules})
    task = Task(id="20261130T120000000001-00000000", created=NOW)
    for record, fired in ((CT, True), ({**CT, "SenderName": "other"}, False), ({**CT, "SenderAET": "X"}, False)):
        assert [outcome.fired for outcome in verdicts(config, task, [record], NOW).outcomes] == [fired]
