"""Names of senders in conditions: renamed where they are compared as a whole, else a person is told to look."""

from __future__ import annotations

import pytest

from mercure.rules import check, renamed_sender


@pytest.mark.parametrize(
    ("rule", "renamed"),
    [
        ('sender.name == "ct1"', 'sender.name == "new"'),
        ("sender.name == 'ct1'", "sender.name == 'new'"),
        ('"ct1" == sender.name', '"new" == sender.name'),
        ('not (sender.name != ("ct1"))', 'not (sender.name != "new")'),
        ('sender.name in ["ct1", "mr", \'ct1\']', 'sender.name in ["new", "mr", \'new\']'),
        ('sender.name not in ("ct1",)', 'sender.name not in ("new",)'),
        ('one_of(sender.name, "CT1", ["mr", "ct1"])', 'one_of(sender.name, "new", ["mr", "new"])'),
        ('iequals(sender.name, "Ct1")', 'iequals(sender.name, "new")'),
        ('tags.SenderName == "ct1"', 'tags.SenderName == "new"'),
        ('tags["SenderName"] == "ct1"', 'tags["SenderName"] == "new"'),
        ('@SenderName@ == "ct1"', '@SenderName@ == "new"'),
        ('images.all(sender.name == "ct1") and tags.Modality == "CT"',
         'images.all(sender.name == "new") and tags.Modality == "CT"'),
        ('tags.Modality == "CT" if sender.name == "ct1" else sender.name == "mr"',
         'tags.Modality == "CT" if sender.name == "new" else sender.name == "mr"'),
        # What is compared with something else keeps its text,
        ('sender.name == "ct1" and tags.StationName == "ct1"', 'sender.name == "new" and tags.StationName == "ct1"'),
        ('tags.SenderAET == "ct1"', 'tags.SenderAET == "ct1"'),
        # and so does another name.
        ('sender.name == "ct10"', 'sender.name == "ct10"'),
        ('sender.name == "CT1"', 'sender.name == "CT1"'),
    ],
)  # fmt: skip
def test_a_name_that_is_compared_as_a_whole_is_renamed(rule: str, renamed: str) -> None:
    found = renamed_sender(rule, "ct1", "new")
    assert found.text == renamed
    assert not found.by_hand
    assert [item for item in check(renamed) if item.severity == "error"] == []


@pytest.mark.parametrize(
    "rule",
    [
        'sender.name.startswith("ct")',
        'contains(sender.name, "ct1")',
        'matches(sender.name, "ct?")',
        'regex(sender.name, "^ct[0-9]$")',
        '"ct1" in sender.name',
        'sender.name in "ct1 ct2"',
        'sender.name == tags.StationName',
        'sender.name < "d"',
        'tags.get("SenderName", "") == "ct1"',
        'sender.name in ["ct1", tags.StationName]',
    ],
)  # fmt: skip
def test_what_asks_for_a_part_of_the_name_is_left_for_a_person(rule: str) -> None:
    assert renamed_sender(rule, "ct1", "new").by_hand


@pytest.mark.parametrize("rule", ["", "this is (no rule", 'tags.Modality == "ct1"'])
def test_a_rule_without_the_name_stays_as_it_is(rule: str) -> None:
    found = renamed_sender(rule, "ct1", "new")
    assert (found.text, found.by_hand) == (rule, False)
