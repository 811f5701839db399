"""Metrics of ``/metrics``: name, kind, labels, meaning, and the source of each value.

``docs/reference/metrics.md`` is made from this table, and a test holds the names: a dashboard somewhere counts on them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Literal

from appliance.control.rpc.client import api
from appliance.status_page.source import Flow, PageSnapshot

Sample = tuple[tuple[str, ...], float]
"""The values of the labels, and the value."""


_Samples = Callable[[PageSnapshot], Iterable[Sample]]


@dataclass(frozen=True)
class Family:
    """One metric.

    Parameters
    ----------
    name : str
        As Prometheus knows it; a counter without ``_total``.
    kind : str
        ``gauge`` or ``counter``.
    labels : tuple of str
        Names of its labels.
    text : str
        What it means, with its unit.
    samples : callable
        Makes its samples of what was seen.
    """

    name: str
    kind: Literal["gauge", "counter"]
    labels: tuple[str, ...]
    text: str
    samples: Callable[[PageSnapshot], Iterable[Sample]]

    @property
    def exposed(self) -> str:
        """The name as it is written."""
        return f"{self.name}_total" if self.kind == "counter" else self.name


def _one(value: Callable[[PageSnapshot], float | None]) -> Callable[[PageSnapshot], Iterable[Sample]]:
    def samples(seen: PageSnapshot) -> Iterable[Sample]:
        found = value(seen)
        return [] if found is None else [((), float(found))]

    return samples


def _total(name: str) -> Callable[[PageSnapshot], Iterable[Sample]]:
    """Make the samples of a counter of the history, by its label."""

    def samples(seen: PageSnapshot) -> Iterable[Sample]:
        return [((label,), value) for label, value in _counted(seen.flow, name)]

    return samples


def _sum(name: str) -> Callable[[PageSnapshot], Iterable[Sample]]:
    """Make the sample of a counter of the history whose labels mean nothing."""

    def samples(seen: PageSnapshot) -> Iterable[Sample]:
        return [((), sum(value for _, value in _counted(seen.flow, name)))] if seen.flow else []

    return samples


def _outcomes(prefix: str) -> Callable[[PageSnapshot], Iterable[Sample]]:
    """Make the samples of counters of the history that differ by how something ended."""

    def samples(seen: PageSnapshot) -> Iterable[Sample]:
        for outcome in ("success", "partial", "failure"):
            yield from (((label, outcome), value) for label, value in _counted(seen.flow, f"{prefix}.{outcome}"))

    return samples


def _counted(flow: Flow | None, name: str) -> list[tuple[str, float]]:
    counters = flow.totals.counters if flow else ()
    return [(counter.label, counter.value) for counter in counters if counter.name == name]


def _by_target(value: Callable[[PageSnapshot, int], float | None]) -> Callable[[PageSnapshot], Iterable[Sample]]:
    def samples(seen: PageSnapshot) -> Iterable[Sample]:
        for place, target in enumerate(seen.targets):
            found = value(seen, place)
            if found is not None:
                yield ((target.name,), float(found))

    return samples


def _outage_seconds(seen: PageSnapshot, place: int) -> float:
    outage = seen.targets[place].outage
    return 0.0 if outage is None else max(0.0, (seen.status.time - outage.since).total_seconds())


def _stage_ages(seen: PageSnapshot) -> Iterable[Sample]:
    for stage in seen.status.stages:
        yield ((stage.stage.value,), stage.oldest_seconds or 0.0)


def _processes(seen: PageSnapshot) -> Iterable[Sample]:
    for service in seen.status.services:
        states = [process.state for process in service.processes]
        for state in sorted({"running", *states}):
            yield ((service.name, state), float(states.count(state)))


def _by_process(
    value: Callable[[api.services.ProcessState], float | None],
) -> Callable[[PageSnapshot], Iterable[Sample]]:
    def samples(seen: PageSnapshot) -> Iterable[Sample]:
        for service in seen.status.services:
            for process in service.processes:
                found = value(process)
                if found is not None:
                    yield ((process.name,), float(found))

    return samples


def _of_process(name: str) -> _Samples:
    """Make the samples of a figure of each process, where it is known."""
    return _by_process(lambda process: None if process.figures is None else getattr(process.figures, name))


def _of_machine(
    value: Callable[[api.status.MachineState], Iterable[Sample]],
) -> Callable[[PageSnapshot], Iterable[Sample]]:
    def samples(seen: PageSnapshot) -> Iterable[Sample]:
        return [] if seen.status.machine is None else value(seen.status.machine)

    return samples


def _of_disk(value: Callable[[api.status.DiskTraffic], Iterable[Sample]]) -> _Samples:
    return _of_machine(lambda machine: [] if machine.disk is None else value(machine.disk))


def _network_bytes(machine: api.status.MachineState) -> Iterable[Sample]:
    for network in machine.networks:
        yield ((network.interface, "received"), float(network.received_bytes))
        yield ((network.interface, "sent"), float(network.sent_bytes))


def _network_losses(machine: api.status.MachineState) -> Iterable[Sample]:
    for network in machine.networks:
        yield ((network.interface, "error"), float(network.errors))
        yield ((network.interface, "dropped"), float(network.dropped))


def _alerts(seen: PageSnapshot) -> Iterable[Sample]:
    for severity in ("critical", "warning", "watch"):
        yield ((severity,), float(sum(alert.severity == severity for alert in seen.alerts)))


def _alert_kinds(seen: PageSnapshot) -> Iterable[Sample]:
    kinds = [alert.kind for alert in seen.alerts if alert.severity != "watch"]
    return [((kind,), float(kinds.count(kind))) for kind in sorted(set(kinds))]


def _last_images(seen: PageSnapshot) -> Iterable[Sample]:
    senders = seen.flow.senders.senders if seen.flow else ()
    return [((f"{sender.calling_aet}@{sender.address}",), sender.last_image.timestamp()) for sender in senders]


FAMILIES: Final[tuple[Family, ...]] = (
    Family("mercure_up", "gauge", (), "1 when the control service answers; all but this is missing when it does not.",
           lambda seen: [((), 1.0)]),
    Family("mercure_build_info", "gauge", ("node", "version"), "Always 1; its labels tell the node and the version.",
           lambda seen: [((seen.node, seen.version), 1.0)]),
    Family("mercure_running", "gauge", (), "1 when the router runs under its supervisor.",
           _one(lambda seen: seen.status.running)),
    Family("mercure_service_processes", "gauge", ("service", "state"), "Processes of a service, by their state.",
           _processes),
    Family("mercure_service_configured_processes", "gauge", ("service",), "Processes that a service is to have.",
           lambda seen: [((service.name,), float(service.configured)) for service in seen.status.services]),
    Family("mercure_process_processor_seconds", "counter", ("process",), "Processor time that a process has used.",
           _of_process("processor_seconds")),
    Family("mercure_process_memory_bytes", "gauge", ("process",), "Memory that a process holds (resident).",
           _of_process("memory_bytes")),
    Family("mercure_process_open_files", "gauge", ("process",), "Files and connections that a process has open.",
           _of_process("open_files")),
    Family("mercure_process_restarts", "counter", ("process",), "How often a process ended unasked since the start.",
           _by_process(lambda process: process.restarts)),
    Family("mercure_process_start_timestamp_seconds", "gauge", ("process",), "When a process was started or stopped.",
           _by_process(lambda process: None if process.since is None else process.since.timestamp())),
    Family("mercure_machine_load", "gauge", ("minutes",), "Load of the machine, the average of so many minutes.",
           _of_machine(lambda it: [((m,), load) for m, load in zip(("1", "5", "15"), it.load, strict=True)])),
    Family("mercure_machine_processors", "gauge", (), "Processors of the machine.",
           _of_machine(lambda it: [((), float(it.processors))])),
    Family("mercure_machine_processor_seconds", "counter", ("mode",), "Time of all processors: busy, or disk awaited.",
           _of_machine(lambda it: [(("busy",), it.processor_seconds), (("iowait",), it.waiting_seconds)])),
    Family("mercure_machine_memory_bytes", "gauge", (), "Memory of the machine.",
           _of_machine(lambda it: [((), float(it.memory_bytes))])),
    Family("mercure_machine_memory_available_bytes", "gauge", (), "Memory that programs can still have.",
           _of_machine(lambda it: [((), float(it.memory_available_bytes))])),
    Family("mercure_machine_uptime_seconds", "gauge", (), "Time since the machine was started.",
           _of_machine(lambda it: [((), it.up_seconds)])),
    Family("mercure_network_bytes", "counter", ("interface", "direction"), "Bytes through a network interface.",
           _of_machine(_network_bytes)),
    Family("mercure_network_lost_packets", "counter", ("interface", "why"), "Packets with errors, and dropped ones.",
           _of_machine(_network_losses)),
    Family("mercure_disk_bytes", "counter", ("direction",), "Bytes that the spool's device read and wrote.",
           _of_disk(lambda it: [(("read",), float(it.read_bytes)), (("written",), float(it.written_bytes))])),
    Family("mercure_disk_busy_seconds", "counter", (), "Time in which the spool's device had work to do.",
           _of_disk(lambda it: [((), it.busy_seconds)])),
    Family("mercure_alerts", "gauge", ("severity",), "Alerts; `watch`: not raised yet.", _alerts),
    Family("mercure_alerts_by_kind", "gauge", ("kind",), "Alerts that are raised, by what they are about.",
           _alert_kinds),
    Family("mercure_config_revision", "gauge", (), "Revision of the configuration in force.",
           _one(lambda seen: seen.status.config.revision)),
    Family("mercure_config_usable", "gauge", (), "0 when the file cannot be used and an older revision goes on.",
           _one(lambda seen: not seen.status.config.problems)),
    Family("mercure_associations_open", "gauge", (), "Senders that are connected.",
           _one(lambda seen: seen.status.associations)),
    Family("mercure_stage_entries", "gauge", ("stage",), "Series or tasks in a stage of the spool.",
           lambda seen: [((stage.stage.value,), float(stage.count)) for stage in seen.status.stages]),
    Family("mercure_stage_oldest_seconds", "gauge", ("stage",), "Age of the oldest in a stage; 0 when it is empty.",
           _stage_ages),
    Family("mercure_disk_free_bytes", "gauge", (), "Free space of the spool's disk.",
           _one(lambda seen: seen.status.disk.free_bytes)),
    Family("mercure_disk_size_bytes", "gauge", (), "Size of the spool's disk.",
           _one(lambda seen: seen.status.disk.total_bytes)),
    Family("mercure_disk_refuse_below_bytes", "gauge", (), "With less free space images are refused.",
           _one(lambda seen: seen.status.disk.refuse_below_bytes)),
    Family("mercure_disk_clean_below_bytes", "gauge", (), "With less free space finished tasks go before their time.",
           _one(lambda seen: seen.status.disk.clean_below_bytes)),
    Family("mercure_history_up", "gauge", (), "1 when the history answers; without it all counters are missing.",
           _one(lambda seen: not seen.status.history.problem)),
    Family("mercure_history_lag_seconds", "gauge", (), "By how much the history is behind what services have told.",
           _one(lambda seen: seen.status.history.lag_seconds)),
    Family("mercure_outbox_bytes", "gauge", (), "Events that wait for the history or were just written.",
           _one(lambda seen: seen.status.history.outbox_bytes)),
    Family("mercure_verify_age_seconds", "gauge", (), "How old the last proof is that nothing acknowledged is lost.",
           _one(lambda seen: seen.status.verify.age_seconds)),
    Family("mercure_verify_result", "gauge", (), "Its end: 0 all is accounted for, 1 not, 2 not all checked.",
           _one(lambda seen: None if seen.status.verify.finished is None else seen.status.verify.exit_code)),
    Family("mercure_target_up", "gauge", ("target",), "0 when a target is not accepting images.",
           _by_target(lambda seen, place: seen.targets[place].outage is None)),
    Family("mercure_target_enabled", "gauge", ("target",), "0 when a target is switched off in the configuration.",
           _by_target(lambda seen, place: not seen.targets[place].disabled)),
    Family("mercure_target_outage_seconds", "gauge", ("target",), "For how long a target has not accepted images.",
           _by_target(_outage_seconds)),
    Family("mercure_target_waiting_tasks", "gauge", ("target",), "Tasks that wait for a target or go out to it.",
           _by_target(lambda seen, place: seen.targets[place].waiting)),
    Family("mercure_target_failed_tasks", "gauge", ("target",), "Tasks for a target that wait for a person.",
           _by_target(lambda seen, place: seen.targets[place].failed)),
    Family("mercure_module_waiting_tasks", "gauge", ("module",), "Tasks that wait for a module or are in it.",
           lambda seen: [((module.name,), float(module.waiting)) for module in seen.modules]),
    Family("mercure_module_failed_tasks", "gauge", ("module",), "Tasks of a module that wait for a person.",
           lambda seen: [((module.name,), float(module.failed)) for module in seen.modules]),
    Family("mercure_sender_last_image_timestamp_seconds", "gauge", ("sender",), "When a sender's last image came.",
           _last_images),
    Family("mercure_associations_opened", "counter", ("sender",), "Associations that senders opened.",
           _total("associations.opened")),
    Family("mercure_associations_closed", "counter", ("how",), "Associations that ended, by how.",
           _total("associations.closed")),
    Family("mercure_associations_refused", "counter", ("reason",), "Associations that were refused, by the reason.",
           _total("refusals.association")),
    Family("mercure_images_received", "counter", ("sender",), "Images acknowledged.", _total("images.received")),
    Family("mercure_received_bytes", "counter", ("sender",), "Bytes of the images acknowledged.",
           _total("bytes.received")),
    Family("mercure_images_refused", "counter", ("status",), "Images answered with a failure, by its DICOM status.",
           _total("refusals.image")),
    Family("mercure_images_quarantined", "counter", ("sender",), "Objects that could not be read and were kept aside.",
           _total("images.quarantined")),
    Family("mercure_series_completed", "counter", ("reason",), "Series that were complete, by why they counted so.",
           _total("series.completed")),
    Family("mercure_series_late", "counter", (), "Series that were completed again by late images.",
           _sum("series.late")),
    Family("mercure_studies_completed", "counter", ("reason",), "Studies that were complete, by why they counted so.",
           _total("studies.completed")),
    Family("mercure_rules_fired", "counter", ("rule",), "Series for which a rule fired.", _total("rules.fired")),
    Family("mercure_rules_failed", "counter", ("rule",), "Series for which a rule could not be evaluated.",
           _total("rules.failed")),
    Family("mercure_tasks_created", "counter", ("destination",), "Tasks made, by target, module or action.",
           _total("tasks.created")),
    Family("mercure_attempts", "counter", ("target", "outcome"), "Attempts to deliver a task.",
           _outcomes("attempts")),
    Family("mercure_attempt_seconds", "counter", ("target",), "Time that attempts to deliver took.",
           _total("attempts.seconds")),
    Family("mercure_tasks_delivered", "counter", ("target",), "Tasks of which a target confirmed every image.",
           _total("tasks.delivered")),
    Family("mercure_images_delivered", "counter", ("target",), "Images of delivered tasks.",
           _total("images.delivered")),
    Family("mercure_delivered_bytes", "counter", ("target",), "Bytes of delivered tasks.",
           _total("bytes.delivered")),
    Family("mercure_module_runs", "counter", ("module", "outcome"), "Runs of a processing module.",
           _outcomes("runs")),
    Family("mercure_module_run_seconds", "counter", ("module",), "Time that runs of a module took.",
           _total("runs.seconds")),
    Family("mercure_tasks_processed", "counter", ("module",), "Tasks that a module has processed.",
           _total("tasks.processed")),
    Family("mercure_tasks_failed", "counter", ("stage",), "Tasks that were given up, by the stage they failed in.",
           _total("tasks.failed")),
    Family("mercure_tasks_retired", "counter", ("stage",), "Finished tasks that the cleaner removed, by their stage.",
           _total("tasks.retired")),
)  # fmt: skip
"""In the order of the output. Senders are ``AET@address``, or the title alone when identifiers are masked."""
