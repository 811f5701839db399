"""The root of the command tree, and where expected errors become an exit code."""

from __future__ import annotations

from typing import Any, Final

import click

from appliance.cli import exit_codes
from appliance.cli.common import Failure, root_option
from appliance.cli.lazy import LazyGroup
from appliance.control.errors import ControlError
from appliance.supervision.errors import SupervisionError
from mercure import __version__

COMMANDS: Final = {
    "init": ("appliance.cli.setup:init", "Write a first configuration into an empty root."),
    "run": ("appliance.cli.run:run", "Run the router in the foreground, until Ctrl-C."),
    "status": ("appliance.cli.status:status", "How the router is, and what needs a person."),
    "alerts": ("appliance.cli.alerts:alerts", "What a person should look at; say that one knows."),
    "notifications": (
        "appliance.cli.notifications:notifications",
        "See the messages to people, test a channel.",
    ),
    "service": ("appliance.cli.service:service", "See, start, stop and scale the services."),
    "send": ("appliance.cli.send:send", "Send files, as a scanner does."),
    "queue": ("appliance.cli.queue:queue", "See what waits; hold, release, retry, discard."),
    "quarantine": ("appliance.cli.quarantine:quarantine", "See what could not be read; read again, forward, discard."),
    "keep": ("appliance.cli.keep:keep", "Keep what is finished beyond its retention, until a day."),
    "resend": ("appliance.cli.resend:resend", "Send again what was delivered, discarded, or failed."),
    "resends": ("appliance.cli.resend:resends", "See the jobs that send again; pause, resume, stop."),
    "senders": ("appliance.cli.senders:senders", "See who sends and who may; allow, disable, propose entries."),
    "history": ("appliance.cli.history:history", "Find what happened to an exam."),
    "logs": ("appliance.cli.service:log", "Show the log of a service; -f follows it."),
    "receipt": ("appliance.cli.receipt:receipt", "Sign what was received and delivered of an exam; check it."),
    "targets": ("appliance.cli.targets:targets", "See and change targets, and ask whether they answer."),
    "tls": ("appliance.cli.tls:tls", "See certificates; have one signed, install it, pin a target."),
    "rules": ("appliance.cli.rules:rules", "See, change, check and explain rules."),
    "modules": ("appliance.cli.modules:modules", "See, change and try out processing modules."),
    "channels": ("appliance.cli.channels:channels", "See and change the channels to people."),
    "config": ("appliance.cli.config:config", "See and change settings; edit, compare, roll back."),
    "backup": ("appliance.cli.backup:backup", "Write, list and check backups."),
    "restore": ("appliance.cli.backup:restore", "Restore a backup."),
    "spool": (
        "appliance.cli.spool:spool",
        "Move the spool to another folder or disk, or give it the name in the history.",
    ),
    "selftest": ("appliance.cli.selftest:selftest", "Send a made-up image through; check disk, clock, programs."),
    "doctor": ("appliance.cli.doctor:doctor", "Whether the host still is as the playbook made it."),
    "audit": ("appliance.cli.audit:audit", "Who changed what, and whether that record is whole."),
    "sbom": ("appliance.cli.sbom:sbom", "List the installed software; check it for known vulnerabilities."),
    "jobs": ("appliance.cli.jobs:jobs", "See what takes long, and what came of it."),
    "verify": ("appliance.cli.verify:verify", "Prove that no acknowledged image is lost."),
    "compare": ("appliance.cli.compare:compare", "Ask a target what of an exam it has; name what is missing."),
    "nic-report": ("appliance.cli.nic_report:nic_report", "How the network interfaces are set, and what would help."),
    "completion": ("appliance.cli.shell_completion:completion", "Print what makes a shell complete."),
}

HEADINGS: Final = {
    "See": ("status", "alerts", "queue", "history", "audit", "logs", "quarantine", "receipt", "verify", "compare"),
    "Act": ("send", "resend", "resends", "keep", "notifications", "jobs"),
    "Configure": ("config", "senders", "targets", "tls", "rules", "channels", "modules"),
    "Maintain": ("service", "backup", "restore", "spool", "selftest", "doctor", "sbom", "nic-report"),
    "Begin": ("init", "run", "completion"),
}
"""The commands as the help lists them."""


class Application(LazyGroup):
    """The whole command; it turns expected errors into a sentence and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's signature
        """Run the command."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            ctx.exit(exit_codes.INTERRUPTED)
        except Exception as error:
            raise _expected(error) from error


def _expected(error: Exception) -> Exception:
    """Return what to raise instead of an error: a `Failure` for those that can be expected, itself for the others."""
    if isinstance(error, PermissionError):
        text = f"{error.filename or 'the disk'}: {error.strerror}"
        return Failure(text, "call it as the user to whom the router belongs", exit_codes.NOT_ALLOWED)
    if isinstance(error, OSError) and not isinstance(error, BrokenPipeError):
        return Failure(
            f"{error.filename or 'the disk'}: {error.strerror or error}", "see that the disk has room and works"
        )
    if isinstance(error, ControlError):
        return Failure(error.text, error.advice, exit_codes.OF_KIND[error.kind])
    if isinstance(error, SupervisionError):
        return Failure(str(error))
    if type(error).__name__ == "ValidationError" and isinstance(error, ValueError):
        # Of pydantic, which `--help` does without: an argument that no request can carry, such as an empty one.
        return click.UsageError(_in_words(error))
    return error


def _in_words(error: Any) -> str:  # noqa: ANN401 - pydantic's error, which is not imported here
    """Say what is wrong with each argument: its name, and what it should be."""
    found = error.errors(include_url=False, include_input=False, include_context=False)
    words = [(".".join(map(str, one["loc"])), one["msg"].replace("Input", "it", 1)) for one in found]
    return "; ".join(f"{place}: {text[:1].lower()}{text[1:]}" if place else text for place, text in words)


@click.group(
    cls=Application,
    commands_in=COMMANDS,
    headings=HEADINGS,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@root_option
@click.version_option(__version__, prog_name="mercure")
def mercure() -> None:
    """Route DICOM images, and lose none.

    Every command works on the router of one folder, its root: --root, else $MERCURE_ROOT, else var.
    Data goes to standard output, everything else to standard error.
    """
