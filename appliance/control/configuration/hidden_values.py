"""Hidden values: what of a configuration nobody is shown, and how it is kept where a person saves it as it is shown.

A value is hidden by the name under which it stands, because a module's entry marks that name (`hidden`), or because it
has the form of a secret: a login in an address, the address of a webhook, a private key. Everything that shows settings
asks `HiddenValues.shown`; everything that takes them from people goes through `HiddenValues.restored`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from pydantic import BaseModel

from mercure.config import Config

M = TypeVar("M", bound=BaseModel)

HIDDEN: Final = "(hidden)"
"""Stands for what is not shown."""

Place = tuple[str, ...]

_FREE: Final = frozenset({"environment", "settings", "module_settings", "step_settings", "arguments"})
"""Settings in which the names are chosen by others than this program: what they may mean is guessed more widely."""

_WHERE: Final = ({"file"}, {"env"})
"""A secret that is in a file or variable: where it is, is no secret."""

_PARTS: Final = re.compile(
    r"passw|passphrase|passcode|kennwort|secret(?!ar)|token(?!iz)|credential|bearer|authoriz|"
    r"(api|access|private|client|account|master|encryption|signing|shared)[_-]?key|webhook[_-]?ur[il]",
    re.IGNORECASE,
)
"""What makes a name that of a secret, wherever it stands in it (``PGPASSWORD``)."""

_LAST: Final = frozenset(
    {"pass", "pwd", "pw", "pin", "key", "auth", "cred", "creds", "cookie", "jwt", "pat", "psk", "otp", "salt", "sas",
     "sig", "signature", "webhook"}
)  # fmt: skip
"""The same, as its last word: ``DB_PASS``, ``licenseKey``."""

_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_PLACE_OF: Final = frozenset({"file", "path", "dir", "folder"})
"""The last word of a name that tells where a secret is: ``TOKEN_FILE``."""

_NO_SECRETS: Final = frozenset({"PWD", "OLDPWD"})
"""Variables of every shell: the folder that it is in."""

_HOOK: Final = re.compile(r"(^|[./])(web)?hooks?([./]|$)", re.IGNORECASE)
_KEY_BLOCK: Final = "PRIVATE KEY-----"
_KNOWN_FORM: Final = re.compile(
    r"(?<![A-Za-z0-9])(gh[opusr]_|github_pat_|glpat-|xox[abeprs]-|sk-|AKIA|ASIA|eyJ)[A-Za-z0-9._-]{12,}"
)
"""Secrets that tell by their beginning what they are: of GitHub, GitLab, Slack, AWS; JWT."""

_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://)(\S*)")
_LOGIN: Final = re.compile(r"(?<![^\s=,;\"'])([^\s:/@=,;\"']*):([^\s@]+)@(?=[\w\[])")
"""A login before a host without a scheme, as proxies are written: ``name:password@proxy:3128``."""

_SENT: Final = re.compile(r"\b(Bearer|Basic)(\s+)(?=\S*[0-9=]|\S{16})[A-Za-z0-9._~+/=-]{6,}", re.IGNORECASE)
_PAIR: Final = re.compile(
    r"(?P<name>[\w.-]+)(?P<between>[\"']?\s*[=:]\s*)(?P<value>\"[^\"]*\"|'[^']*'|[^\s;&\"']+)"
    r"|(?P<option>--?[\w-]+)(?P<gap>\s+)(?P<next>[^\s-]\S*)"
)
"""A name and its value within a text: ``password=…``, ``"password": "…"``, ``--password …``."""

_GROUPS: Final = (("name", "option"), ("between", "gap"), ("value", "next"))
_OPTION: Final = re.compile(r"--?[\w-]+")


@dataclass(frozen=True)
class HiddenValues:
    """What is hidden in configurations that have these marks.

    Parameters
    ----------
    marks : frozenset of str
        Names of variables and settings that modules hide.
    """

    marks: frozenset[str] = frozenset()

    @classmethod
    def of(cls, *contents: Mapping[str, Any]) -> HiddenValues:
        """Return what is hidden in some configurations: what one of them marks, in all."""
        modules = [content.get("modules") for content in contents]
        entries = [entry for table in modules if isinstance(table, Mapping) for entry in table.values()]
        marked = [entry.get("hidden", ()) for entry in entries if isinstance(entry, Mapping)]
        return cls(frozenset(name for names in marked if isinstance(names, list | tuple) for name in map(str, names)))

    def shown(self, place: Place, value: Any) -> Any:  # noqa: ANN401 - any JSON
        """Return a value that stands at a place as it may be shown."""
        if isinstance(value, Mapping):
            if self._is_secret(place) and set(value) in _WHERE:
                return value
            return {key: self.shown((*place, key), inner) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self._item(place, value, number) for number in range(len(value))]
        if value is None or isinstance(value, bool) or value == "":
            return value
        if self._is_secret(place) and not _is_place(place, value):
            return HIDDEN
        return self._text(place, value) if isinstance(value, str) else value

    def _item(self, place: Place, values: Collection[Any], number: int) -> Any:  # noqa: ANN401 - any JSON
        """Return an item of a list; the word after an option such as ``--password`` is its value."""
        items = list(values)
        before = items[number - 1] if number else None
        if _is_free(place) and isinstance(before, str) and _OPTION.fullmatch(before) and self._is_named(before):
            return HIDDEN
        return self.shown(place, items[number])

    def restored(self, place: Place, value: Any, known: Any) -> Any:  # noqa: ANN401 - any JSON
        """Return a value with what a person has left hidden put back.

        Parameters
        ----------
        place : tuple of str
            Where it stands.
        value : object
            As a person saves it.
        known : object
            What stands there now.
        """
        if isinstance(value, Mapping):
            old = known if isinstance(known, Mapping) else {}
            return {key: self.restored((*place, key), inner, old.get(key)) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return self._restored_list(place, list(value), list(known) if isinstance(known, list | tuple) else [])
        is_left = isinstance(value, str) and HIDDEN in value and known is not None
        return known if is_left and self.shown(place, known) == value else value

    def _restored_list(self, place: Place, values: list[Any], known: list[Any]) -> list[Any]:
        """Put back what is hidden in a list; where it became longer or shorter, only what can be told apart."""
        shown = self.shown(place, known)
        if len(values) == len(known):
            pairs = zip(values, known, shown, strict=True)
            return [old if new == seen else self.restored(place, new, old) for new, old, seen in pairs]
        return [
            known[shown.index(new)] if shown.count(new) == values.count(new) == 1 else new for new in values
        ]  # fmt: skip

    def left(self, place: Place, value: Any) -> Iterator[str]:  # noqa: ANN401 - any JSON
        """Yield the places at which something is hidden of which nothing is known: it cannot be saved."""
        if isinstance(value, Mapping):
            for key, inner in value.items():
                yield from self.left((*place, key), inner)
        elif isinstance(value, list | tuple):
            for inner in value:
                yield from self.left(place, inner)
        elif isinstance(value, str) and HIDDEN in value and self._may_be_hidden(place, value):
            yield ".".join(place)

    def _may_be_hidden(self, place: Place, text: str) -> bool:
        return _is_free(place) or "://" in text or self._is_secret(place)

    def shown_settings(self, model: M) -> M:
        """Return a rule or a task with what it tells modules as it may be shown."""
        told = {name: getattr(model, name) for name in ("module_settings", "step_settings")}
        return model.model_copy(update={name: type(value)(self.shown((name,), value)) for name, value in told.items()})

    def _is_secret(self, place: Place) -> bool:
        """Tell whether a place is that of a secret, by its names."""
        if not place:
            return False
        begin = next((number for number, part in enumerate(place) if part in _FREE), len(place))
        if begin < len(place):
            return any(self._is_named(part) for part in place[begin + 1 :])
        return _PARTS.search(place[-1]) is not None

    def _is_named(self, name: str) -> bool:
        """Tell whether a name that others chose is that of a secret."""
        if name in self.marks or any(part in self.marks for part in name.split(".")):
            return True
        is_secret = _PARTS.search(name) is not None or _last_word(name) in _LAST
        return is_secret and name not in _NO_SECRETS

    def _text(self, place: Place, text: str) -> str:
        """Return a text without the secrets in it."""
        if place[:2] == ("notifications", "channels") and place[-1] == "url":
            return webhook_address(text)
        if _KEY_BLOCK in text:
            return HIDDEN
        shown = _SCHEME.sub(lambda found: self._address(found[1], found[2]), text)
        if not _is_free(place):
            return shown
        shown = _KNOWN_FORM.sub(HIDDEN, _SENT.sub(rf"\1\2{HIDDEN}", shown))
        if "://" not in shown:
            shown = _LOGIN.sub(rf"\1:{HIDDEN}@", shown)
        return self._pairs(shown)

    def _pairs(self, text: str) -> str:
        def one(found: re.Match[str]) -> str:
            name, between, value = (found[it] or found[other] for it, other in _GROUPS)
            return found[0] if HIDDEN in value or not self._is_named(name) else f"{name}{between}{HIDDEN}"

        return _PAIR.sub(one, text)

    def _address(self, scheme: str, rest: str) -> str:
        """Return an address without the password of its login, and without secrets in its query."""
        if _HOOK.search(rest):
            return webhook_address(scheme + rest)
        end = _end_of_login(rest)
        login, (path, mark, query) = rest[:end], rest[end:].partition("?")
        if login:
            user, colon, _ = login[:-1].partition(":")
            # A name alone is a token where HTTP is spoken, and the name of a user elsewhere.
            login = f"{user}:{HIDDEN}@" if colon else f"{HIDDEN}@" if scheme.lower().startswith("http") else login
        return scheme + login + path + mark + "&".join(self._parameter(item) for item in query.split("&"))

    def _parameter(self, item: str) -> str:
        name, equals, value = item.partition("=")
        return f"{name}={HIDDEN}" if equals and value and self._is_named(name) else item


def hidden_values(config: Config) -> HiddenValues:
    """Return what is hidden in a configuration in force."""
    return HiddenValues(frozenset(name for module in config.modules.values() for name in module.hidden))


def webhook_address(url: str) -> str:
    """Return the address of a webhook as it may be shown: who knows all of it can use it, so its host is all."""
    found = re.match(r"([A-Za-z][A-Za-z0-9+.-]*://)(?:[^/?#]*@)?([^/?#]*)(.*)", url, re.DOTALL)
    if found is None:
        return url
    return f"{found[1]}{found[2]}" + (f"/{HIDDEN}" if found[3].strip("/") else found[3])


def _end_of_login(rest: str) -> int:
    """Return where the login in an address ends, behind its ``@``; 0: it has none. A password may hold anything."""
    host = re.split("[/?#]", rest, maxsplit=1)[0]
    if "@" in host:
        before, _, query = rest.partition("?")
        if ":" not in host.partition("@")[0]:
            return host.rindex("@") + 1
        return (rest if "@" in query and "=" not in query.rpartition("@")[0] else before).rindex("@") + 1
    _, colon, port = host.partition(":")
    return rest.rfind("@") + 1 if colon and not port.isdecimal() else 0


def _is_free(place: Place) -> bool:
    return not _FREE.isdisjoint(place)


def _is_place(place: Place, value: object) -> bool:
    """Tell whether a value says where a secret is, and its name says so, too."""
    return isinstance(value, str) and value.startswith("/") and _last_word(place[-1]) in _PLACE_OF


def _last_word(name: str) -> str:
    words = _WORD.findall(name)
    return words[-1].lower() if words else ""
