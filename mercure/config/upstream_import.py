"""Import of the ``mercure.json`` of an existing mercure installation (0.2 to 0.4).

What has an equivalent is converted; what has not is listed, by name, with the reason. Nothing is passed over in
silence.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from mercure.config.basics import NAME
from mercure.model import Record
from mercure.rules import RuleError, StudyList, check
from mercure.rules.compiler import every_part
from mercure.rules.helpers import HELPERS
from mercure.rules.keywords import canonical
from mercure.rules.likeness import is_written_variously
from mercure.rules.rule import compile_rule
from mercure.rules.terms import ComparisonTerm, ConditionalTerm, Operation, Quantifier, Term

Json = dict[str, Any]

_NOT_NEEDED: Final = "not needed here"
_CHANNEL: Final = "make a channel in `notifications.channels` (e-mail needs a mail server), and name it"
_METRICS: Final = "nothing is sent: a monitor fetches `/metrics` of the status page"

DROPPED: Final[Mapping[str, str]] = {
    **dict.fromkeys(
        [
            "incoming_folder",
            "studies_folder",
            "outgoing_folder",
            "success_folder",
            "error_folder",
            "discard_folder",
            "processing_folder",
        ],
        f"{_NOT_NEEDED}: all stages are in one spool (`spool`)",
    ),
    **dict.fromkeys(
        ["router_scan_interval", "dispatcher_scan_interval", "cleaner_scan_interval"],
        f"{_NOT_NEEDED}: services are woken when something changes",
    ),
    **dict.fromkeys(
        ["graphite_ip", "graphite_port", "influxdb_host", "influxdb_org", "influxdb_token", "influxdb_bucket"], _METRICS
    ),
    **dict.fromkeys(["bookkeeper", "bookkeeper_api_key"], f"{_NOT_NEEDED}: see `history` for its database"),
    "accept_compressed_images": f"{_NOT_NEEDED}: every transfer syntax is accepted and kept as it is",
    "emergency_clean_percentage": "set `retention.pressure_free_bytes`: a size, which touches only what is done",
    "process_runner": "each module names its runner",
    "processing_runtime": "each module names its runner",
    "processing_logs": "logs of modules are kept with their tasks",
    "support_root_modules": "modules never run as root",
    "features": _NOT_NEEDED,
    "email_notification_from": f"{_CHANNEL} in `alerts` and in rules; its `sender` is this address",
    "webhook_certificate_location": "it is the `ca_file` of a channel of kind `webhook`",
    "server_time": "the machine's times are UTC; the time zone of off-peak hours is `site.timezone`",
    "local_time": "the machine's times are UTC; the time zone of off-peak hours is `site.timezone`",
    "dicom_receiver": f"{_NOT_NEEDED}: every tag can be used in rules",
}
"""Settings without an equivalent, and why."""

_MODULE_DROPPED: Final = (
    "additional_volumes",
    "environment",
    "docker_arguments",
    "constraints",
    "resources",
    "requires_root",
)
_FORCE: Final = {"discard": "discard", "proceed": "proceed", "ignore": "wait"}
_ACTIONS: Final = {name: name for name in ("route", "process", "both", "discard")} | {"notification": "notify"}
_NO_KIND: Final = "there is no such kind of target yet"


class Remark(Record):
    """Something that was not taken over, or not as it was."""

    place: str
    reason: str


class Imported(Record):
    """A converted configuration, and what to look at by hand."""

    config: Json
    remarks: tuple[Remark, ...]


def import_mercure(content: Json) -> Imported:
    """Convert the configuration of another installation.

    Parameters
    ----------
    content : dict
        Its decoded ``mercure.json``; anything may stand in it.
    """
    return _Import(content).convert()


class _Import:
    """One conversion: what it reads from, and the remarks so far."""

    def __init__(self, content: Json) -> None:
        self._content = content
        self._remarks: list[Remark] = []
        self._names: dict[tuple[str, str], str] = {}

    def convert(self) -> Imported:
        config: Json = {"version": 1}
        self._settings(config)
        config["targets"] = self._table("targets", self._target)
        config["modules"] = self._table("modules", self._module)
        config["rules"] = self._table("rules", lambda name, rule: self._rule(name, rule, config))
        known = {*DROPPED, *_SETTINGS, "targets", "modules", "rules", "study_complete_trigger"}
        known |= {"study_forcecomplete_trigger", "retry_delay", "retry_max"}
        for key in self._content:
            if key in DROPPED:
                self._remark(key, DROPPED[key])
            elif key not in known:
                self._remark(key, "unknown to the import")
        return Imported(config=config, remarks=tuple(self._remarks))

    def _remark(self, place: str, reason: str) -> None:
        self._remarks.append(Remark(place=place, reason=reason))

    def _settings(self, config: Json) -> None:
        for key, places in _SETTINGS.items():
            value = self._content.get(key)
            if value in (None, ""):
                continue
            if key == "appliance_name":
                value = self._name("appliance_name", str(value))
            for place in places:
                table = config
                *path, last = place.split(".")
                for step in path:
                    table = table.setdefault(step, {})
                table[last] = value

    def _table(self, key: str, convert: Callable[[str, Json], Json | None]) -> Json:
        table = self._content.get(key) or {}
        converted: Json = {}
        for old, settings in table.items() if isinstance(table, dict) else ():
            if not isinstance(settings, dict):
                self._remark(f"{key}.{old}", "not an object")
                continue
            result = convert(old, settings)
            if result is not None:
                converted[self._name(key, old)] = {name: value for name, value in result.items() if value != ""}
        return converted

    def _name(self, key: str, old: str) -> str:
        """Return a name that is allowed here and that nothing else of its table has."""
        if (key, old) in self._names:
            return self._names[key, old]
        name = old if NAME.fullmatch(old) else re.sub(r"[^A-Za-z0-9_.-]", "_", old).lstrip("_.-")[:60] or "unnamed"
        taken = {new for (table, _), new in self._names.items() if table == key}
        number, free = 2, name
        while free in taken:
            free, number = f"{name}-{number}", number + 1
        if free != old:
            self._remark(f"{key}.{old}", f"is called {free!r} here")
        self._names[key, old] = free
        return free

    def _target(self, name: str, old: Json) -> Json | None:
        # The oldest installations knew one kind only and did not name it.
        kind = _text(old, "target_type") or ("dicom" if "aet_target" in old else "folder" if "folder" in old else "")
        convert = _TARGETS.get(kind)
        if convert is None:
            self._remark(f"targets.{name}", f"kind {kind!r}: {_NO_KIND}")
            return None
        return {**convert(old), "contact": _text(old, "contact"), "comment": _text(old, "comment"), **self._retry()}

    def _retry(self) -> Json:
        retry: Json = {}
        delay, most = self._content.get("retry_delay"), self._content.get("retry_max")
        if isinstance(delay, int) and delay > 0:
            retry |= {"first_seconds": min(delay, 900), "cap_seconds": delay}
        if isinstance(most, int) and most > 0:
            retry["max_refusals"] = most
        return {"retry": retry} if retry else {}

    def _module(self, name: str, old: Json) -> Json:
        for key in _MODULE_DROPPED:
            if old.get(key):
                self._remark(f"modules.{name}.{key}", "set it anew: modules run with less rights here")
        settings = old.get("settings")
        return {
            "runner": "podman",
            "image": _text(old, "docker_tag"),
            "contact": _text(old, "contact"),
            "comment": _text(old, "comment"),
            **({"settings": settings} if isinstance(settings, dict) and settings else {}),
        }

    def _rule(self, name: str, old: Json, config: Json) -> Json | None:
        place = f"rules.{name}"
        action = _ACTIONS.get(_text(old, "action") or "route")
        if action is None:
            self._remark(place, f"action {old.get('action')!r} is unknown")
            return None
        rule: Json = {"action": action, **self._condition(place, old)}
        if action in ("route", "both", "process"):
            rule["targets"] = self._named(place, "targets", old.get("target"), config)
        if action in ("process", "both"):
            rule["modules"] = self._named(place, "modules", old.get("processing_module"), config)
            rule |= self._module_settings(place, old, rule["modules"])
        lacking = [
            key
            for key, actions in (("targets", ("route", "both")), ("modules", ("process", "both")))
            if action in actions and not rule.get(key)
        ]
        if lacking:
            self._remark(place, f"not taken over: none of its {' and '.join(lacking)} could be")
            return None
        if action not in ("discard", "notify") and old.get("action_trigger") == "study":
            rule |= self._study(place, old)
        for key in sorted(key for key, value in old.items() if key.startswith("notification_") and value):
            self._remark(f"{place}.{key}", f"{_CHANNEL} in `notifications` of the rule")
        tags = [word.strip() for word in _text(old, "tags").split(",") if word.strip()]
        rule |= {"tags": tags} if tags else {}
        rule |= {key: True for key in ("fallback", "disabled") if old.get(key) is True or rule.get(key)}
        priority = _text(old, "priority")
        return {**rule, "priority": priority or "normal", "contact": _text(old, "contact")}

    def _condition(self, place: str, old: Json) -> Json:
        text = _text(old, "rule") or "False"
        errors = [finding for finding in check(text) if finding.severity == "error"]
        if not errors:
            if reasons := laxer(text):
                self._remark(f"{place}.rule", f"may fire where it did not: {'; '.join(reasons)}")
            return {"rule": text, "comment": _text(old, "comment")}
        self._remark(place, f"switched off, because its condition cannot be used: {errors[0]} - it was: {text}")
        return {"rule": "False", "disabled": True, "comment": f"{_text(old, 'comment')} condition was: {text}".strip()}

    def _named(self, place: str, key: str, value: object, config: Json) -> list[str]:
        """Return the names under which what a rule names was taken over."""
        found = []
        for old in dict.fromkeys(_names(value)):
            new = self._names.get((key, old))
            if new is None or new not in config[key]:
                self._remark(f"{place}.{key}", f"{old!r} was not taken over")
            else:
                found.append(new)
        return found

    def _module_settings(self, place: str, old: Json, modules: list[str]) -> Json:
        """Return the settings for all modules, or of a list those for each of the modules that were taken over."""
        settings = old.get("processing_settings")
        if isinstance(settings, dict) and settings:
            return {"module_settings": settings}
        if not isinstance(settings, list) or not any(settings):
            return {}
        names = _names(old.get("processing_module"))
        fits = len(settings) <= len(names) == len(set(names))
        if not fits or not all(isinstance(each, dict | None) for each in settings):
            self._remark(f"{place}.processing_settings", "does not fit its modules: set `step_settings` of the rule")
            return {}
        by_module = dict(zip((self._names.get(("modules", name)) for name in names), settings, strict=False))
        return {"step_settings": [by_module.get(module) or {} for module in modules]}

    def _study(self, place: str, old: Json) -> Json:
        study: Json = {}
        for key, name in (
            ("study_complete_trigger", "quiet_seconds"),
            ("study_forcecomplete_trigger", "force_after_seconds"),
        ):
            if isinstance(self._content.get(key), int):
                study[name] = self._content[key]
        if old.get("study_trigger_condition") == "received_series":
            wanted = _text(old, "study_trigger_series")
            try:
                StudyList.parse(wanted)
                study["series"] = wanted
            except RuleError as error:
                self._remark(f"{place}.study_trigger_series", f"cannot be read, so the quiet time decides: {error}")
        force = _text(old, "study_force_completion_action")
        if force:
            study["force_action"] = _FORCE.get(force, "proceed")
        return {"trigger": "study", "study": study}


def _names(value: object) -> list[str]:
    """Return what is named: one name, or those of a list."""
    names = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    return [name for name in names if isinstance(name, str) and name]


def _text(settings: Json, key: str) -> str:
    value = settings.get(key)
    return str(value).strip() if isinstance(value, str | int | float) and not isinstance(value, bool) else ""


def _dicom(old: Json) -> Json:
    port = _text(old, "port")
    return {
        "kind": "dicom",
        "host": _text(old, "ip"),
        "port": int(port) if port.isdecimal() else port,
        "called_aet": _text(old, "aet_target"),
        "calling_aet": _text(old, "aet_source"),
    }


def _folder(old: Json) -> Json:
    return {"kind": "folder", "path": _text(old, "folder")}


_TARGETS: Final[Mapping[str, Callable[[Json], Json]]] = {"dicom": _dicom, "folder": _folder}

_SETTINGS: Final[Mapping[str, Iterable[str]]] = {
    "appliance_name": ("name",),
    "port": ("receiver.port",),
    # Before, only the quiet time counted: a sender that opens an association for each image relies on it.
    "series_complete_trigger": ("completion.quiet_seconds", "completion.after_release_seconds"),
    "retention": ("retention.success_seconds", "retention.discard_seconds"),
    "offpeak_start": ("off_peak.start",),
    "offpeak_end": ("off_peak.end",),
}
"""Settings with an equivalent, and where it is."""


_EXACT: Final = re.compile(r"""tags\[\s*["'](\w{1,64})["']\s*\]|@(\w{1,64})@""")
# Facts of another installation, from its public evaluator (0.4): values are compared character by character; a tag that
# was not extracted, a conditional expression, and a function that it does not know are errors, and a rule with an error
# does not fire; keywords in brackets and between "@" are exact (docs/decisions/0021).
_COMPARED: Final = frozenset({"==", "!=", "<", "<=", ">", ">=", "in", "not in"})


def laxer(text: str) -> tuple[str, ...]:
    """Return why a rule may fire here where it did not in another installation; nothing for one that cannot be used."""
    try:
        rule = compile_rule(text)
    except RuleError:
        return ()
    parts = list(every_part(rule.term))
    return tuple(dict.fromkeys([*_by_spelling(text), *(reason for part in parts for reason in _of_part(part))]))


def _by_spelling(text: str) -> Iterator[str]:
    for match in _EXACT.finditer(text):
        written = match[1] or match[2]
        keyword = canonical(written)
        if keyword is not None and keyword != written:
            yield f"{written} was no tag there, and is {keyword} here"


def _of_part(term: Term) -> Iterator[str]:
    if isinstance(term, ConditionalTerm):
        yield "a conditional expression was an error there"
    elif isinstance(term, Quantifier):
        yield f"{term.word}(…) over images or items was an error there"
    elif isinstance(term, ComparisonTerm):
        for number, comparator in enumerate(term.comparators):
            if comparator in _COMPARED and is_written_variously(*term.operands[number : number + 2]):
                yield "dates, times, ages, numbers and names are compared by what they mean here, and as texts there"
    elif isinstance(term, Operation) and term.function.name in HELPERS:
        yield f"{term.function.name}(…) was an error there"
    elif isinstance(term, Operation) and term.function.name == "float":
        yield "float(…) reads a decimal comma here"
