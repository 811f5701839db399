"""``mercure tls``: from a request to a certificate in use, and a certificate in words."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from cryptography import x509

from tests.support.certificates import Authority, make_authority
from tests.support.tls_nodes import server_context, tls_node

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.command_line import Call

REQUEST = ("tls", "request", "router.hospital.example", "10.0.3.5", "--key", "ec-p256")


@pytest.fixture
def hospital(tmp_path: Path) -> Authority:
    (tmp_path / "authority").mkdir()
    return make_authority(tmp_path / "authority")


def signed(call: Call, hospital: Authority, file: Path) -> Path:
    asked = call(*REQUEST)
    assert asked.exit_code == 0, asked.stderr
    assert "CN=router.hospital.example, for router.hospital.example, 10.0.3.5" in asked.stderr
    return hospital.sign_request(x509.load_pem_x509_csr(asked.stdout.encode()), file)


def test_from_a_request_to_a_certificate_in_use(call: Call, hospital: Authority, tmp_path: Path, root: Path) -> None:
    file = signed(call, hospital, tmp_path / "router.pem")
    again = call(*REQUEST)
    assert again.exit_code != 0
    assert "a key waits for its certificate already" in again.stderr
    checked = call("tls", "install", str(file), "--ca", str(hospital.file), "--check")
    assert "no problems; it would be used by receiver" in checked.stdout
    installed = call("tls", "install", str(file), "--ca", str(hospital.file))
    assert installed.exit_code == 0, installed.stderr
    for words in ("router.hospital.example, 10.0.3.5", "CN=hospital", "servers and clients", "used by receiver",
                  "saved as revision 2"):  # fmt: skip
        assert words in installed.stdout
    shown = call("tls", "show")
    assert "CN=router.hospital.example" in shown.stdout
    found = json.loads(call("tls", "show", "--json").stdout)["certificates"]
    assert [(each["use"], each["about"]) for each in found] == [("own", "receiver")]
    assert "PRIVATE" not in shown.stdout + installed.stdout
    settings = json.loads((root / "config" / "mercure.json").read_text())["receiver"]
    assert settings["tls_certificate"].startswith(str(root / "tls" / "router-"))


def test_what_is_wrong_is_said_with_what_to_do(call: Call, hospital: Authority, tmp_path: Path) -> None:
    signed(call, hospital, tmp_path / "router.pem")
    other = call("tls", "install", str(hospital.sign("other").file))
    assert other.exit_code != 0
    assert "key: none of the certificates is for a key of the name 'router'" in other.stderr
    assert "→ is it the answer to another request?" in other.stderr


def test_a_file_in_words(call: Call, hospital: Authority, tmp_path: Path) -> None:
    file = hospital.sign("ct1", hosts=(), purpose="client").file
    shown = call("tls", "show", str(file))
    for words in ("CN=ct1", "no name: nobody who checks names believes it", "CN=hospital", "clients", "EC secp256r1"):
        assert words in shown.stdout
    assert "itself" in call("tls", "show", str(hospital.file)).stdout
    nothing = call("tls", "show", str(hospital.own.key))
    assert nothing.exit_code != 0
    assert "holds no certificate in PEM form" in nothing.stderr


def test_the_pin_of_a_machine(call: Call, hospital: Authority) -> None:
    archive = hospital.sign("archive")
    with tls_node(server_context(archive)) as port:
        shown = call("tls", "pin", f"127.0.0.1:{port}")
        assert shown.exit_code == 0, shown.stderr
        assert archive.file.read_text().strip() in shown.stdout
        assert "as it is set now it is not believed: " in shown.stdout
        assert call("tls", "pin", f"127.0.0.1:{port}", "--save").exit_code != 0
