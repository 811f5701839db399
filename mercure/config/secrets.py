"""Secrets: the configuration says where they are, and never what they are."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from mercure.model import Model

_MAX_BYTES: Final = 64 * 1024


class SecretFile(Model):
    """A secret in a file that only the router may read."""

    file: Path
    """The path of the file; white space around the secret does not count."""


class SecretEnv(Model):
    """A secret in an environment variable of the service."""

    env: str
    """The name of the variable."""


Secret = SecretFile | SecretEnv


class SecretError(Exception):
    """A secret is not where the configuration says that it is."""


def read_secret(secret: Secret) -> str:
    """Return a secret, without the white space around it.

    Raises
    ------
    SecretError
        There is no such file or variable, or it is empty.
    """
    try:
        if isinstance(secret, SecretFile):
            place = f"the file {secret.file}"
            with open(secret.file, encoding="utf-8") as reading:
                text = reading.read(_MAX_BYTES).strip()
        else:
            place = f"the environment variable {secret.env}"
            text = os.environ.get(secret.env, "").strip()
    except OSError as error:
        raise SecretError(f"a secret cannot be read: {error.filename}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SecretError(f"a secret cannot be read: {secret} is no text") from error
    if not text:
        raise SecretError(f"a secret is missing: {place} is empty or not there")
    return text
