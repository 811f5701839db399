"""Configuration store of one root: where its files are, and the state that services work by."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mercure.config.files import Loaded, RevisionedFile
from mercure.config.loops import loop_problems
from mercure.config.models import Config, ServicesFile, TargetSettings
from mercure.config.problems import (
    ConfigError,
    FindInTemplate,
    cross_check,
    from_validation,
    targets_of,
    template_problems,
    unwritable,
)

_log = logging.getLogger(__name__)
TargetModels = Mapping[str, type[TargetSettings]]


@dataclass(frozen=True)
class Checks:
    """What a configuration is checked with that stands above it.

    Parameters
    ----------
    template_problems : callable, optional
        Returns what is wrong with a template of a message, each with advice.
    spool_in_force : callable, optional
        Returns where the spool is, given the root and where the configuration says that it is.
    """

    template_problems: FindInTemplate = lambda text: []
    spool_in_force: Callable[[Path, Path], Path] = lambda root, named: named


@dataclass(frozen=True)
class Root:
    """``MERCURE_ROOT``: the folder of one router."""

    path: Path

    @property
    def config(self) -> Path:
        """The folder of the configuration files."""
        return self.path / "config"

    @property
    def run(self) -> Path:
        """Sockets and generated files of the running router."""
        return self.path / "run"

    @property
    def log(self) -> Path:
        """Log files."""
        return self.path / "log"

    @property
    def keys(self) -> Path:
        """The folder of the key with which this router signs; in backups, and in nothing else that leaves the box.

        It is below the configuration because releases from before it restore a backup with it, too.
        """
        return self.config / "keys"

    @property
    def tls(self) -> Path:
        """The folder of keys and certificates for TLS; in no backup."""
        return self.path / "tls"

    def named_spool(self, config: Config) -> Path:
        """Return where a configuration says that the spool is."""
        return config.spool or self.path / "spool"

    def history_url(self, config: Config) -> str:
        """Return the URL of the history that a configuration names."""
        return config.history.url or f"sqlite:///{self.path / 'history.db'}"


class ConfigStore:
    """Reads and saves the two configuration files of a root.

    Parameters
    ----------
    target_models : mapping of str to type
        The settings model of each kind of target (`mercure.targets.MODELS`); passed in because targets stand above the
        configuration and not beneath it.
    checks : Checks, optional
        Passed in for the same reason.
    """

    def __init__(self, root: Root, target_models: TargetModels, checks: Checks | None = None) -> None:
        self.root = root
        self._target_models = target_models
        self._checks = checks or Checks()
        self.mercure = RevisionedFile(root.config / "mercure.json", self.parse)
        self.services = RevisionedFile(root.config / "services.json", self.parse_services)

    def parse(self, content: dict[str, Any]) -> Config:
        """Turn decoded JSON into a configuration that holds together.

        Raises
        ------
        ConfigError
            With every problem found.
        """
        targets, problems = targets_of(content.get("targets", {}), self._target_models)
        problems += unwritable(content)
        reported = {problem.place for problem in problems}
        try:
            config = Config.model_validate({**content, "targets": targets})
        except ValidationError as error:
            problems += [problem for problem in from_validation(error, Config) if problem.place not in reported]
        else:
            if not problems:
                problems = cross_check(config) + template_problems(config, self._checks.template_problems)
            problems += [] if problems else loop_problems(config, self.root.path, self._spool_in_force(config))
            if not problems:
                return config
        raise ConfigError("mercure.json", problems)

    def _spool_in_force(self, config: Config) -> Path:
        return self._checks.spool_in_force(self.root.path, self.root.named_spool(config))

    def parse_services(self, content: dict[str, Any]) -> ServicesFile:
        """Turn decoded JSON into the settings of the services.

        Raises
        ------
        ConfigError
            With every problem found.
        """
        try:
            return ServicesFile.model_validate(content)
        except ValidationError as error:
            raise ConfigError("services.json", from_validation(error, ServicesFile)) from error


class LiveConfig:
    """The configuration that a service works by: it follows the file, and keeps the last good state.

    Parameters
    ----------
    store : ConfigStore
        Whose file is followed.
    on_loaded : callable
        Called with each state taken up.
    on_rejected : callable
        Called once for each rejected state of the file: why, and which revision goes on (None: none).
    """

    def __init__(
        self,
        store: ConfigStore,
        on_loaded: Callable[[Loaded[Config]], None],
        on_rejected: Callable[[ConfigError, int | None], None],
    ) -> None:
        self._store = store
        self._on_loaded = on_loaded
        self._on_rejected = on_rejected
        self._signature: tuple[int, ...] | None = None
        self._refused = False
        self.loaded: Loaded[Config] | None = None

    @property
    def config(self) -> Config:
        """The state in force.

        Raises
        ------
        ConfigError
            There never was a usable one.
        """
        if self.loaded is None:
            return self._store.mercure.load().value
        return self.loaded.value

    def refresh(self) -> bool:
        """Look at the file; tell whether a new state is in force. Costs one ``stat`` when nothing has changed."""
        signature = self._store.mercure.signature()
        if signature == self._signature:
            return False
        self._signature = signature
        try:
            loaded = self._store.mercure.load()
        except ConfigError as error:
            self._refused = True
            taken = self.loaded is None and self._fall_back()
            self._on_rejected(error, self.loaded.revision if self.loaded else None)
            return taken
        # After a state that was refused the one before it is news too: who heard of the refusal must hear of its end.
        changed = self._refused or self.loaded is None or loaded.value != self.loaded.value
        self.loaded, self._refused = loaded, False
        if changed:
            self._on_loaded(loaded)
        return changed

    def _fall_back(self) -> bool:
        self.loaded = self._store.mercure.last_good()
        if self.loaded is not None:
            self._on_loaded(self.loaded)
        return self.loaded is not None
