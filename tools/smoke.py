"""Prove that the installed package is whole: every file is there, every module can be imported.

Run by ``tools/check`` with the Python of an environment that holds nothing but the wheel and its dependencies.
The argument names a file that lists what git has under the packages.
"""

import importlib
import importlib.metadata
import pkgutil
import subprocess
import sys
import sysconfig
from pathlib import Path

PACKAGES = ("mercure", "appliance", "tui")


def files_missing(listing: Path) -> list[str]:
    """Return the files that git has and the installed package has not."""
    installed = {str(file) for file in importlib.metadata.files("mercure-appliance") or []}
    return [name for name in listing.read_text(encoding="utf-8").split() if name not in installed]


def import_everything() -> int:
    """Import every module of the installed packages and return their number."""
    site = Path(sysconfig.get_path("purelib")).resolve()
    count = 0
    for name in PACKAGES:
        package = importlib.import_module(name)
        if site not in Path(str(package.__file__)).resolve().parents:
            sys.exit(f"{name} came from {package.__file__}, not from {site}")
        count += 1
        for module in pkgutil.walk_packages(package.__path__, f"{name}."):
            if module.name.rpartition(".")[2] != "__main__":
                importlib.import_module(module.name)
            count += 1
    return count


def main() -> None:
    """Check files, imports and commands; exit with a message at the first that fails."""
    missing = files_missing(Path(sys.argv[1]))
    if missing:
        sys.exit(f"not in the wheel: {', '.join(missing)}")
    modules = import_everything()
    commands = [
        entry
        for entry in importlib.metadata.entry_points(group="console_scripts")
        if entry.module.partition(".")[0] in PACKAGES
    ]
    for entry in commands:
        program = Path(sysconfig.get_path("scripts")) / entry.name
        subprocess.run([program, "--help"], check=True, stdout=subprocess.DEVNULL, timeout=60)
    names = ", ".join(entry.name for entry in commands)
    print(f"the wheel is whole: {modules} modules imported, commands that start: {names}")


main()
