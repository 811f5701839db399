"""``tools/house_figures.py``: what it counts, and that a figure may fall but not grow."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

TOOL = Path(__file__).resolve().parents[2] / "tools" / "house_figures.py"


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    specification = importlib.util.spec_from_file_location("house_figures", TOOL)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[specification.name] = module  # dataclasses look their module up
    specification.loader.exec_module(module)
    return module


def test_gerunds(tool: ModuleType) -> None:
    sources = dict.fromkeys(
        (
            "mercure/routing/__init__.py",
            "mercure/made_up/deciding.py",
            "mercure/saying/__init__.py",
            "mercure/config/processing.py",
            "appliance/made_up/test_gathering.py",
            "tui/spring_clean.py",
        ),
        "",
    )
    assert tool.figures(sources).gerund_modules == (
        "appliance/made_up/test_gathering.py",
        "mercure/made_up/deciding.py",
        "mercure/saying/__init__.py",
    )


def test_small_modules_with_one_importer(tool: ModuleType) -> None:
    sources = {
        "mercure/__init__.py": "",
        "mercure/once.py": "one = 1\n",
        "mercure/twice.py": "two = 2\n",
        "mercure/never.py": "",
        "mercure/long.py": "\n" * (tool.SMALL + 1),
        "mercure/user.py": "from mercure import long, once\nfrom mercure.twice import two\n",
        "mercure/late.py": "def late():\n    import mercure.twice\n",
    }
    assert tool.figures(sources).small_single_use_modules == ("mercure/once.py (1 lines, used by mercure.user)",)


def test_who_imports_through_a_package(tool: ModuleType) -> None:
    sources = {
        "mercure/spool/__init__.py": "from mercure.spool.link import link\nfrom .move import move\n",
        "mercure/spool/link.py": "def link(): ...\n",
        "mercure/spool/move.py": "def move(): ...\n",
        "mercure/targets/__init__.py": "from .folder import Folder\nKINDS = {'folder': Folder}\n",
        "mercure/targets/folder.py": "class Folder: ...\n",
        "mercure/router.py": "from mercure.spool import link, move\nfrom mercure.targets import KINDS\n",
        "mercure/sender.py": "from mercure.spool import link\n",
    }
    assert tool.figures(sources).small_single_use_modules == (
        "mercure/spool/move.py (1 lines, used by mercure.router)",
        "mercure/targets/folder.py (1 lines, used by mercure.targets)",
    )


def test_class_names_used_twice(tool: ModuleType) -> None:
    sources = {
        "mercure/one.py": "class Queue: ...\nclass _Own: ...\nclass Line:\n    class Kind: ...\n",
        "tui/two.py": "class Queue: ...\nclass _Own: ...\nclass Kind: ...\n",
    }
    assert tool.figures(sources).repeated_class_names == ("Queue: mercure/one.py, tui/two.py",)
    assert tool.figures(sources).lines == 7


def test_a_figure_may_fall_but_not_grow(tool: ModuleType) -> None:
    text = "[tool.house]\ngerund_modules = 3\nsmall_single_use_modules = 20\nrepeated_class_names = 9\n"
    baseline = {"gerund_modules": 3, "small_single_use_modules": 20, "repeated_class_names": 9}
    assert tool.grown(baseline, baseline) == []
    counts = {"gerund_modules": 2, "small_single_use_modules": 21, "repeated_class_names": 9}
    assert [fault.partition(":")[0] for fault in tool.grown(counts, baseline)] == [
        "small_single_use_modules grew from 20 to 21"
    ]
    assert tool.lowered(text, counts) == text.replace("gerund_modules = 3", "gerund_modules = 2")


def test_a_folder_is_read_without_what_is_no_product(tool: ModuleType, tmp_path: Path) -> None:
    for name in ("mercure/a.py", "mercure/data.txt", "tests/b.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("a = 1\n")
    assert tool.sources_of(str(tmp_path)) == {"mercure/a.py": "a = 1\n"}


def test_this_tree_and_its_revision_are_read_alike(tool: ModuleType) -> None:
    assert set(tool.sources_of("HEAD")) > {"mercure/__init__.py", "tui/app.py"}
