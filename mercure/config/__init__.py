"""Configuration: models, validation, atomic save, revisions."""

from mercure.config.files import Loaded, Revision, RevisionedFile, StaleRevisionError
from mercure.config.models import Config, Receiver, Retry, Services, TargetSettings
from mercure.config.problems import ConfigError, Problem
from mercure.config.processing import ModuleSettings, Processing
from mercure.config.rule import Rule
from mercure.config.senders import Sender
from mercure.config.store import ConfigStore, LiveConfig, Root

__all__ = [
    "Config",
    "ConfigError",
    "ConfigStore",
    "LiveConfig",
    "Loaded",
    "ModuleSettings",
    "Problem",
    "Processing",
    "Receiver",
    "Retry",
    "Revision",
    "RevisionedFile",
    "Root",
    "Rule",
    "Sender",
    "Services",
    "StaleRevisionError",
    "TargetSettings",
]
