"""The settings of the module: every choice that the standard leaves open."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from modules.common import ModuleError
from modules.deidentify.profile import OPTIONS

BurnedIn = Literal["warn", "refuse"]

_KEYS: Final = ("options", "key", "words", "private", "date_shift_days", "burned_in")
_KEY_FILE: Final = "deidentify.key"
_SHORTEST_KEY: Final = 16
_LONGEST_SHIFT: Final = 36500
_ONE_RUN: Final = "random"


@dataclass(frozen=True)
class Settings:
    """What the module is asked for.

    Parameters
    ----------
    options : frozenset of str
        Of the profile's options (`modules.deidentify.profile.OPTIONS`); none: the basic profile.
    key : bytes
        Makes new UIDs and pseudonyms out of the old ones; whoever has it can tell which belong together.
    words : frozenset of str
        In lower case; what ``descriptors`` and ``content`` leave in a text. All other words go.
    private : frozenset of tuple
        More private attributes that are known to be safe, for ``safe-private``: creator, group and element.
    date_shift_days : int or None
        For ``modified-dates``: days by which all dates move; None: drawn from the key for each patient.
    burned_in : str
        What is done with an image that may show an identity in its pixels: tell people (``warn``) or fail (``refuse``).
    """

    options: frozenset[str]
    key: bytes
    words: frozenset[str]
    private: frozenset[tuple[str, int, int]]
    date_shift_days: int | None
    burned_in: BurnedIn


def read_settings(given: Mapping[str, object]) -> Settings:
    """Check what ``task.json`` says.

    Raises
    ------
    ModuleError
        A setting is unknown, of the wrong kind, or contradicts another one.
    """
    unknown = sorted(set(given) - set(_KEYS))
    if unknown:
        raise ModuleError(f"unknown settings {unknown}; there are {list(_KEYS)}")
    options = frozenset(_texts(given, "options"))
    if not options <= OPTIONS.keys():
        raise ModuleError(f"unknown options {sorted(options - OPTIONS.keys())}; there are {sorted(OPTIONS)}")
    if {"full-dates", "modified-dates"} <= options:
        raise ModuleError("the options 'full-dates' and 'modified-dates' exclude each other")
    return Settings(
        options=options,
        key=_key(given.get("key")),
        words=frozenset(word.lower() for word in _texts(given, "words")),
        private=frozenset(_private(text) for text in _texts(given, "private")),
        date_shift_days=_shift(given.get("date_shift_days")),
        burned_in=_burned_in(given.get("burned_in", "warn")),
    )


def _texts(given: Mapping[str, object], name: str) -> list[str]:
    value = given.get(name, [])
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise ModuleError(f"the setting {name!r} is a list of texts")
    return value


def _key(given: object) -> bytes:
    """Return the key: given, or kept in the persistence folder, or (when asked for) good for this run alone."""
    if given == _ONE_RUN:
        return secrets.token_bytes(32)
    if isinstance(given, str) and len(given) >= _SHORTEST_KEY:
        return given.encode()
    if given is not None:
        raise ModuleError(f"the setting 'key' is a secret text of at least {_SHORTEST_KEY} characters, or {_ONE_RUN!r}")
    folder = os.environ.get("MODULE_PERSISTENCE_DIR")
    if not folder:
        raise ModuleError(
            "UIDs are replaced by means of a key, so that the images of a study stay together: give the module a"
            f" 'persistence' folder, or set 'key' to a secret (or to {_ONE_RUN!r}: each run by itself)"
        )
    return _kept_key(Path(folder) / _KEY_FILE)


def _kept_key(path: Path) -> bytes:
    made = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    made.write_bytes(secrets.token_bytes(32))
    made.chmod(0o600)
    with made.open("rb") as stream:
        os.fsync(stream.fileno())
    try:
        os.link(made, path)  # of two runs that begin at once, one key holds
    except FileExistsError:
        pass
    finally:
        made.unlink()
    key = path.read_bytes()
    if len(key) < _SHORTEST_KEY:
        raise ModuleError(f"the key in {path.name} is too short; remove the file, and a new one is made")
    return key


def _private(text: str) -> tuple[str, int, int]:
    creator, _, place = text.rpartition(":")
    group, _, element = place.partition(",")
    try:
        return creator, int(group, 16), int(element, 16)
    except ValueError as error:
        raise ModuleError(f"{text!r} in 'private' is not CREATOR:gggg,ee, such as 'ACME 1.1:0029,10'") from error


def _shift(value: object) -> int | None:
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < abs(value) <= _LONGEST_SHIFT:
        raise ModuleError(f"the setting 'date_shift_days' is a number of days other than 0, at most {_LONGEST_SHIFT}")
    return value


def _burned_in(value: object) -> BurnedIn:
    if value == "warn":
        return "warn"
    if value == "refuse":
        return "refuse"
    raise ModuleError("the setting 'burned_in' is 'warn' or 'refuse'")
