"""The configuration of an existing mercure installation, taken over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mercure.config import Config, Root, Rule
from mercure.config.upstream_import import DROPPED, Imported, import_mercure
from mercure.services.common import open_store

if TYPE_CHECKING:
    from pathlib import Path

OLD: dict[str, Any] = {
    "appliance_name": "Radiology West",
    "port": 11113,
    "accept_compressed_images": True,
    "incoming_folder": "/opt/mercure/data/incoming",
    "router_scan_interval": 1,
    "series_complete_trigger": 45,
    "study_complete_trigger": 800,
    "study_forcecomplete_trigger": 5000,
    "retention": 259200,
    "retry_delay": 300,
    "retry_max": 5,
    "offpeak_start": "22:00",
    "offpeak_end": "06:00",
    "influxdb_host": "metrics",
    "something_new": 1,
    "targets": {
        "pacs": {"target_type": "dicom", "ip": "10.0.0.7", "port": "104", "aet_target": "PACS", "aet_source": ""},
        "old style": {"ip": "10.0.0.8", "port": 11112, "aet_target": "OLD", "contact": "ann"},
        "share": {"target_type": "folder", "folder": "/mnt/share"},
        "cloud": {"target_type": "s3", "bucket": "b"},
    },
    "modules": {"anon": {"docker_tag": "anon:1", "settings": {"a": 1}, "environment": "X=1"}},
    "rules": {
        "mr": {"rule": '@Modality@ == "MR"', "target": "pacs", "tags": "brain, research", "priority": "urgent"},
        "both targets": {"rule": 'tags.Modality == "CT"', "target": ["old style", "cloud"]},
        "only cloud": {"rule": "True", "target": "cloud"},
        "typing error": {"rule": "tags.Modalty == 'MR'", "target": "pacs"},
        "study": {
            "rule": "True",
            "target": "pacs",
            "action_trigger": "study",
            "study_trigger_condition": "received_series",
            "study_trigger_series": "'Axial T2' and 'Sag T1'",
            "study_force_completion_action": "discard",
        },
        "process": {
            "rule": "True",
            "action": "both",
            "target": "share",
            "processing_module": ["anon"],
            "processing_settings": {"a": 2},
            "notification_webhook": "https://hook",
        },
        "drop": {"rule": 'tags.Modality == "SR"', "action": "discard"},
        "tell": {"rule": "True", "action": "notification", "disabled": True},
        "rest": {"rule": "True", "target": "pacs", "fallback": True},
    },
}


def test_what_is_converted_is_a_configuration(tmp_path: Path) -> None:
    imported = import_mercure(OLD)
    config = open_store(Root(tmp_path)).parse(imported.config)
    assert isinstance(config, Config)
    assert config.name == "Radiology_West"
    assert config.receiver.port == 11113
    assert (config.completion.quiet_seconds, config.completion.after_release_seconds) == (45, 45)
    assert config.retention.discard_seconds == 259200
    assert f"{config.off_peak.start:%H:%M}" == "22:00"
    assert list(config.targets) == ["pacs", "old_style", "share"]
    assert config.targets["pacs"].retry.max_refusals == 5
    assert config.modules["anon"].image == "anon:1"
    rules = config.rules
    assert list(rules) == ["mr", "both_targets", "typing_error", "study", "process", "drop", "tell", "rest"]
    assert (rules["mr"].tags, rules["mr"].priority) == (("brain", "research"), "urgent")
    assert rules["both_targets"].targets == ("old_style",)
    assert (rules["typing_error"].disabled, rules["typing_error"].rule) == (True, "False")
    study = rules["study"].study
    assert study is not None
    assert (study.quiet_seconds, study.force_after_seconds, study.force_action) == (800, 5000, "discard")
    assert study.series == "'Axial T2' and 'Sag T1'"
    assert (rules["process"].modules, rules["process"].module_settings) == (("anon",), {"a": 2})
    assert (rules["tell"].action, rules["tell"].disabled) == ("notify", True)
    assert rules["rest"].fallback


def test_what_is_not_is_listed_by_name_with_a_reason() -> None:
    remarks: dict[str, str] = {}
    for remark in import_mercure(OLD).remarks:
        remarks[remark.place] = f"{remarks.get(remark.place, '')} {remark.reason}"
    for place in (
        "targets.cloud",
        "targets.old style",
        "modules.anon.environment",
        "rules.both targets.targets",
        "rules.only cloud",
        "rules.typing error",
        "rules.process.notification_webhook",
        "something_new",
        "influxdb_host",
        "incoming_folder",
    ):
        assert remarks[place], place
    assert "Modality" in remarks["rules.typing error"]


def test_no_setting_is_passed_over_in_silence() -> None:
    imported = import_mercure({**OLD, **dict.fromkeys(DROPPED, "x")})
    assert {remark.place for remark in imported.remarks} >= set(DROPPED)


def test_names_that_become_equal_stay_apart(tmp_path: Path) -> None:
    folder = {"target_type": "folder", "folder": "/x"}
    imported = import_mercure(
        {
            "targets": {"a b": folder, "a_b": folder, "äö": folder},
            "rules": {"r": {"rule": "True", "target": ["a b", "a_b"]}},
        }
    )
    config = open_store(Root(tmp_path)).parse(imported.config)
    assert sorted(config.targets) == ["a_b", "a_b-2", "unnamed"]
    assert config.rules["r"].targets == ("a_b", "a_b-2")


def chain(modules: list[str], written: object) -> Imported:
    """Import one rule with a chain of modules, of which `gone` is not in the file."""
    return import_mercure(
        {
            "modules": {name: {"docker_tag": f"{name}:1"} for name in ("first", "second", "third")},
            "rules": {
                "r": {
                    "rule": "True",
                    "action": "process",
                    "processing_module": modules,
                    "processing_settings": written,
                }
            },
        }
    )


@pytest.mark.parametrize(
    ("modules", "written", "steps"),
    [
        (["first", "second"], [{"a": 1}, {"b": 2}], [{"a": 1}, {"b": 2}]),
        (["first", "second"], [{}, {"b": 2}], [{}, {"b": 2}]),
        (["first", "second"], [{"a": 1}], [{"a": 1}, {}]),
        (["gone", "second"], [{"a": 1}, {"b": 2}], [{"b": 2}]),
        (["first", "gone", "third"], [None, {"a": 1}, {"b": 2}], [{}, {"b": 2}]),
    ],
)
def test_settings_for_each_module_go_to_the_step_of_that_module(
    tmp_path: Path, modules: list[str], written: object, steps: list[dict[str, int]]
) -> None:
    imported = chain(modules, written)
    assert "rules.r.processing_settings" not in {remark.place for remark in imported.remarks}
    rule = open_store(Root(tmp_path)).parse(imported.config).rules["r"]
    assert isinstance(rule, Rule)
    assert rule.step_settings == tuple(steps)
    assert rule.module_settings == {}


@pytest.mark.parametrize(
    ("modules", "written"),
    [
        (["first"], [{"a": 1}, {"b": 2}]),
        (["first", "first"], [{"a": 1}, {"b": 2}]),
        (["first", "second"], ["a", {"b": 2}]),
    ],
)
def test_settings_that_do_not_fit_the_modules_are_listed(modules: list[str], written: object) -> None:
    imported = chain(modules, written)
    reasons = {remark.place: remark.reason for remark in imported.remarks}
    assert "step_settings" in reasons["rules.r.processing_settings"]
    assert "step_settings" not in imported.config["rules"]["r"]


def test_a_reason_names_what_is_there_instead() -> None:
    assert "/metrics" in DROPPED["influxdb_host"]
    imported = import_mercure({**OLD, "email_notification_from": "x"})
    reasons = {remark.place: remark.reason for remark in imported.remarks}
    for place in ("email_notification_from", "rules.process.notification_webhook"):
        assert "notifications.channels" in reasons[place]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=10,
)


@settings(max_examples=60)
@given(st.dictionaries(st.sampled_from([*OLD, "x"]), JSON, max_size=8))
def test_anything_may_stand_in_the_file(content: dict[str, Any]) -> None:
    import_mercure(content)


@settings(max_examples=60)
@given(st.sampled_from(["targets", "rules", "modules"]), st.data())
def test_anything_may_stand_in_a_table(table: str, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(list(OLD[table])))
    key = data.draw(st.sampled_from([*OLD[table][name], "action", "target_type", "processing_module"]))
    changed = {**OLD[table], name: {**OLD[table][name], key: data.draw(JSON)}}
    import_mercure({**OLD, table: changed})
