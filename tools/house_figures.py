"""Figures that show how easily a thing is found here: ``python tools/house_figures.py [REVISION | FOLDER]``.

Four figures of the product's Python (``mercure``, ``appliance``, ``tui``), of a revision of git or of the files in a
folder (by default: of this tree). ``--list`` names what was counted. ``--check`` compares the first three with their
baseline, ``[tool.house]`` in ``pyproject.toml``, and fails when one has grown; ``--lower`` writes smaller ones there.

- gerund modules: a module is a thing and is named by a noun. `NOUNS` lists the nouns of the field that end in "-ing".
- small single-use modules: at most `SMALL` lines, and one other module imports them. Most are better read there.
- class names used twice: a public class whose name says only together with its module what it is.
- product lines: all lines, for orientation.

Beside them: how many product files the answer to each question in ``tests/house`` touches, with the same check.
"""

from __future__ import annotations

import argparse
import ast
import io
import re
import subprocess
import sys
import tarfile
import tomllib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
PACKAGES: Final = ("mercure", "appliance", "tui")
SMALL: Final = 110
NOUNS: Final = frozenset({"bookkeeping", "processing", "routing", "scheduling"})
"""Packages of the router, and modules named after them: what the field calls these parts. `mercure.bookkeeping` is the
name under which scripts of users import the history."""

Sources = Mapping[str, str]
"""The text of each product file, by its path."""


@dataclass(frozen=True)
class Figures:
    """What was counted: the findings of each kind, each in words, and all lines."""

    gerund_modules: tuple[str, ...]
    small_single_use_modules: tuple[str, ...]
    repeated_class_names: tuple[str, ...]
    lines: int

    def counts(self) -> dict[str, int]:
        """Return the figures that must not grow, by the name of their baseline."""
        return {name: len(getattr(self, name)) for name in BASELINES}


BASELINES: Final = ("gerund_modules", "small_single_use_modules", "repeated_class_names")


def figures(sources: Sources) -> Figures:
    """Count in the product files of a tree."""
    trees = {path: ast.parse(text, path) for path, text in sources.items()}
    return Figures(
        gerund_modules=tuple(sorted(path for path in sources if is_gerund(path))),
        small_single_use_modules=tuple(_small_single_use(sources, trees)),
        repeated_class_names=tuple(_repeated_classes(trees)),
        lines=sum(text.count("\n") for text in sources.values()),
    )


def is_gerund(path: str) -> bool:
    """Return True if the last word of a module's (or package's) name is a gerund."""
    name = Path(path).parent.name if path.endswith("/__init__.py") else Path(path).stem
    word = name.rpartition("_")[2]
    return word.endswith("ing") and word not in NOUNS


def _small_single_use(sources: Sources, trees: Mapping[str, ast.Module]) -> Iterator[str]:
    importers = _importers(trees)
    for path in sorted(sources):
        by = importers[_dotted(path)]
        lines = sources[path].count("\n")
        if Path(path).name not in {"__init__.py", "__main__.py"} and lines <= SMALL and len(by) == 1:
            yield f"{path} ({lines} lines, used by {min(by)})"


def _importers(trees: Mapping[str, ast.Module]) -> Mapping[str, set[str]]:
    """Return the modules that import each module; whoever imports through a package's re-export imports the module."""
    modules = {_dotted(path): tree for path, tree in trees.items()}
    packages = {_dotted(path) for path in trees if path.endswith("/__init__.py")}
    exports = {package: _exports(package, modules) for package in packages}
    importers: dict[str, set[str]] = defaultdict(set)
    for module, tree in modules.items():
        # A package that only passes a name on is no user of the module.
        passed_on = set() if module not in packages else _imported_names(tree) - _used_names(tree)
        for target, name in _imports(module, module in packages, tree, modules):
            if name and name in passed_on:
                continue
            importers[exports.get(target, {}).get(name, target)].add(module)
    for module, users in importers.items():
        users.discard(module)
    return importers


def _exports(package: str, modules: Mapping[str, ast.Module]) -> dict[str, str]:
    """Return the module from which a package has each name."""
    found = _imports(package, True, modules[package], modules)
    return {name: module for module, name in found if name and module.startswith(f"{package}.")}


def _imports(
    module: str, is_package: bool, tree: ast.Module, modules: Mapping[str, ast.Module]
) -> Iterator[tuple[str, str]]:
    """Yield the product modules that a module imports, anywhere in it, each with the name it takes (or none)."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names if alias.name in modules)
        elif isinstance(node, ast.ImportFrom):
            source = node.module or ""
            if node.level:
                parts = module.split(".")[: None if is_package and node.level == 1 else -node.level + is_package]
                source = ".".join([*parts, source] if source else parts)
            for alias in node.names:
                if f"{source}.{alias.name}" in modules:
                    yield f"{source}.{alias.name}", ""
                elif source in modules:
                    yield source, alias.name


def _imported_names(tree: ast.Module) -> set[str]:
    return {alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names}


def _used_names(tree: ast.Module) -> set[str]:
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def _repeated_classes(trees: Mapping[str, ast.Module]) -> Iterator[str]:
    places: dict[str, list[str]] = defaultdict(list)
    for path in sorted(trees):
        for node in trees[path].body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(path)
    yield from (f"{name}: {', '.join(paths)}" for name, paths in sorted(places.items()) if len(paths) > 1)


def _dotted(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def sources_of(tree: str) -> dict[str, str]:
    """Read the product files of a folder, or of a revision of this repository."""
    if Path(tree).is_dir():
        found = (path for package in PACKAGES for path in Path(tree, package).rglob("*.py"))
        return {path.relative_to(tree).as_posix(): path.read_text("utf-8") for path in found}
    archive = subprocess.run(
        ["git", "archive", "--format=tar", tree, "--", *PACKAGES],  # noqa: S607 - git is found on PATH, as users find it
        cwd=ROOT,
        check=True,
        capture_output=True,
    ).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        modules = (entry for entry in files if entry.isfile() and entry.name.endswith(".py"))
        return {entry.name: (files.extractfile(entry) or io.BytesIO()).read().decode() for entry in modules}


def files_touched() -> dict[str, int]:
    """Count the product files of each patch in ``tests/house``, by its name."""
    patches = sorted(Path(ROOT, "tests", "house").glob("*.patch"))
    return {path.stem: path.read_text("utf-8").count("\ndiff --git ") + 1 for path in patches}


def grown(counts: Mapping[str, int], baseline: Mapping[str, int]) -> list[str]:
    """Return a sentence for each figure that is above its baseline."""
    return [
        f"{name} grew from {baseline[name]} to {counts[name]}: see `.venv/bin/python tools/house_figures.py --list`"
        for name in BASELINES
        if counts[name] > baseline[name]
    ]


def lowered(text: str, counts: Mapping[str, int]) -> str:
    """Return the text of ``pyproject.toml`` with the baselines that can be lower."""
    baseline = tomllib.loads(text)["tool"]["house"]
    for name in BASELINES:
        if counts[name] < baseline[name]:
            text = re.sub(rf"^{name} = \d+$", f"{name} = {counts[name]}", text, flags=re.MULTILINE)
    return text


def main() -> int:
    """Print the figures; return 1 when `--check` found one that grew."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("tree", nargs="?", default=str(ROOT), help="a revision, or a folder; this tree")
    parser.add_argument("--list", action="store_true", help="name what was counted")
    parser.add_argument("--check", action="store_true", help="fail when a figure is above its baseline")
    parser.add_argument("--lower", action="store_true", help="write lower figures as the baseline")
    wanted = parser.parse_args()
    found = figures(sources_of(wanted.tree))
    for name, count in {**found.counts(), "lines": found.lines}.items():
        print(f"{count:6}  {name.replace('_', ' ')}")
        if wanted.list and name != "lines":
            print("".join(f"        {finding}\n" for finding in getattr(found, name)), end="")
    touched = files_touched()
    print("".join(f"{count:6}  files for {name}\n" for name, count in touched.items()), end="")
    settings = ROOT / "pyproject.toml"
    text = settings.read_text("utf-8")
    if wanted.lower:
        settings.write_text(lowered(text, found.counts()), "utf-8")
    baseline = tomllib.loads(text)["tool"]["house"]
    faults = []
    if wanted.check:
        faults = grown(found.counts(), baseline)
        faults += [f"{name}: {count} files" for name, count in touched.items() if count > baseline["questions"][name]]
    print("".join(f"{fault}\n" for fault in faults), end="", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
