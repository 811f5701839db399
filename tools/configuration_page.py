"""Write ``docs/reference/configuration.md`` from the models: ``make docs``. A test fails when the page is behind."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from datetime import time
from pathlib import Path, PurePosixPath
from types import NoneType, UnionType
from typing import Annotated, Final, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from mercure.config import alerts, audit, models, notifications
from mercure.config.completion import CompletionTimes, ExpectedCount, StudyCompletion
from mercure.config.processing import ModuleSettings, Mount, Podman, Processing, Slurm
from mercure.config.rule import Rule
from mercure.config.senders import Sender
from mercure.config.tls import TargetTls
from mercure.model import notes_of
from mercure.targets import MODELS

PAGE: Final = Path(__file__).resolve().parents[1] / "docs" / "reference" / "configuration.md"

INTRODUCTION: Final = """# Configuration

Two JSON files in `config/`. `mercure.json` says what the router does, `services.json` how many processes each service
has. Each save is checked whole, atomic, and kept as a numbered revision in `config/revisions/`; a file edited by hand
is taken up as well. Services follow a new revision without a restart (a new `spool` needs one). When a file cannot be
used, the services keep the last good state and say so; `mercure config validate` names every problem with its place
and a suggestion.

An unknown key is an error. Times are in seconds, sizes in bytes. Names (of rules, targets, modules) have 1 to 64
letters, digits, `-`, `_` or `.`. A secret is `{"file": "/path"}` or `{"env": "NAME"}`.

This page is made from the models by `make docs`.
"""

TABLES: Final[tuple[tuple[str, type[BaseModel]], ...]] = (
    ("mercure.json", models.Config),
    ("site", models.SiteSettings),
    ("receiver", models.Receiver),
    ("senders.NAME", Sender),
    ("completion", models.Completion),
    ("senders.NAME.completion, completion.senders.AE_TITLE_OR_NAME", CompletionTimes),
    ("expected_images, expected_series", ExpectedCount),
    ("rules.NAME", Rule),
    ("rules.NAME.notifications", notifications.RuleNotifications),
    ("rules.NAME.study", StudyCompletion),
    *((f"targets.NAME, kind {kind}", model) for kind, model in MODELS.items()),
    ("targets.NAME.retry", models.Retry),
    ("targets.NAME.tls", TargetTls),
    ("modules.NAME", ModuleSettings),
    ("modules.NAME.mounts", Mount),
    ("processing", Processing),
    ("processing.slurm", Slurm),
    ("processing.podman", Podman),
    ("retention", models.Retention),
    ("scrub", models.ScrubSettings),
    ("nightly_verify", models.NightlyVerifySettings),
    ("loops", models.Loops),
    ("rehearsal", models.DryRunSettings),
    ("off_peak", models.OffPeak),
    ("history", models.HistorySettings),
    ("audit", audit.AuditSettings),
    ("audit.repository", audit.AuditRepository),
    ("status_page", models.StatusPage),
    ("alerts", alerts.AlertSettings),
    *((f"alerts.{name}", type(rule)) for name, rule in alerts.AlertSettings().rules().items()),
    ("senders.NAME.silence, alerts.silence.senders.AE_TITLE", alerts.SenderSilence),
    ("notifications", notifications.NotificationSettings),
    *((f"notifications.channels.NAME, kind {kind}", model) for kind, model in notifications.CHANNELS.items()),
    ("notifications.templates.OCCASION", notifications.Wording),
    ("services.json", models.ServicesFile),
    ("services.json: router, processor, dispatcher", models.ServiceSettings),
    ("services.json: every other service", models.Single),
)


def page() -> str:
    """Return the whole page."""
    return INTRODUCTION + "".join(_section(title, model) for title, model in TABLES)


def _section(title: str, model: type[BaseModel]) -> str:
    notes = notes_of(model)
    rows = [_row(name, field, _note(notes.get(name, ""))) for name, field in model.model_fields.items()]
    about = inspect.cleandoc(model.__doc__ or "").replace("``", "`")
    head = "| key | value | default | |\n| --- | --- | --- | --- |\n"
    return f"\n## `{title}`\n\n{about}\n\n{head}" + "\n".join(rows) + "\n"


def _note(text: str) -> str:
    return text.replace("``", "`").replace("|", "\\|")


def _row(name: str, field: FieldInfo, note: str) -> str:
    return f"| `{name}` | {_type(field)} | {_default(field)} | {note} |"


def _type(field: FieldInfo) -> str:
    limits = ", ".join(filter(None, (_limit(item) for item in field.metadata)))
    return f"{_words(field.annotation)}{', ' if limits else ''}{limits}"


def _words(annotation: object) -> str:
    """Say what may stand there, in JSON's words."""
    describe = _DESCRIBED.get(get_origin(annotation))
    if describe is not None:
        return describe(get_args(annotation))
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "object"
    return _WORDS.get(annotation, "anything")


def _either(parts: tuple[object, ...]) -> str:
    return " or ".join(_words(part) for part in parts if part is not NoneType)


_DESCRIBED: Final[dict[object, Callable[[tuple[object, ...]], str]]] = {
    Annotated: lambda parts: _words(parts[0]),
    Literal: lambda parts: " or ".join(f"`{value}`" for value in parts),
    Union: _either,
    UnionType: _either,
    tuple: lambda parts: f"list of: {_words(parts[0])}",
    dict: lambda parts: f"by name: {_words(parts[1])}",
}

_WORDS: Final[dict[object, str]] = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "`true` or `false`",
    Path: "path",
    PurePosixPath: "path",
    time: "time of day",
}


def _limit(item: object) -> str:
    """Say what a constraint of pydantic's allows; empty for a validator, whose message says it when it matters."""
    signs = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
    found = [(words, getattr(item, name, None)) for name, words in signs.items()]
    return ", ".join(f"{words} {value}" for words, value in found if value is not None)


def _default(field: FieldInfo) -> str:
    if field.default is PydanticUndefined:
        return "required"
    if isinstance(field.default, BaseModel):
        return "see below"
    value = field.default
    return "" if value in ("", (), {}, None) else f"`{str(value).lower() if isinstance(value, bool) else value}`"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    sys.stderr.write(f"{PAGE.name} is written\n")
