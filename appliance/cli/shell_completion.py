"""Names for the shell's completion: of tasks, targets, rules, services, backups; and the script that asks for them.

Asked of the control service, or of the files where none answers; quickly, and silently when neither works: nobody wants
an error message in the middle of a command line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

import click
from click.shell_completion import CompletionItem

from appliance.cli.lazy import OrderedGroup

if TYPE_CHECKING:
    from appliance.cli.requests import Ask

_MOST_TASKS: Final = 2000
_SHORT: Final = 8
Names = Callable[["Ask"], Iterable[tuple[str, str]]]
Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem[str]]]


def _tasks(ask: Ask) -> Iterable[tuple[str, str]]:
    from appliance.control import api  # noqa: PLC0415 - as in all commands

    wanted = api.queue.ListQueue(limit=_MOST_TASKS)
    for entry in ask(api.queue.LIST, wanted).entries:
        about = f"{entry.state} {entry.target or entry.module or ''}".strip()
        if entry.stage.value != "incoming":
            # The list shows the end of the id, and that is enough to name a task.
            yield entry.id[-_SHORT:], about
            yield entry.id, about


def _studies(ask: Ask) -> Iterable[tuple[str, str]]:
    from appliance.control import api  # noqa: PLC0415

    wanted = api.queue.ListQueue(states=("collecting",), limit=_MOST_TASKS)
    for entry in ask(api.queue.LIST, wanted).entries:
        yield entry.identity.StudyInstanceUID, entry.identity.StudyDescription


def _targets(ask: Ask) -> Iterable[tuple[str, str]]:
    from appliance.control import api  # noqa: PLC0415

    return ((target.name, target.kind) for target in ask(api.targets.LIST).targets)


def _rules(ask: Ask) -> Iterable[tuple[str, str]]:
    from appliance.control import api  # noqa: PLC0415

    return ((state.name, state.rule.rule) for state in ask(api.rules.LIST).rules)


def _services(ask: Ask) -> Iterable[tuple[str, str]]:
    from appliance.control import api  # noqa: PLC0415

    return ((service.name, "") for service in ask(api.services.LIST).services)


def _backups(ask: Ask) -> Iterable[tuple[str, str]]:
    from appliance.control import api  # noqa: PLC0415

    return ((item.name, "") for item in ask(api.backup.LIST).backups)


def _settings(ask: Ask) -> Iterable[tuple[str, str]]:
    from appliance.control import api  # noqa: PLC0415

    found = ask(api.configuration.GET).settings
    return ((item.place, item.meaning.partition(". ")[0]) for item in found)


def _senders(ask: Ask) -> Iterable[tuple[str, str]]:
    return _entries(ask, "senders")


def _channels(ask: Ask) -> Iterable[tuple[str, str]]:
    return _entries(ask, "notifications", "channels")


def _modules(ask: Ask) -> Iterable[tuple[str, str]]:
    return _entries(ask, "modules")


def _entries(ask: Ask, *place: str) -> Iterable[tuple[str, str]]:
    from appliance.control import api  # noqa: PLC0415

    found = ask(api.configuration.SHOW).mercure.content
    for key in place:
        found = found.get(key, {})
    return ((name, str(settings.get("comment", ""))) for name, settings in found.items())


def _completer(names: Names) -> Complete:
    """Return what click calls to complete a name."""

    def complete(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
        from appliance.cli.requests import asking  # noqa: PLC0415

        given = context.params.get(parameter.name or "")
        taken = set(given) if isinstance(given, tuple) else set()
        try:
            with context.scope(cleanup=False), asking(quiet=True) as ask:
                found = dict(names(ask))
        except Exception:  # noqa: BLE001 - whatever it is: the person goes on typing
            return []
        return [
            CompletionItem(name, help=about or None)
            for name, about in found.items()
            if name.startswith(incomplete) and name not in taken and (incomplete or len(name) != _TASK_ID)
        ]

    return complete


_TASK_ID: Final = 30
"""Characters of a task's id: offered when its beginning is typed; its end says the same in eight."""

tasks: Final = _completer(_tasks)
studies: Final = _completer(_studies)
targets: Final = _completer(_targets)
rules: Final = _completer(_rules)
services: Final = _completer(_services)
backups: Final = _completer(_backups)
settings: Final = _completer(_settings)
senders: Final = _completer(_senders)
channels: Final = _completer(_channels)
modules: Final = _completer(_modules)


@click.group(cls=OrderedGroup)
def completion() -> None:
    """Print what makes a shell complete commands, options and names.

    \b
    mercure completion bash > ~/.local/share/bash-completion/completions/mercure
    source <(mercure completion bash)       # in this shell only
    mercure completion zsh > ~/.zfunc/_mercure                        # in $fpath
    mercure completion fish > ~/.config/fish/completions/mercure.fish
    """  # noqa: D301 - click keeps the lines after a backspace


def _add(shell: str, class_name: str, text: str) -> None:
    @completion.command(shell, help=text, short_help=text)
    def command() -> None:
        from click import shell_completion  # noqa: PLC0415 - only when asked for

        from appliance.cli.app import mercure  # noqa: PLC0415 - it holds this command

        complete = getattr(shell_completion, class_name)
        click.echo(complete(mercure, {}, "mercure", "_MERCURE_COMPLETE").source())


_add("bash", "BashComplete", "Print it for bash (4.4 or newer).")
_add("zsh", "ZshComplete", "Print it for zsh.")
_add("fish", "FishComplete", "Print it for fish.")
