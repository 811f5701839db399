"""Which commands there are, and what all of them have."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from appliance.cli.common import JsonOption
from appliance.cli.reference import page
from tests.support.command_line import Call
from tests.unit.appliance.cli.tree import EVERY_COMMAND

PROJECT = Path(__file__).resolve().parents[4]


SHELLS = ("bash", "zsh", "fish")
WITHOUT_ROUTER = {
    ("rules", "eval"),
    *(("completion", shell) for shell in SHELLS),
    ("nic-report",),
    ("doctor",),
    ("sbom", "check"),
    ("sbom", "write"),
}
ENTRY_COMMANDS = ["add", "set", "rename", "copy", "remove", "enable", "disable", "order"]
MODULE_COMMANDS = ["check", "list", "log", "show", "steps", "stop", "test"]


class TestTree:
    def test_all_verbs_are_there(self) -> None:
        assert {" ".join(path) for path in EVERY_COMMAND} == {
            "init",
            "run",
            "status",
            "jobs",
            "targets test",
            *(f"senders {name}" for name in ("list", "show", "propose", "allow", "disable", "enable", "echo")),
            "send",
            "verify",
            "compare",
            "resend",
            "resends list",
            "resends pause",
            "resends resume",
            "resends stop",
            "selftest",
            "restore",
            "spool move",
            "spool adopt",
            "backup create",
            "backup list",
            "backup check",
            *(f"completion {shell}" for shell in SHELLS),
            "audit list",
            "logs",
            "nic-report",
            "doctor",
            "audit verify",
            "sbom check",
            "sbom write",
            *(f"modules {name}" for name in MODULE_COMMANDS),
            *(f"{noun} {name}" for noun in ("targets", "rules", "channels", "modules") for name in ENTRY_COMMANDS),
            *(f"senders {name}" for name in ENTRY_COMMANDS),
            "channels list",
            *(f"config {name}" for name in ("get", "set", "edit", "history", "diff", "rollback")),
            "alerts list",
            "alerts acknowledge",
            "notifications test",
            "notifications list",
            "notifications retry",
            "notifications discard",
            "service list",
            "service start",
            "service stop",
            "service restart",
            "service log",
            "service scale",
            "queue list",
            "queue show",
            "queue hold",
            "queue release",
            "queue retry",
            "queue reroute",
            "queue force-study",
            "queue discard",
            "queue undo",
            "history series",
            "history images",
            "history senders",
            "history tasks",
            "history events",
            "history refusals",
            "history export",
            "receipt make",
            "receipt key",
            "receipt verify",
            "keep add",
            "keep list",
            "keep remove",
            "quarantine list",
            "quarantine show",
            "quarantine read-again",
            "quarantine send",
            "quarantine discard",
            "targets list",
            "targets echo",
            "targets probe",
            *(f"tls {name}" for name in ("show", "request", "install", "pin")),
            "rules list",
            "rules check",
            "rules explain",
            "rules dry-run",
            "rules eval",
            "config show",
            "config validate",
            "config import",
        }

    @pytest.mark.parametrize("path", EVERY_COMMAND, ids=" ".join)
    def test_each_has_help_that_fits_a_terminal(self, call: Call, path: tuple[str, ...]) -> None:
        result = call(*path, "--help")
        assert result.exit_code == 0
        assert all(len(line) <= 80 for line in result.stdout.splitlines())
        assert "\\b" not in result.stdout, "a raw docstring: click does not see the backspace that keeps lines"

    @pytest.mark.parametrize("path", [path for path in EVERY_COMMAND if path not in WITHOUT_ROUTER], ids=" ".join)
    def test_each_takes_a_root(self, path: tuple[str, ...]) -> None:
        assert any("--root" in param.opts for param in EVERY_COMMAND[path].params)

    @pytest.mark.parametrize("path", [path for path in EVERY_COMMAND if path not in {("run",), *WITHOUT_ROUTER}])
    def test_each_that_shows_something_shows_it_as_json(self, path: tuple[str, ...]) -> None:
        assert any(isinstance(param, JsonOption) and param.documents for param in EVERY_COMMAND[path].params)

    def test_the_reference_page_is_what_the_command_is(self) -> None:
        written = (PROJECT / "docs" / "reference" / "cli.md").read_text(encoding="utf-8")
        assert written == page(), "make it anew: python -m appliance.cli.reference > docs/reference/cli.md"


LIGHT = """
import sys
from appliance.cli.app import mercure
sys.stdin = open("/dev/null")
mercure({arguments!r}, standalone_mode=False)
heavy = {{"pydantic", "peewee", "psycopg", "pynetdicom", "pydicom", "supervisor", "xmlrpc"}} & set(sys.modules)
sys.exit(f"imported {{heavy}}" if heavy else 0)
"""


@pytest.mark.parametrize("arguments", [["--help"], ["queue", "--help"], ["rules", "eval"]])
def test_what_must_be_quick_imports_nothing_heavy(arguments: list[str]) -> None:
    code = LIGHT.format(arguments=arguments)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
