"""The journal sent to a SIEM: what the role writes is what rsyslog takes, over TLS, the server known by its name."""

from __future__ import annotations

import subprocess
from pathlib import Path

import jinja2
import pytest

TEMPLATE = Path(__file__).resolve().parents[2] / "roles/monitoring/templates/rsyslog.conf.j2"
WANTED = {"monitoring_siem": "siem.example.org:6514", "monitoring_siem_certificate": "", "monitoring_siem_queue": "1G"}


def configuration(**settings: str) -> str:
    environment = jinja2.Environment(trim_blocks=True, undefined=jinja2.StrictUndefined)  # noqa: S701 - no page
    return environment.from_string(TEMPLATE.read_text()).render(WANTED | settings)


@pytest.mark.parametrize("certificate", ["", "/srv/certificate.pem"])
def test_rsyslog_takes_it(certificate: str, tmp_path: Path) -> None:
    file = tmp_path / "rsyslog.conf"
    for name in ("ca.pem", "certificate.pem", "key.pem"):
        (tmp_path / name).write_text("what the role puts there")
    text = configuration(monitoring_siem_certificate=certificate)
    file.write_text(text.replace("/etc/mercure-siem", str(tmp_path)))
    done = subprocess.run(["/usr/sbin/rsyslogd", "-N1", "-f", file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_server_is_known_by_its_name_and_nothing_goes_plain() -> None:
    text = configuration()
    assert 'target="siem.example.org" port="6514"' in text
    assert 'StreamDriverMode="1" StreamDriverAuthMode="x509/name"' in text
    assert 'StreamDriverPermittedPeers="siem.example.org"' in text
    assert text.count("omfwd") == 1
    assert "omfile" not in text
    assert "key.pem" not in text
    assert "key.pem" in configuration(monitoring_siem_certificate="/srv/certificate.pem")
