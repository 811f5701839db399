"""The page about the configuration is what the models say, and the models say what each key means."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import get_args

import pytest
from pydantic import BaseModel

from mercure.config import Config, ServicesFile
from mercure.config.notifications import CHANNELS
from mercure.config.secrets import SecretEnv, SecretFile
from mercure.model import notes_of
from mercure.targets import MODELS

GENERATOR = Path(__file__).resolve().parents[3] / "tools" / "configuration_page.py"
IN_THE_INTRODUCTION: set[type[BaseModel]] = {SecretFile, SecretEnv}


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    specification = importlib.util.spec_from_file_location("configuration_page", GENERATOR)
    assert specification is not None
    assert specification.loader is not None
    made = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(made)
    return made


def models_in(annotation: object) -> Iterator[type[BaseModel]]:
    """Yield the models that stand in an annotation, however deep."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from models_in(part)


def all_models() -> list[type[BaseModel]]:
    """Return every model of which the configuration is made: what targets and channels add, too."""
    found: dict[type[BaseModel], None] = {}
    left: list[type[BaseModel]] = [Config, ServicesFile, *MODELS.values(), *CHANNELS.values()]
    while left:
        model = left.pop()
        if model not in found:
            found[model] = None
            left += [inner for field in model.model_fields.values() for inner in models_in(field.annotation)]
    return list(found)


def test_the_page_is_current(generator: ModuleType) -> None:
    written = generator.PAGE.read_text(encoding="utf-8")
    assert written == generator.page(), "run `make docs`"
    for row in written.splitlines():
        assert "| anything |" not in row, row
        assert not row.startswith("| `") or not row.endswith("|  |"), row


def test_each_key_has_a_meaning() -> None:
    lacking = {model.__name__: model.model_fields.keys() - notes_of(model) for model in all_models()}
    without = [f"{name}.{key}" for name, keys in lacking.items() for key in keys]
    assert without == [], "write a docstring below each"


def test_each_model_is_on_the_page(generator: ModuleType) -> None:
    # A base such as TargetSettings is there as each of its kinds.
    shown = {ancestor for _, model in generator.TABLES for ancestor in model.__mro__}
    assert [model.__name__ for model in all_models() if model not in shown | IN_THE_INTRODUCTION] == []


def test_a_nested_model_says_what_its_key_means() -> None:
    assert notes_of(Config)["loops"] == "When images that come back are in a loop (``docs/reference/targets.md``)."
