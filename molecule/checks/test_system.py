"""The host itself: it has booted, nothing failed, and the disk is where the inventory says."""

from __future__ import annotations

from typing import Any


def test_systemd_is_the_first_process_and_nothing_failed(host: Any) -> None:
    assert host.file("/proc/1/comm").content_string.strip() == "systemd"
    failed = host.check_output("systemctl list-units --failed --no-legend --plain")
    assert failed == "", failed


def test_the_data_disk_is_mounted_with_the_options_of_the_inventory(host: Any, settings: dict[str, Any]) -> None:
    point = host.mount_point(settings["storage_mount"])
    assert point.exists
    assert point.filesystem == settings["storage_filesystem"]
    wanted = set(settings["storage_mount_options"].split(","))
    assert wanted <= set(point.options), f"missing: {wanted - set(point.options)}"


def test_the_mount_is_by_uuid_and_the_disk_is_the_one_of_the_inventory(host: Any, settings: dict[str, Any]) -> None:
    uuid = host.check_output("findmnt --noheadings --output UUID %s", settings["storage_mount"])
    source = host.check_output("findmnt --fstab --noheadings --output SOURCE %s", settings["storage_mount"])
    assert source == f"UUID={uuid}"
    source = host.check_output("findmnt --noheadings --output SOURCE %s", settings["storage_mount"])
    assert source.startswith(host.check_output("readlink --canonicalize %s", settings["storage_device"]))


def test_the_spool_is_on_the_data_disk(host: Any, settings: dict[str, Any]) -> None:
    spool = f"{settings['router_root']}/spool"
    with host.sudo():
        assert host.check_output("findmnt --noheadings --output TARGET --target %s", spool) == settings["storage_mount"]


def test_the_clock_is_in_utc_and_kept_right(host: Any) -> None:
    assert host.check_output("date +%Z") == "UTC"
    assert host.service("chrony").is_enabled


def test_security_updates_are_installed_at_the_hour_of_the_inventory(host: Any, settings: dict[str, Any]) -> None:
    calendar = host.check_output("systemctl show --property TimersCalendar --value apt-daily-upgrade.timer")
    assert settings["base_updates_time"] in calendar
