"""``/metrics``: read by Prometheus' own parser; names that dashboards count on; bounds."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from appliance.control.rpc.client import DisconnectedError, api
from appliance.status_page.metrics import FAMILIES
from appliance.status_page.prometheus import REQUESTS
from appliance.status_page.reference import page as reference_page
from mercure.config.status_page import StatusPage
from mercure.history.records import CounterTotal
from tests.status_page import scene
from tests.support.site import Page

DOCS = Path(__file__).resolve().parents[2] / "docs"

# A change here breaks dashboards and alerts in hospitals: add names, and do not rename or remove.
NAMES = """
mercure_alerts mercure_alerts_by_kind mercure_associations_closed_total mercure_associations_open
mercure_associations_opened_total mercure_associations_refused_total mercure_attempt_seconds_total
mercure_attempts_total mercure_build_info mercure_config_revision mercure_config_usable mercure_delivered_bytes_total
mercure_disk_busy_seconds_total mercure_disk_bytes_total mercure_disk_clean_below_bytes mercure_disk_free_bytes
mercure_disk_refuse_below_bytes mercure_disk_size_bytes mercure_history_lag_seconds mercure_history_up
mercure_images_delivered_total mercure_images_quarantined_total mercure_images_received_total
mercure_images_refused_total mercure_machine_load mercure_machine_memory_available_bytes mercure_machine_memory_bytes
mercure_machine_processor_seconds_total mercure_machine_processors mercure_machine_uptime_seconds
mercure_module_failed_tasks mercure_module_run_seconds_total mercure_module_runs_total mercure_module_waiting_tasks
mercure_network_bytes_total mercure_network_lost_packets_total mercure_outbox_bytes mercure_page_requests_total
mercure_process_memory_bytes mercure_process_open_files mercure_process_processor_seconds_total
mercure_process_restarts_total mercure_process_start_timestamp_seconds mercure_received_bytes_total
mercure_rules_failed_total mercure_rules_fired_total mercure_running mercure_sender_last_image_timestamp_seconds
mercure_series_completed_total mercure_series_late_total mercure_service_configured_processes
mercure_service_processes mercure_stage_entries mercure_stage_oldest_seconds mercure_studies_completed_total
mercure_target_enabled mercure_target_failed_tasks mercure_target_outage_seconds mercure_target_up
mercure_target_waiting_tasks mercure_tasks_created_total mercure_tasks_delivered_total mercure_tasks_failed_total
mercure_tasks_processed_total mercure_tasks_retired_total mercure_up mercure_verify_age_seconds mercure_verify_result
""".split()  # noqa: SIM905 - a list of fifty names reads worse

_LABELS = {family.exposed: family.labels for family in (*FAMILIES, REQUESTS)}
Found = dict[str, dict[tuple[str, ...], float]]


def read(page: Page) -> Found:
    """Read the samples by name and values of the labels."""
    answer = page.get("/metrics")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    found: Found = {}
    for family in text_string_to_metric_families(answer.text):
        assert family.documentation
        for sample in family.samples:
            labels = _LABELS.get(sample.name, ())
            assert set(sample.labels) == set(labels)
            found.setdefault(sample.name, {})[tuple(sample.labels[name] for name in labels)] = sample.value
    return found


def test_names_do_not_change(page: Page) -> None:
    page.seen = scene.seen(bad=True)
    page.get("/")
    assert sorted(read(page)) == sorted(NAMES)
    assert len(NAMES) >= 30


def test_every_family_has_help_and_type_and_a_value_somewhere(page: Page) -> None:
    page.seen = scene.seen(bad=True)
    text = page.get("/metrics").text
    for family in FAMILIES:
        assert f"# HELP {family.exposed} {family.text}" in text
        assert f"# TYPE {family.exposed} {family.kind}" in text
        assert re.search(rf"^{family.exposed}[{{ ]", text, re.M), family.name


def test_values(page: Page) -> None:
    page.seen = scene.seen(bad=True)
    found = read(page)
    assert found["mercure_up"] == {(): 1}
    assert found["mercure_target_up"] == {
        ("pacs",): 1,
        ("research-archive",): 0,
        ("vendor-neutral",): 1,
        ("teaching",): 1,
    }
    assert found["mercure_target_outage_seconds"]["research-archive",] == 95 * 60
    assert found["mercure_target_enabled"]["teaching",] == 0
    assert found["mercure_stage_entries"]["error",] == 2
    assert found["mercure_stage_oldest_seconds"]["outgoing",] == 5400
    assert found["mercure_attempts_total"] == {
        ("pacs", "success"): 102,
        ("pacs", "failure"): 102,
        ("pacs", "partial"): 102,
    }
    assert found["mercure_images_refused_total"] == {("0xA700",): 108}
    assert found["mercure_alerts"] == {("critical",): 2, ("warning",): 2, ("watch",): 0}
    assert found["mercure_service_processes"]["router", "running"] == 1
    assert found["mercure_process_memory_bytes"]["router_00",] == 61_000_000
    assert found["mercure_network_lost_packets_total"] == {("eth0", "error"): 3, ("eth0", "dropped"): 0}
    assert found["mercure_machine_load"] == {("1",): 0.5, ("5",): 0.4, ("15",): 0.3}


def test_a_router_that_does_not_answer_is_a_metric_too(page: Page) -> None:
    page.broken = DisconnectedError("gone")
    found = read(page)
    assert found["mercure_up"] == {(): 0}
    assert set(found) <= {"mercure_up", "mercure_page_requests_total"}


def test_requests_to_the_page_are_counted_by_what_was_answered(page: Page) -> None:
    for path, method in (("/", "GET"), ("/nothing", "GET"), ("/", "POST"), ("/targets", "GET")):
        page.get(path, method=method)
    assert read(page)["mercure_page_requests_total"] == {("200",): 2, ("404",): 1, ("405",): 1}


@pytest.mark.parametrize("masked", [True, False])
def test_senders_are_told_without_their_addresses_when_masked(page: Page, masked: bool) -> None:
    page.settings = StatusPage(masked=masked)
    received = read(page)["mercure_images_received_total"]
    assert set(received) == ({("CT_EMERGENCY",), ("MR_SKYRA_1",)} if masked else
                             {("CT_EMERGENCY@10.20.1.11",), ("MR_SKYRA_1@10.20.1.31",)})  # fmt: skip


def test_one_title_at_two_addresses_is_added_up_when_masked(page: Page) -> None:
    counters = tuple(CounterTotal(name="images.received", label=f"CT@10.0.0.{n}", value=10) for n in range(3))
    page.seen = replace(page.seen, flow=replace(scene.flow(), totals=api.traffic.Totals(counters=counters)))
    assert read(page)["mercure_images_received_total"] == {("CT",): 30}


def test_labels_are_bounded_whatever_the_router_tells(page: Page) -> None:
    page.settings = StatusPage(metric_labels=5)
    targets = tuple(page.seen.targets[0].model_copy(update={"name": f"t{number}"}) for number in range(400))
    page.seen = replace(page.seen, targets=targets)
    found = read(page)
    assert len(found["mercure_target_waiting_tasks"]) == 6
    assert ("other",) in found["mercure_target_waiting_tasks"]
    assert max(len(samples) for samples in found.values()) <= 18


def test_hostile_labels_can_be_read_back(page: Page) -> None:
    page.seen, page.settings = scene.hostile(), StatusPage(masked=False)
    labels = [label for (label,) in read(page)["mercure_images_received_total"]]
    assert any("<script>" in label for label in labels)
    assert not any(character in "".join(labels) for character in "\x00\x1b\u202e")


def test_the_reference_page_is_made_from_the_families() -> None:
    assert (DOCS / "reference" / "metrics.md").read_text(encoding="utf-8") == reference_page()


def test_the_dashboard_names_metrics_that_exist_and_all_that_matter() -> None:
    board = json.loads((DOCS / "grafana-dashboard.json").read_text(encoding="utf-8"))
    expressions = [target["expr"] for panel in board["panels"] for target in panel.get("targets", [])]
    expressions += [item["query"]["query"] for item in board["templating"]["list"] if item["type"] == "query"]
    named = {name for text in expressions for name in re.findall(r"\bmercure_\w+", text)}
    assert named <= set(NAMES), named - set(NAMES)
    assert len(named) >= 25
    for panel in board["panels"]:
        assert panel["type"] == "row" or panel["description"], panel["title"]
        grid = panel["gridPos"]
        assert grid["x"] + grid["w"] <= 24
    ids = [panel["id"] for panel in board["panels"]]
    assert len(ids) == len(set(ids))


def test_counters_in_the_dashboard_are_asked_for_their_rate() -> None:
    board = json.loads((DOCS / "grafana-dashboard.json").read_text(encoding="utf-8"))
    for panel in board["panels"]:
        for target in panel.get("targets", []):
            for counter in re.finditer(r"\bmercure_\w+_total\b", target["expr"]):
                before = target["expr"][: counter.start()]
                assert re.search(r"(rate|increase)\($", before), target["expr"]
