"""Container images of modules, fetched before a task is given to one: a pull may take an hour."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from mercure.config import ModuleSettings
from mercure.processing.module_outage import Kind
from mercure.runners import ImageMissingError, Runner, RunnerUnavailableError

FRESH_SECONDS: Final = 600.0
"""An image that was seen is believed to be there for so long; a start that misses it says so earlier."""

_log = logging.getLogger(__name__)
_Key = tuple[str, str, Path | None]


@dataclass(frozen=True)
class ImageMissing:
    """Why a module cannot be run."""

    kind: Kind
    text: str


@dataclass
class ModuleImages:
    """What images are at hand, and which are being fetched; each by a thread of its own.

    Parameters
    ----------
    stopping : callable
        Tells whether the service is ending.
    wake : callable
        Called when the state of an image has changed.
    """

    stopping: Callable[[], bool]
    wake: Callable[[], None]
    _ready: dict[_Key, float] = field(default_factory=dict)
    _failed: dict[_Key, ImageMissing] = field(default_factory=dict)
    _fetching: set[_Key] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def ask(self, settings: ModuleSettings, runner: Runner) -> ImageMissing | bool:
        """Tell whether an image is at hand; False while it is being fetched, which this begins.

        A failure is returned once: asked again, the image is looked for again.
        """
        key = (settings.runner, settings.image, settings.archive)
        with self._lock:
            failed = self._failed.pop(key, None)
            if failed is not None:
                return failed
            if key in self._fetching:
                return False
            if time.monotonic() - self._ready.get(key, float("-inf")) < FRESH_SECONDS:
                return True
            self._fetching.add(key)
        thread = threading.Thread(target=self._fetch, args=(key, runner), name=f"image {settings.image}", daemon=True)
        thread.start()
        return False

    def forget(self, settings: ModuleSettings) -> None:
        """Do not believe any more that an image is there."""
        with self._lock:
            self._ready.pop((settings.runner, settings.image, settings.archive), None)

    def _fetch(self, key: _Key, runner: Runner) -> None:
        missing: ImageMissing | None = None
        try:
            runner.prepare(key[1], key[2], self.stopping)
        except ImageMissingError as error:
            missing = ImageMissing("image", str(error))
        except RunnerUnavailableError as error:
            missing = ImageMissing("runner", str(error))
        except Exception as error:  # noqa: BLE001 - whatever one image does, the others go on
            _log.exception("an image could not be looked for", extra={"image": key[1]})
            missing = ImageMissing("runner", f"{type(error).__name__}: {error}")
        with self._lock:
            self._fetching.discard(key)
            if missing is None:
                self._ready[key] = time.monotonic()
            else:
                self._failed[key] = missing
        self.wake()
