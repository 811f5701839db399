"""``python -m modules.build NAME --image FILE`` or ``--program FILE``: build one of our modules."""

from __future__ import annotations

import argparse
from pathlib import Path

from modules.build import module_content, system_content, write_image, write_program


def main() -> None:
    """Build what is asked for and say where it is."""
    parser = argparse.ArgumentParser(prog="python -m modules.build", description=__doc__)
    parser.add_argument("name", help="the module, such as 'statistics' or 'deidentify'")
    parser.add_argument("--image", type=Path, metavar="FILE", help="write the container image as an archive")
    parser.add_argument("--program", type=Path, metavar="FILE", help="write one executable file, for runner 'command'")
    chosen = parser.parse_args()
    if chosen.image is None and chosen.program is None:
        parser.error("nothing to do: name --image, --program or both")
    try:
        content = module_content(chosen.name)
    except LookupError as error:
        parser.error(str(error))
    if chosen.program is not None:
        write_program(chosen.program, content, f"modules.{chosen.name}")
        print(chosen.program)  # noqa: T201 - what was made, for scripts
    if chosen.image is not None:
        build_image(chosen.name, chosen.image)
        print(chosen.image)  # noqa: T201


def build_image(name: str, archive: Path) -> None:
    """Write the image of one of our modules, named ``localhost/mercure-NAME:latest``."""
    module = module_content(name)
    module.files = {f"opt/module/{path}": data for path, data in module.files.items()}
    command = ("/usr/bin/python3", "-m", f"modules.{name}")
    environment = {"PYTHONPATH": "/opt/module", "PYTHONDONTWRITEBYTECODE": "1", "LANG": "C.UTF-8"}
    write_image(archive, f"localhost/mercure-{name}:latest", [system_content(), module], command, environment)


if __name__ == "__main__":
    main()
