"""Writes a container image as an archive that ``podman load`` takes (the format of ``docker save``).

Hospitals' machines have no image registry, so an image is made of this Debian's own Python and the libraries that
``ldd`` names. Times and owners are fixed: the same content has the same digest.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import platform
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Final

from modules.build.content import Content

_ARCHITECTURES: Final = {"x86_64": "amd64", "aarch64": "arm64"}
_PLAIN, _EXECUTABLE = 0o644, 0o755


def write_image(
    archive: Path,
    reference: str,
    layers: Sequence[Content],
    entrypoint: Sequence[str],
    environment: Mapping[str, str] | None = None,
) -> None:
    """Write an image: the same bytes for the same content, whenever and wherever it is built.

    Parameters
    ----------
    archive : Path
        Replaced by one rename.
    reference : str
        The image's name with its tag, such as ``localhost/mercure-statistics:latest``.
    layers : sequence of Content
        From the lowest on.
    entrypoint : sequence of str
        What is run; the module's arguments follow.
    environment : mapping of str to str, optional
        Variables that the image sets.
    """
    packed = [_layer(layer) for layer in layers]
    digests = [hashlib.sha256(data).hexdigest() for data in packed]
    config = json.dumps(
        {
            "architecture": _ARCHITECTURES.get(platform.machine(), platform.machine()),
            "os": "linux",
            "created": "1970-01-01T00:00:00Z",
            "config": {
                "Entrypoint": list(entrypoint),
                "Env": [f"{name}={value}" for name, value in sorted((environment or {}).items())],
                "WorkingDir": "/data",
            },
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}" for digest in digests]},
        },
        sort_keys=True,
    ).encode()
    name = f"{hashlib.sha256(config).hexdigest()}.json"
    manifest = [{"Config": name, "RepoTags": [reference], "Layers": [f"{digest}/layer.tar" for digest in digests]}]
    content = Content(files={name: config, "manifest.json": json.dumps(manifest).encode()})
    content.files |= {f"{digest}/layer.tar": data for digest, data in zip(digests, packed, strict=True)}
    temporary = archive.with_name(f".{archive.name}.{os.getpid()}.tmp")
    temporary.write_bytes(_layer(content))
    os.replace(temporary, archive)


def _layer(content: Content) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for folder in _folders(content):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if folder.endswith("tmp") else _EXECUTABLE
            tar.addfile(entry)
        for path, data in sorted(content.files.items()):
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(data), _EXECUTABLE if path in content.executables else _PLAIN
            tar.addfile(entry, io.BytesIO(data))
        for path, target in sorted(content.links.items()):
            entry = tarfile.TarInfo(path)
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            tar.addfile(entry)
    return packed.getvalue()


def _folders(content: Content) -> list[str]:
    found = set(content.folders)
    for path in (*content.files, *content.links, *content.folders):
        found |= {parent.as_posix() for parent in PurePosixPath(path).parents if parent.parts}
    return sorted(found)
