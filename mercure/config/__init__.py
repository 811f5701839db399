"""Configuration: models, validation, atomic save, revisions."""

from mercure.config.files import Loaded, Revision, RevisionedFile, StaleRevisionError
from mercure.config.models import Config, Receiver, Retry, ServicesFile, TargetSettings
from mercure.config.problems import ConfigError
from mercure.config.processing import ModuleSettings, Processing
from mercure.config.rule import Rule
from mercure.config.senders import Sender
from mercure.config.store import ConfigStore, LiveConfig, Root
from mercure.model import ConfigProblem

__all__ = [
    "Config",
    "ConfigError",
    "ConfigProblem",
    "ConfigStore",
    "LiveConfig",
    "Loaded",
    "ModuleSettings",
    "Processing",
    "Receiver",
    "Retry",
    "Revision",
    "RevisionedFile",
    "Root",
    "Rule",
    "Sender",
    "ServicesFile",
    "StaleRevisionError",
    "TargetSettings",
]
