"""Problems of a configuration: each with its place and, where one can be guessed, a suggestion."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from pydantic import BaseModel, ValidationError

from mercure.config.history_tags import tag_problems
from mercure.config.models import Config, TargetSettings
from mercure.config.notifications import CHANNELS
from mercure.config.senders import overlapping
from mercure.model import ConfigProblem
from mercure.rules import RuleError, StudyList, check

_KIND_AT: Final = 3
"""Where the kind of a channel stands in ``notifications.channels.NAME.KIND``."""


FindInTemplate = Callable[[str], list[tuple[str, str]]]


class ConfigError(Exception):
    """A configuration cannot be used.

    Parameters
    ----------
    file : str
        Name of the file.
    problems : iterable of ConfigProblem
        All that is wrong with it, so that one look suffices.
    """

    def __init__(self, file: str, problems: Iterable[ConfigProblem]) -> None:
        self.file = file
        self.problems = tuple(problems)
        super().__init__(f"{file}: " + "; ".join(str(problem) for problem in self.problems))


def suggest(wrong: str, known: Iterable[str]) -> str:
    """Return "did you mean …?" for the nearest of the known words, or an empty text."""
    words = sorted(known)
    near = difflib.get_close_matches(wrong, words, n=1) or [word for word in words if wrong and word.startswith(wrong)]
    return f"did you mean {near[0]!r}?" if near else ""


KEY_MARK: Final = "[key]"
"""What pydantic puts behind the place of a key that is wrong itself. A key of that very name is a key."""


def from_validation(
    error: ValidationError, model: type[BaseModel], prefix: tuple[str, ...] = ()
) -> list[ConfigProblem]:
    """Turn pydantic's account into problems with places as people write them; `prefix` is where `model` stands."""
    problems = []
    for item in error.errors(include_url=False):
        loc = [str(part) for part in item["loc"]]
        text = item["msg"].removeprefix("Value error, ")
        advice = ""
        if item["type"] != "extra_forbidden" and loc[-1:] == [KEY_MARK]:
            loc.pop()
        if item["type"] == "extra_forbidden":
            text = "unknown key"
            advice = suggest(loc[-1], _keys_at(loc[:-1], model))
        problems.append(ConfigProblem(".".join((*prefix, *_as_written(loc))) or "file", text, advice))
    return problems


def _as_written(loc: list[str]) -> list[str]:
    """Leave out what pydantic puts into the place of a value within a channel: the channel's kind."""
    inside = loc[:2] == ["notifications", "channels"] and len(loc) > _KIND_AT and loc[_KIND_AT] in CHANNELS
    return loc[:_KIND_AT] + loc[_KIND_AT + 1 :] if inside else loc


def _keys_at(loc: list[str], model: type[BaseModel]) -> set[str]:
    """Collect the keys that may stand at a place below `model`."""
    for part in loc:
        if part in CHANNELS and loc[:2] == ["notifications", "channels"]:
            model = CHANNELS[part]
            continue
        field = model.model_fields.get(part)
        if field is None:  # a name in a table such as rules: the model of its values was found with the table
            continue
        candidates = [field.annotation, *getattr(field.annotation, "__args__", ())]
        model = next((item for item in candidates if isinstance(item, type) and issubclass(item, BaseModel)), model)
    return set(model.model_fields)


def targets_of(
    content: object, models: Mapping[str, type[TargetSettings]]
) -> tuple[dict[str, TargetSettings], list[ConfigProblem]]:
    """Read the table of targets, each by the model of its kind.

    It is done apart from `Config`, because a problem then keeps its place within the target.
    """
    targets: dict[str, TargetSettings] = {}
    problems = []
    for name, settings in content.items() if isinstance(content, dict) else ():
        kind = settings.get("kind") if isinstance(settings, dict) else None
        if not isinstance(kind, str) or kind not in models:
            text = f"kind {kind!r} is unknown" if kind else "a target needs a 'kind'"
            advice = suggest(str(kind), models) or f"there are {', '.join(sorted(models))}"
            problems.append(ConfigProblem(f"targets.{name}.kind", text, advice))
            continue
        try:
            targets[name] = models[kind].model_validate(settings)
        except ValidationError as error:
            problems += from_validation(error, models[kind], ("targets", str(name)))
    if not isinstance(content, dict):
        problems.append(ConfigProblem("targets", "not a table of names and settings"))
    return targets, problems


def unwritable(content: object) -> Iterator[ConfigProblem]:
    """Find what Python's reader of JSON takes and no writer of JSON should give: half characters, NaN and infinity.

    Where a value may be anything (the settings of a module) nothing else checks it, and writing it later,
    into a revision or for the module, would fail or change it.
    """
    left: list[tuple[str, object]] = [("", content)]
    while left:
        place, value = left.pop()
        if isinstance(value, Mapping):
            left += [(f"{place}.{key}".lstrip("."), each) for key, each in value.items()]
            left += [(f"{place}.{key}".lstrip("."), key) for key in value]
        elif isinstance(value, list | tuple):
            left += [(f"{place}.{number}", each) for number, each in enumerate(value)]
        elif isinstance(value, str) and any("\ud800" <= character <= "\udfff" for character in value):
            yield ConfigProblem(place, "holds half of a character (a lone surrogate)", "write the whole character")
        elif isinstance(value, float) and not math.isfinite(value):
            yield ConfigProblem(place, f"{value} is no number that JSON knows")


def cross_check(config: Config) -> list[ConfigProblem]:
    """Find what no single value shows: names of what is not there, conditions and lists that cannot be read."""
    problems = _groups(config.targets)
    for name, rule in config.rules.items():
        problems += _named(f"rules.{name}.targets", "target", rule.targets, config.targets)
        problems += _named(f"rules.{name}.modules", "module", rule.modules, config.modules)
        place = f"rules.{name}.rule"
        found = [finding for finding in check(rule.rule) if finding.severity == "error"]
        problems += [ConfigProblem(place, f"column {item.column}: {item.message}", item.advice) for item in found]
        if rule.study is not None and rule.study.series is not None:
            problems += _readable(f"rules.{name}.study.series", StudyList.parse, rule.study.series)
    problems += [ConfigProblem(*found) for found in tag_problems(config.history.tags, config.history.indexed_tags)]
    return problems + _senders(config) + _modules(config) + _channels(config)


def _senders(config: Config) -> list[ConfigProblem]:
    """Find senders that cannot be told apart, and a list that would let nobody in."""
    advice = "give each its own AE titles or addresses, or make one sender of both"
    problems = [
        ConfigProblem(f"senders.{other}", f"an AE title and address could be of {one!r} too", advice)
        for one, other in overlapping(config.senders)
    ]
    if config.receiver.access == "listed" and all(sender.disabled for sender in config.senders.values()):
        advice = "enter the senders in `senders` first; `mercure history senders` shows who has sent"
        problems.append(ConfigProblem("receiver.access", "'listed' without a sender would reject everybody", advice))
    return problems


def _modules(config: Config) -> list[ConfigProblem]:
    """Find targets of modules that are not there, and mounts that are not allowed.

    Where a link leads is looked at when a module is run: it may be made anew at any time.
    """
    problems = []
    allowed = config.processing.mounts_from
    for name, module in config.modules.items():
        problems += _named(f"modules.{name}.routes_to", "target", module.routes_to or (), config.targets)
        for number, mount in enumerate(module.mounts):
            if not any(mount.source.is_relative_to(folder) for folder in allowed):
                text = f"{mount.source} is in no folder that 'processing.mounts_from' allows"
                problems.append(
                    ConfigProblem(f"modules.{name}.mounts.{number}", text, "add its folder there, if that is meant")
                )
    return problems


def _channels(config: Config) -> list[ConfigProblem]:
    """Find channels that are not there."""
    channels = config.notifications.channels
    problems = _named("alerts.channels", "channel", config.alerts.channels, channels, where="the alerts")
    for key, alert in config.alerts.rules().items():
        problems += _named(f"alerts.{key}.channels", "channel", alert.channels or (), channels, where="the alert")
    for name, rule in config.rules.items():
        for occasion, names in rule.notifications:
            problems += _named(f"rules.{name}.notifications.{occasion}", "channel", names, channels)
    return problems


def template_problems(config: Config, find: FindInTemplate) -> list[ConfigProblem]:
    """Return what `find` says of the templates of a configuration.

    Parameters
    ----------
    config : Config
        A configuration that holds together.
    find : callable
        Returns what is wrong with one template, each with advice.
    """
    return [
        ConfigProblem(f"notifications.templates.{occasion}.{key}", *found)
        for occasion, wording in config.notifications.templates.items()
        for key, text in wording
        for found in find(text)
    ]


def _groups(targets: Mapping[str, TargetSettings]) -> list[ConfigProblem]:
    problems = []
    for name, settings in targets.items():
        place, members = f"targets.{name}.members", settings.leads_to()
        problems += _named(place, "target", members, targets, where="the group")
        # A group of groups would need a rule of its own for every setting: whose weights, whose order, whose outage.
        nested = [member for member in members if member in targets and targets[member].leads_to()]
        advice = "name its members here instead: there are no groups inside groups"
        problems += [ConfigProblem(place, f"{member!r} is a group itself", advice) for member in nested]
    return problems


def _named(
    place: str, kind: str, names: Iterable[str], known: Mapping[str, object], *, where: str = "the rule"
) -> list[ConfigProblem]:
    missing = [name for name in names if name not in known]
    return [
        ConfigProblem(
            place,
            f"there is no {kind} {name!r}",
            suggest(name, known) or f"add the {kind}, or remove it from {where}",
        )
        for name in missing
    ]


def _readable(place: str, parse: Callable[[str], object], text: str) -> list[ConfigProblem]:
    try:
        parse(text)
    except RuleError as error:
        return [ConfigProblem(place, f"column {error.column}: {error.message}", error.advice)]
    return []
