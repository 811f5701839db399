"""`mercure nic-report` on a real pair of interfaces, and on what `ethtool` says of hardware that is not here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from appliance.nic_report import Nic, Ring, adaptive, advice, offloads, report, rings
from tests.support.namespaces import Namespace, namespace_pair
from tests.support.polling import eventually

MERCURE = (sys.executable, "-m", "appliance.cli")
RINGS = """Ring parameters for eth0:
Pre-set maximums:
RX:\t\t\t4096
RX Mini:\t\tn/a
TX:\t\t\t4096
Current hardware settings:
RX:\t\t\t512
RX Mini:\t\tn/a
TX:\t\t\t4096
"""
GOOD = Nic(
    name="eth0",
    driver="igb",
    up=True,
    speed_mbit=1000,
    full_duplex=True,
    mtu=1500,
    receive_queues=4,
    send_queues=4,
    spread=True,
    rings=(Ring(direction="receive", now=4096, most=4096),),
    offloads={"gro": True, "gso": True, "tso": True},
    adaptive_coalescing=True,
    quickack=True,
    dropped=0,
    errors=0,
)


def inside(place: Namespace, *arguments: str) -> subprocess.CompletedProcess[str]:
    # A view of /sys of its own: it shows the interfaces of the namespace in which it is mounted.
    script = 'mount -t sysfs sysfs /sys && exec "$@"'
    command = place.command("unshare", "--mount", "--", "sh", "-c", script, "sh", *arguments)
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=60, check=False)


def seen(place: Namespace) -> dict[str, Any]:
    done = inside(place, *MERCURE, "nic-report", "--json")
    assert done.returncode == 0, done.stderr
    (nic,) = json.loads(done.stdout)["nics"]
    assert isinstance(nic, dict)
    return nic


def test_a_real_interface_before_and_after_it_is_set() -> None:
    with namespace_pair() as pair:
        eventually(lambda: seen(pair.receiver)["up"], seconds=30, what="the cable carries")
        before = seen(pair.receiver)
        name = before["name"]
        assert before["mtu"] == 1500
        assert not before["quickack"]
        told = " ".join(item["what"] for item in before["advice"])
        assert "acknowledgements on its routes may wait" in told

        script = f"ip link set {name} mtu 1400; ethtool --offload {name} gro off tso off; "
        script += f"ip route change $(ip route show dev {name} | head -n 1) dev {name} quickack 1"
        inside(pair.receiver, "sh", "-c", script)
        after = seen(pair.receiver)
        assert after["mtu"] == 1400
        assert after["quickack"]
        assert not after["offloads"]["tso"]
        assert "tso is off" in {item["what"] for item in after["advice"]}


def test_an_interface_that_is_not_there_is_said_so() -> None:
    done = subprocess.run([*MERCURE, "nic-report", "nosuch0"], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 5
    assert "there is no network interface nosuch0" in done.stderr
    assert "there are:" in done.stderr


def test_the_interfaces_of_this_host_can_be_told_as_text() -> None:
    done = subprocess.run([*MERCURE, "nic-report"], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert all(nic.name in done.stdout for nic in report().nics)


def test_rings_are_read_with_what_the_hardware_allows() -> None:
    assert rings(RINGS) == (
        Ring(direction="receive", now=512, most=4096),
        Ring(direction="send", now=4096, most=4096),
    )
    assert rings("") == ()


def test_offloads_and_coalescing_are_read() -> None:
    assert offloads("Features for eth0:\ngeneric-receive-offload: off [fixed]\n") == {"gro": False}
    assert adaptive("Adaptive RX: on  TX: off\n") is True
    assert adaptive("Adaptive RX: n/a  TX: n/a\n") is None


def test_nothing_is_advised_where_all_is_well() -> None:
    assert list(advice(GOOD, cores=4)) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"speed_mbit": 100}, "the link runs at 100 Mbit/s"),
        ({"full_duplex": False}, "the link is half duplex"),
        ({"rings": rings(RINGS)}, "the receive ring holds 512 of 4096 packets"),
        ({"offloads": {"gro": False}}, "gro is off"),
        ({"adaptive_coalescing": False}, "interrupts do not adapt to the traffic"),
        ({"spread": False, "receive_queues": 1}, "1 receive queue for 4 cores, and its work is not spread"),
        ({"quickack": False}, "acknowledgements on its routes may wait"),
    ],
)
def test_each_fault_is_advised_on_by_itself(change: dict[str, Any], told: str) -> None:
    (found,) = advice(GOOD.model_copy(update=change), cores=4)
    assert found.what == told
    assert found.how


def test_interrupts_that_all_go_to_one_core_are_told(tmp_path: Path) -> None:
    nic = tmp_path / "sys/class/net/eno1"
    for number in (40, 41):
        (nic / f"queues/rx-{number}").mkdir(parents=True)
        (nic / "device/msi_irqs").mkdir(parents=True, exist_ok=True)
        (nic / f"device/msi_irqs/{number}").touch()
        (tmp_path / f"proc/irq/{number}").mkdir(parents=True)
        (tmp_path / f"proc/irq/{number}/smp_affinity_list").write_text("0\n")
    (nic / "mtu").write_text("1500\n")
    (found,) = report(("eno1",), sys=tmp_path / "sys", proc=tmp_path / "proc").nics
    assert found.interrupts == 1
    assert "the interrupts of 2 queues go to 1 of 2 cores" in [item.what for item in advice(found, 2)]
    (tmp_path / "proc/irq/41/smp_affinity_list").write_text("1\n")
    (found,) = report(("eno1",), sys=tmp_path / "sys", proc=tmp_path / "proc").nics
    assert not [item for item in advice(found, 2) if "interrupts of" in item.what]
